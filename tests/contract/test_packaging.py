"""What is in the wheel, and what it says of itself.

The wheel is $PAGEMAP_WHEEL where that is set, and the source tree is $PAGEMAP_SOURCE, as when the
tests run against an installed package. Otherwise the wheel is built, and from a copy of the source
tree, so nothing stale in build/ can slip in.
"""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap

if TYPE_CHECKING:
    from email.message import Message

NAME = "linux-pagemap"
ROOT = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).resolve().parents[2]))
GENERATED = {
    "share/man/man1/pagemap.1",
    "share/bash-completion/completions/pagemap",
    "share/fish/vendor_completions.d/pagemap.fish",
    "share/pagemap/completion.tcsh",
    "share/zsh/site-functions/_pagemap",
}
SUBCOMMANDS = ("dump", "virt-to-phys", "maps", "doctor")

stable_abi_only = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="a free-threaded Python has no stable ABI",
)


def build_wheel(folder: Path) -> Path:
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("csrc", "pagemap"):
        ignored = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(copy)],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if named := os.environ.get("PAGEMAP_WHEEL"):
        return Path(named)
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return files_of(archive)


def files_of(archive: zipfile.ZipFile) -> set[str]:
    return {name for name in archive.namelist() if not name.endswith("/")}


def read(wheel: Path, ending: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(ending))
        return archive.read(name).decode()


def headers(wheel: Path, name: str) -> Message:
    return email.message_from_string(read(wheel, f".dist-info/{name}"))


@stable_abi_only
def test_one_wheel_serves_every_python_from_3_10_on(wheel: Path, names: set[str]) -> None:
    assert re.fullmatch(r"linux_pagemap-[\d.]+-cp310-abi3-.*linux.*\.whl", wheel.name)
    tags = headers(wheel, "WHEEL").get_all("Tag")
    assert tags
    assert all(tag.startswith("cp310-abi3-") for tag in tags)
    modules = ("_capi", "_capsules", "_core")
    assert {f"pagemap/{module}.abi3.so" for module in modules} <= names


def test_the_wheel_is_for_one_architecture(wheel: Path) -> None:
    assert headers(wheel, "WHEEL")["Root-Is-Purelib"] == "false"


def test_the_wheel_has_the_types(names: set[str]) -> None:
    assert {"pagemap/py.typed", "pagemap/_core.pyi"} <= names


def test_the_wheel_has_what_programs_in_c_are_built_with(wheel: Path, names: set[str]) -> None:
    headers = {"include/pagemap.h": "include", "include/pagemap_capi.h": "binding"}
    for name, folder in headers.items():
        source = ROOT / "csrc" / folder / Path(name).name
        assert read(wheel, f"pagemap/{name}") == source.read_text(encoding="ascii")
    assert {"pagemap/lib/libpagemap.a", "pagemap/pagemap.pxd"} <= names


def test_the_wheel_has_every_module_of_the_source_tree(names: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pagemap").rglob("*.py")}
    assert modules
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_wheel_installs_nothing_but_the_package_and_its_share(names: set[str]) -> None:
    data = {name.split(".data/")[1] for name in names if ".data/" in name}
    assert data == {f"data/{name}" for name in GENERATED}
    package = {name for name in names if ".data/" not in name and ".dist-info/" not in name}
    assert {name.split("/")[0] for name in package} == {"pagemap"}
    assert {Path(name).suffix for name in package} == {
        ".py",
        ".pyi",
        ".typed",
        ".so",
        ".h",
        ".a",
        ".pxd",
    }


def test_the_metadata_says_what_is_promised(wheel: Path) -> None:
    said = headers(wheel, "METADATA")
    assert said["Name"] == NAME
    assert said["Version"] == pagemap.__version__
    assert said["License-Expression"] == "MIT"
    assert said["License-File"] == "LICENSE"
    assert said["Requires-Python"] == ">=3.10"
    needed = {item for item in said.get_all("Requires-Dist", []) if "extra ==" not in item}
    assert {re.split(r"[^a-z]", item)[0] for item in needed} == {"cffi"}
    assert "pagemap = pagemap.__main__:run" in read(wheel, "entry_points.txt")


def test_the_metadata_names_the_pythons_that_are_tried(wheel: Path) -> None:
    classifiers = headers(wheel, "METADATA").get_all("Classifier", [])
    said = [each.split(" :: ")[2] for each in classifiers if " :: Python :: 3." in each]
    script = (ROOT / "tests/steps/pythons.sh").read_text(encoding="utf-8")
    assert said == re.findall(r"3\.\d+", script.split("for version in ")[1].splitlines()[0])


def test_the_metadata_has_addresses(wheel: Path) -> None:
    addresses = headers(wheel, "METADATA").get_all("Project-URL", [])
    assert addresses
    for each in addresses:
        label, address = each.split(", ")
        assert len(label) <= 32  # PyPI's limit
        assert address.startswith("https://")


def test_the_version_is_that_of_the_installed_distribution() -> None:
    assert pagemap.__version__ == metadata.version(NAME)


def test_an_editable_install_costs_no_import_hook() -> None:
    """A finder in sys.meta_path would be asked at every import of every program."""
    # The egg-info of a source tree may be found first; it knows nothing of how it was installed.
    records = [item.read_text("direct_url.json") for item in metadata.distributions(name=NAME)]
    if not any(
        json.loads(record or "{}").get("dir_info", {}).get("editable") for record in records
    ):
        pytest.skip("the package is not an editable install")
    assert not [finder for finder in sys.meta_path if "editable" in repr(finder).lower()]


def test_the_man_page_names_every_subcommand(wheel: Path) -> None:
    page = read(wheel, "man1/pagemap.1").replace(r"\-", "-")
    for name in SUBCOMMANDS:
        assert f"pagemap {name}" in page


def test_the_man_page_names_that_of_the_c_library(wheel: Path) -> None:
    page = read(wheel, "man1/pagemap.1")
    assert ".BR pagemap (3)" in page[page.index(".SH SEE ALSO") :]


def test_the_man_page_keeps_the_lines_of_a_usage(wheel: Path) -> None:
    """They were filled and justified as running text."""
    lines = read(wheel, "man1/pagemap.1").splitlines()
    usages = [at for at, line in enumerate(lines) if line.startswith("usage: ")]
    assert len(usages) >= len(SUBCOMMANDS)
    for at in usages:
        assert lines[at - 1] == ".nf"
        end = next(n for n in range(at + 1, len(lines)) if not lines[n].startswith("  "))
        assert lines[end] == ".fi"


@pytest.mark.parametrize(
    "checker", [("mandoc", "-T", "lint", "-W", "warning"), ("groff", "-man", "-ww", "-z")]
)
def test_the_man_page_is_well_formed(wheel: Path, checker: tuple[str, ...], tmp_path: Path) -> None:
    if not shutil.which(checker[0]):
        pytest.skip(f"{checker[0]} is not installed")
    page = tmp_path / "pagemap.1"
    page.write_text(read(wheel, "man1/pagemap.1"))
    done = subprocess.run(
        [*checker, str(page)], check=False, capture_output=True, text=True, timeout=600
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("shell", "ending"),
    [
        ("bash", "bash-completion/completions/pagemap"),
        ("zsh", "site-functions/_pagemap"),
        ("fish", "pagemap.fish"),
        ("tcsh", "completion.tcsh"),
    ],
)
def test_each_shell_can_parse_its_completion(
    wheel: Path, shell: str, ending: str, tmp_path: Path
) -> None:
    text = read(wheel, ending)
    for name in SUBCOMMANDS:
        assert name in text
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completion"
    script.write_text(text)
    done = subprocess.run(
        [shell, "-n", str(script)], check=False, capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["pagemap", "d"], ["diff", "doctor", "dump"]),
        (["pagemap", "dump", "--f"], ["--format"]),
        (["pagemap", "dump", "--format", ""], ["arrow", "csv", "json", "jsonl", "table", "text"]),
    ],
)
def test_bash_completes(wheel: Path, typed: list[str], offered: list[str], tmp_path: Path) -> None:
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    script = tmp_path / "completion"
    script.write_text(read(wheel, "bash-completion/completions/pagemap"))
    at_tab = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        "$(complete -p pagemap | sed 's/.*-F //; s/ .*//'); printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    command = ["bash", "-c", at_tab, "bash", str(script), *typed]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    assert sorted(done.stdout.split()) == offered
