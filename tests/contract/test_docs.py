"""What the documents show is run: docstrings' examples, and the Python of the README."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pagemap
from pagemap._cli.parser import EXIT_CODES

ROOT = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).parents[2]))
ROOMS = sorted(info.name for info in pkgutil.walk_packages(pagemap.__path__, "pagemap."))


@pytest.mark.parametrize(
    "name", [name for name in ROOMS if not name.endswith(("_core", "__main__"))]
)
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_of_errors() -> None:
    """They are of the package itself, as whoever catches them has them."""
    assert doctest.DocTestFinder().find(pagemap.PagemapError, module=pagemap)[0].examples
    assert doctest.testmod(pagemap).failed == 0


def test_there_are_examples_to_run() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = sum(
        len(test.examples)
        for name in (
            "_process",
            "_space.pages",
            "_kernel.maps",
            "_vocabulary.units",
            "_export.dump",
        )
        for test in finder.find(importlib.import_module(f"pagemap.{name}"))
    )
    assert examples >= 10


def readme() -> str:
    path = ROOT / "README.md"
    if not path.exists():
        pytest.skip("the README lies in the source tree, which is not here")
    return path.read_text(encoding="utf-8")


def test_the_readme_is_short() -> None:
    lines = readme().splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 100] == []


def test_the_readme_has_every_exit_code() -> None:
    """Those of the help, which a test of the command holds to what it does."""
    codes = re.findall(r"^  (\d+) |, (\d+) ", EXIT_CODES, flags=re.MULTILINE)
    paragraph = readme().partition("\nExit codes: ")[2].partition("\n\n")[0]
    named = {code for part in paragraph.split(";") for code in re.findall(r"^\s*(\d+) ", part)}
    assert named == {code for pair in codes for code in pair if code}


GEVENT = """
from gevent import monkey
monkey.patch_all()
import pagemap._native.pipeline
pagemap._native.pipeline.ALONE_PAGES = 1  # threads from the first piece on
"""


@pytest.mark.parametrize("first", ["", GEVENT], ids=["plain", "under gevent"])
def test_the_readmes_python_runs(first: str, pfns_visible: bool) -> None:
    if first:
        pytest.importorskip("gevent")
    blocks = re.findall(r"```python\n(.*?)```", readme(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        code = f"{first}\nimport os\npid = os.getpid()\n{block}"
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        refused = "PfnsHidden" in run.stderr and not pfns_visible
        assert run.returncode == 0 or refused, run.stderr


def test_the_readmes_commands_exist() -> None:
    """Every `pagemap SUBCOMMAND --option` shown is one that the parser knows."""
    used = re.findall(r"^\$ (?:sudo )?pagemap ([a-z-]+)(.*)$", readme(), flags=re.MULTILINE)
    assert used
    for subcommand, rest in used:
        run = subprocess.run(
            [sys.executable, "-m", "pagemap", subcommand, "--help"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert run.returncode == 0, f"{subcommand}: {run.stderr}"
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in run.stdout, f"{subcommand} has no {option}"


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_files_named_in_the_documents_exist(name: str) -> None:
    readme()
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:csrc|pagemap|tests|benchmarks)/[A-Za-z0-9_./-]*)`", text))
    for path in named:
        assert (ROOT / path).exists(), f"{name} names {path}, which does not exist"


def test_the_table_of_faults_names_tests_that_exist() -> None:
    folder = Path(__file__).parents[1]
    table = (folder / "README.md").read_text(encoding="utf-8").partition("## Faults")[2]
    named = re.findall(r"`([a-z_]+/[a-z_]+\.py)(?:::(test_[a-z0-9_]+))?`", table)
    assert len(named) > 20
    for path, test in named:
        text = (folder / path).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in text, f"{path} has no {test}"
