"""`make` has every target that CI and the documents name, and CI nothing of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.contract.test_docs import ROOT

# a variable may stand first: `make PYTHON=python3.13 demo`
MADE = r"\bmake (?:[A-Z_]+=\S+ )*([a-z][a-z-]*)"
NAMED = {
    ".ci/run": r"(?:^|\|\| )step ([a-z-]+)",
    "README.md": rf"(?:`|^\$ ){MADE}",
    "CONTRIBUTING.md": rf"(?:`|^\$ ){MADE}",
    "tests/README.md": rf"`{MADE}",
}


def read(name: str) -> str:
    if not (ROOT / "Makefile").exists():
        pytest.skip("the Makefile lies in the source tree, which is not here")
    return (ROOT / name).read_text(encoding="utf-8")


def targets() -> set[str]:
    return set(re.findall(r"^([\w-]+):(?!=)", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("name", NAMED)
def test_every_target_that_is_named_exists(name: str) -> None:
    named = set(re.findall(NAMED[name], read(name), re.MULTILINE))
    assert named <= targets()
    assert named or name == "README.md"


def make(*words: str) -> str:
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    command = ["make", "--no-print-directory", "-C", str(ROOT), *words]
    # not what a `make test` around this was called with
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60, env={**plain, "ARGS": ""}
    )
    return done.stdout


def test_ci_runs_what_a_person_runs() -> None:
    """Each of its steps is shown by `make help`, and so is what it does."""
    steps = re.findall(NAMED[".ci/run"], read(".ci/run"), re.MULTILINE)
    assert {"lint", "test", "test-wheel", "test-unprivileged", "test-vm-short"} <= set(steps)
    assert set(steps) <= set(re.findall(r"^  ([\w-]+) ", make("help"), re.MULTILINE))


def test_the_runs_at_once_are_all_tests() -> None:
    read("Makefile")
    folders = {path.relative_to(ROOT).parts[1] for path in ROOT.glob("tests/*/**/test_*.py")}
    assert len(folders) >= 10
    (line,) = (line for line in make("-n", "test").splitlines() if " -- " in line)
    run = re.findall(r" tests/(\w+)", line)
    assert len(run) == len(set(run))
    assert folders <= set(run)
    assert not list(ROOT.glob("tests/test_*.py")), "these would be in none"


def test_no_target_is_taken_for_a_file() -> None:
    """A file called `test` would keep `make test` from running."""
    text = read("Makefile").replace("\\\n", " ")
    (phony,) = re.findall(r"^\.PHONY: (.*)", text, re.MULTILINE)
    assert set(phony.split()) == targets()
