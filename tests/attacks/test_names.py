"""A process, and a file that it maps, named so as to drive a terminal or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import workloads
from tests.cli.test_terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start
    from tests.target import Target

# The screen cleared, a bell, what overwrites the line, CSI as one character, and text turned round.
COMM = "=\x1b[2J\x07\r\u202e;=1"
FILE = '\uff1dSUM(1);@SUM(1);"+1"\x1b]0;x\x07\r\x9b2J\u202e\u2066",\n'
NAMED = """
import ctypes, mmap, os, sys
ctypes.CDLL(None).prctl(15, os.fsencode(sys.argv[1]), 0, 0, 0)
os.chdir(sys.argv[2])
file = open(sys.argv[3], "w+b")
file.truncate(1 << 20)
memory = mmap.mmap(file.fileno(), 1 << 20)
memory[:] = bytes(range(256)) * (1 << 12)
if os.fork() == 0: # so that frames are shared
    sum(memory[::4096])
    print("ready", flush=True)
sys.stdin.read()
"""

# Control characters (newlines part rows), C1 as UTF-8 has it, what turns text round, no UTF-8.
HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\udc80-\udcff]"
)

FORMULAS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\r")

LINES = [
    "dump {pid} --format csv",
    "maps {pid}",
    "maps {pid} --csv",
    "huge {pid}",
    "huge {pid} --csv",
    "huge --csv",
    "footprint {pid}",
    "footprint {pid} --csv",
    "footprint {pid} --by mapping",
    "footprint {pid} --by mapping --csv",
    "footprint {pid} --by path",
    "footprint {pid} --by path --csv",
    "types --file {folder} --list",
    "types --file {folder} --list --csv",
    "who {pid} {address}",
    "who {pid} {address} --csv",
    "sharing {pid}",
    *(f"sharing {{pid}} --csv --what {part}" for part in ("processes", "pairs", "paths")),
]
ROOTS = ("huge", "types", "who", "sharing")


class Named:
    """A process of that name that maps a file of that name, and the page where it begins."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.pid = target.pid
        self.folder = folder
        self.address = next(
            f"0x{line.split('-')[0]}"
            for line in (
                open_bytes(f"/proc/{self.pid}/maps").decode("utf-8", "surrogateescape").split("\n")
            )
            if "SUM(1)" in line
        )


def open_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@pytest.fixture
def named(start: Start, tmp_path: Path) -> Named:
    folder = tmp_path / "folder"
    folder.mkdir()
    words = [sys.executable, "-c", NAMED, COMM, os.fspath(folder), FILE]
    return Named(start(workloads.run(*words)), folder)


@pytest.mark.parametrize("line", LINES)
def test_no_name_drives_a_terminal_or_a_spreadsheet(
    pagemap: Pagemap, named: Named, line: str
) -> None:
    """Escapes, bells and right-to-left overrides came out of --csv; =1+1 was a formula, ;=1 too."""
    if line.startswith(ROOTS) and os.geteuid():
        pytest.skip("needs root, to look up frames")
    code, out, err = pagemap(*(word.format(**vars(named)) for word in line.split()))
    text = out.decode("utf-8", "surrogateescape")
    assert (code, HARMFUL.search(text)) == (0, None)
    assert HARMFUL.search("\n".join(err)) is None
    assert r"\033[2J\007\015" in text or re.search(r"\\033]0(;|\\073)x\\007\\015", text)
    if "csv" in line:
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        assert {len(row) for row in rows} == {len(header)}
        for row in rows:
            # permissions are the kernel's, and begin with a dash where nothing may be read
            texts = [cell for name, cell in zip(header, row, strict=True) if name != "perms"]
            assert not [cell for cell in texts if cell.startswith(FORMULAS)]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=";"):
            assert not [cell for cell in row if cell.startswith(FORMULAS)]


def test_text_on_a_terminal(pagemap: Pagemap, named: Named) -> None:
    terminal = Terminal(100)
    try:
        process = pagemap.start("dump", named.pid, "--map", "*SUM*", stdout=terminal.fd)
        assert process.communicate(timeout=60)[1].decode().count("SUM") == 0
    finally:
        written = terminal.close()
    text = written.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    assert HARMFUL.search(text) is None
    assert r"\033]0;x\007\015\302\2332J" in text


def test_text_in_a_pipe_stays_what_maps_says(pagemap: Pagemap, named: Named) -> None:
    out = pagemap("dump", named.pid, "--map", "*SUM*").out
    label = FILE.replace("\n", r"\012").encode()
    assert {line[-len(label) :] for line in out.split(b"\n")[1:-1]} == {label}


POLARS = """
import io, sys
import polars as pl
print(ascii(pl.read_ndjson(io.BytesIO(sys.stdin.buffer.read()))["name"].to_list()))
"""


def test_a_name_that_is_not_utf8_spoils_no_json(pagemap: Pagemap, start: Start) -> None:
    """One process so named made polars, pandas and DuckDB refuse the file of all processes."""
    rename = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'bad\\xffn\\x1b', 0, 0, 0)"
    wait = "print('ready', flush=True); sys.stdin.read()"
    target = start(workloads.run(sys.executable, "-c", f"{rename}; {wait}"))
    out = pagemap("footprint", target.pid, "--columns", "pid,name", "--format", "jsonl").out
    assert out == rb'{"pid":%d,"name":"bad\\377n\u001b"}' % target.pid + b"\n"
    run = subprocess.run(
        [sys.executable, "-c", POLARS], input=out, capture_output=True, check=True, timeout=60
    )
    assert run.stdout == rb"['bad\\377n\x1b']" + b"\n"


def test_json_has_the_name_itself(pagemap: Pagemap, named: Named) -> None:
    """What CSV and tables cannot say, JSON does, and all in ASCII."""
    for form in ("json", "jsonl"):
        out = pagemap("footprint", named.pid, "--columns", "pid,name", "--format", form).out
        assert out.isascii()
        assert HARMFUL.search(out.decode()) is None
        found = json.loads(out)
        (row,) = found["rows"] if form == "json" else [found]
        assert row["name"] == COMM
