"""What the command says of itself, and of command lines that it cannot understand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pagemap._cli.commands import COMMANDS as ALL

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap

COMMANDS = tuple(name for name, _, _ in ALL)


def test_the_version(pagemap: Pagemap) -> None:
    root = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).parents[2]))
    version = root / "pagemap" / "_version.py"
    found = re.search(r'__version__ = "(.+)"', version.read_text())
    assert found
    assert pagemap("--version") == (0, f"pagemap {found[1]}\n".encode(), [])


def test_no_arguments_get_help_and_a_usage_error(pagemap: Pagemap) -> None:
    code, out, err = pagemap()
    assert (code, out) == (2, b"")
    assert "\n".join(err) + "\n" == pagemap("--help").out.decode()


def test_help(pagemap: Pagemap) -> None:
    code, out, err = pagemap("--help")
    assert (code, err) == (0, [])
    assert b"\nexamples:\n" in out
    assert b"\nexit codes:\n" in out
    assert max(map(len, out.decode().splitlines())) <= 80
    for command in COMMANDS:
        assert re.search(rf"^    {command}\b".encode(), out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(pagemap: Pagemap, name: str) -> None:
    code, out, err = pagemap(name, "--help")
    assert (code, err) == (0, [])
    assert out.startswith(f"usage: pagemap {name} ".encode())
    assert f"pagemap {name} ".encode() in out.partition(b"\nexamples:\n")[2]
    assert max(map(len, out.decode().splitlines())) <= 80


# Each with a pid that no process has: it is not even looked for.
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dump", "the following arguments are required: TARGET"),
        ("dump {pid} more", "unrecognized arguments: more"),
        ("dump {pid} --format xml", "--format knows no 'xml'; choose from text, table, csv, "),
        ("dump {pid} --form text", "unrecognized arguments: --form"),
        ("dump {pid} --map=", "an empty --map pattern matches nothing"),
        ("dump {pid} --range 1000", "malformed range '1000': give START-END"),
        ("dump {pid} --range 1000-xyz", "malformed range '1000-xyz'"),
        ("dump {pid} --range 2000-1000", "empty range '2000-1000': START must be below END"),
        ("dump {pid} --range 1000-1000", "empty range '1000-1000': START must be below END"),
        ("dump {pid} --range 0-10000000000000000", "addresses have at most 64 bits"),
        ("virt-to-phys", "the following arguments are required: TARGET, ADDRESS"),
        ("virt-to-phys {pid}", "the following arguments are required: ADDRESS"),
        ("virt-to-phys {pid} 0x1000 12g4", "malformed address '12g4'"),
        ("virt-to-phys {pid} 400000", "write 0x400000 if it is hexadecimal, 0x61a80 if it is"),
        ("virt-to-phys {pid} 0x10000000000000000", "addresses have at most 64 bits"),
        ("virt-to-phys {pid} -5", "malformed address '-5'"),
        ("maps", "the following arguments are required: TARGET"),
        ("doctor {pid} more", "unrecognized arguments: more"),
        ("frob", "pagemap knows no 'frob'; choose from dump, "),
        ("--frob", "unrecognized arguments: --frob"),
    ],
)
def test_what_cannot_be_understood(pagemap: Pagemap, unused_pid: int, line: str, said: str) -> None:
    code, out, err = pagemap(*line.format(pid=unused_pid).split())
    assert (code, out) == (2, b"")
    assert err[0].startswith("pagemap: ")
    assert said in err[0]


def test_an_empty_target(pagemap: Pagemap) -> None:
    said = ["pagemap: the target is empty: give a pid, self, a name, or @FILE"]
    assert pagemap("dump", "") == (2, b"", said)


def test_a_usage_error_says_where_help_is(pagemap: Pagemap) -> None:
    assert pagemap("dump").err[1:] == ["try 'pagemap dump --help'"]
    assert pagemap("frob").err[1:] == ["try 'pagemap --help'"]


def test_the_parser_alone_needs_neither_the_compiled_module_nor_rich() -> None:
    """The man page and the completions are made where nothing is compiled yet."""
    script = (
        "import sys; from pagemap._cli.parser import build_parser; build_parser().format_help();"
        "print([n for n in sys.modules if n.partition('.')[0] in ('_cffi_backend', 'cffi', 'rich')"
        " or n in ('pagemap._core', 'pagemap._native')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, timeout=120
    )
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize("line", ["dump self", "virt-to-phys self 0", "dump self -o /dev/null"])
def test_the_common_paths_import_little(line: str) -> None:
    """Python's own start is 10 ms; each of these would add from 2 to 50."""
    heavy = "rich typing dataclasses json threading shutil subprocess pathlib ctypes tempfile"
    script = (
        "import sys; before = set(sys.modules); from pagemap._cli import main;"
        f"main({line.split()!r}); "
        f"print(sorted(set({heavy.split()!r}) & (set(sys.modules) - before)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, timeout=120
    )
    assert done.stderr.splitlines()[-1] == b"[]"
