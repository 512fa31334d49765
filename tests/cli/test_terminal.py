"""What is drawn on a terminal, and only there: tables and the progress bar."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import signal
import struct
import termios
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests import oracle, workloads
from tests.cli.conftest import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

COLOUR = re.compile(rb"\x1b\[[0-9;]*3[0-9][0-9;]*m")
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A pseudo-terminal that remembers all that is written to it."""

    def __init__(self, columns: int) -> None:
        self._ours, self.fd = pty.openpty()
        size = struct.pack("HHHH", 50, columns, 0, 0)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, size)
        self.written = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self.written += os.read(self._ours, 4096)
            except OSError as error:
                # What Linux says once the last writer has closed it.
                if error.errno == errno.EIO:
                    return
                raise

    def close(self) -> bytes:
        """What was written, once every writer is gone."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self._reader.join(timeout=60)
            assert not self._reader.is_alive()
            os.close(self._ours)
        return bytes(self.written)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(100)
    yield made
    made.close()


def colourful(**more: str) -> Mapping[str, str]:
    return {"TERM": "xterm-256color", **more}


def test_the_table_of_mappings(pagemap: Pagemap, start: Start, terminal: Terminal) -> None:
    target = start(workloads.bash())
    process = pagemap.start("maps", target.pid, stdout=terminal.fd, env=colourful())
    assert process.communicate(timeout=120)[1] == b""
    assert process.returncode == 0
    written = terminal.close()
    assert re.match(rb"\x1b\[1m +START .*PATH\x1b\[0m", written)
    lines = ESCAPE.sub(b"", written).decode().splitlines()
    for line, mapping in zip(lines[1:-1], oracle.maps(target.pid), strict=True):
        assert len(line) <= 100
        assert line.split()[0] == hex(mapping.start)


def test_a_long_path_is_shortened_in_its_middle(
    pagemap: Pagemap, start: Start, terminal: Terminal
) -> None:
    target = start(workloads.file(4 * oracle.PAGE, b"begin-" + b"x" * 200 + b"-end"))
    pagemap.start("maps", target.pid, stdout=terminal.fd, env=colourful()).communicate(timeout=120)
    lines = ESCAPE.sub(b"", terminal.close()).decode().splitlines()
    (line, *_) = (line.rstrip() for line in lines if "x-end" in line)
    assert len(line) <= 100
    assert re.search(r" /\S+…x+-end$", line)


def comparable(table: bytes) -> list[str]:
    """The lines of a table, less what two tables of one target may differ in.

    That is the last column, which is shortened on terminals alone.
    """
    lines = ESCAPE.sub(b"", table).decode().replace("\r\n", "\n").splitlines()
    at = lines[0].index("PATH")
    return [" ".join(line[:at].split()) for line in lines]


def piped(pagemap: Pagemap, pid: int, written: bytes) -> bytes:
    """A table of the same columns where there is no terminal."""
    titles = ESCAPE.sub(b"", written.splitlines()[0]).decode().lower()
    return pagemap("maps", pid, "--columns", ",".join(titles.split())).out


def test_a_very_long_table_is_plain(pagemap: Pagemap, start: Start, terminal: Terminal) -> None:
    """To draw sixty thousand rows would take half a minute."""
    target = start(workloads.many(2000))
    pagemap.start("maps", target.pid, stdout=terminal.fd, env=colourful()).communicate(timeout=120)
    written = terminal.close()
    expected = piped(pagemap, target.pid, written)
    assert comparable(written) == comparable(expected)
    assert len(written.splitlines()) > 2000


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("ascii", rb"\u65e5\u672c\xe4"),
        ("latin-1", b"\\u65e5\\u672c\xe4"),
        ("utf8", "日本ä".encode()),
    ],
)
def test_a_terminal_that_lacks_letters(
    pagemap: Pagemap, start: Start, terminal: Terminal, encoding: str, name: bytes
) -> None:
    target = start(workloads.file(4 * oracle.PAGE, "日本ä".encode()))
    env = colourful(PYTHONIOENCODING=encoding, COLUMNS="400")
    process = pagemap.start("maps", target.pid, stdout=terminal.fd, env=env)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0
    lines = ESCAPE.sub(b"", terminal.close()).splitlines()
    assert sum(line.rstrip().endswith(b"/" + name) for line in lines) == 3
    assert len(lines) == len(oracle.maps(target.pid)) + 2  # the titles, and the totals


def test_the_header_is_bold(pagemap: Pagemap, terminal: Terminal) -> None:
    pagemap.start("maps", "self", stdout=terminal.fd, env=colourful()).communicate(timeout=120)
    assert terminal.close().startswith(b"\x1b[1m")


def test_no_colours_when_they_are_not_wanted(pagemap: Pagemap, terminal: Terminal) -> None:
    env = colourful(NO_COLOR="1")
    process = pagemap.start("doctor", stdout=terminal.fd, env=env)
    process.communicate(timeout=120)
    written = terminal.close()
    assert b"PAGEMAP_SCAN" in written
    assert not COLOUR.search(written)


@pytest.fixture
def without_rich(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a Python where rich is not installed."""
    (tmp_path / "rich.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return colourful(PYTHONPATH=path)


def test_tables_without_rich(
    pagemap: Pagemap, start: Start, terminal: Terminal, without_rich: Mapping[str, str]
) -> None:
    target = start(workloads.idle())
    process = pagemap.start("maps", target.pid, stdout=terminal.fd, env=without_rich)
    assert process.communicate(timeout=120)[1] == b""
    written = terminal.close()
    expected = piped(pagemap, target.pid, written)
    assert comparable(written) == comparable(expected)
    assert max(map(len, ESCAPE.sub(b"", written).decode().splitlines())) <= 100
    other = Terminal(100)
    pagemap.start("maps", target.pid, stdout=other.fd, env=colourful()).communicate(timeout=120)
    assert other.close() == written


class Slow:
    """A dump whose reader takes its time: the bar is due after a second."""

    def __init__(
        self, pagemap: Pagemap, target: workloads.Target, stderr: int, env: Mapping[str, str]
    ) -> None:
        arguments = ("dump", target.pid, "--format", "csv")
        with pagemap.start(*arguments, stderr=stderr, env=env) as process:
            assert process.stdout
            out = os.read(process.stdout.fileno(), 100)
            time.sleep(1.2)
            for _ in range(3):  # no bar is drawn more than ten times a second
                self.rows = process.stdout.read(1 << 20)
                time.sleep(0.11)
            while piece := process.stdout.read(1 << 20):
                self.rows = piece
            assert process.wait() == 0
        assert out.startswith(b"address,pfn,")


@pytest.fixture
def big(start: Start) -> workloads.Target:
    """A million pages."""
    return start(workloads.sparse())


def test_a_long_dump_has_a_progress_bar(
    pagemap: Pagemap, big: workloads.Target, terminal: Terminal
) -> None:
    Slow(pagemap, big, terminal.fd, colourful())
    written = terminal.close()
    shown = re.findall(rb"(\d+)/(\d+) pages", ESCAPE.sub(b"", written))
    assert len(shown) > 2
    done = [int(number) for number, _ in shown]
    assert done == sorted(done)
    assert done[-1] > done[0]
    # More than the reservation, and not by much: a C program has few other pages.
    totals = {int(total) for _, total in shown}
    assert len(totals) == 1
    assert big.first.pages <= totals.pop() < big.first.pages + 10_000
    assert COLOUR.search(written)
    # At its end the bar is wiped out.
    assert written.rstrip().endswith(b"\x1b[2K")


def test_a_signal_leaves_the_cursor_to_be_seen(
    pagemap: Pagemap, big: workloads.Target, terminal: Terminal
) -> None:
    arguments = ("dump", big.pid, "--format", "csv")
    with pagemap.start(*arguments, stderr=terminal.fd, env=colourful()) as process:
        assert process.stdout
        deadline = time.monotonic() + 60
        # The bar is due after a second, and comes between two pieces.
        while b" pages" not in terminal.written:
            assert process.stdout.read(1 << 20), "it ended, and there was no bar"
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.terminate()
        process.stdout.close()
        assert process.wait(60) == -signal.SIGTERM
    switches = re.findall(rb"\x1b\[\?25([hl])", terminal.close())
    assert switches
    assert switches[-1] == b"h"


def test_a_bar_without_colours(pagemap: Pagemap, big: workloads.Target, terminal: Terminal) -> None:
    Slow(pagemap, big, terminal.fd, colourful(NO_COLOR="1"))
    written = terminal.close()
    assert b" pages" in written
    assert not COLOUR.search(written)


def test_a_plain_bar_without_rich(
    pagemap: Pagemap,
    big: workloads.Target,
    terminal: Terminal,
    without_rich: Mapping[str, str],
) -> None:
    Slow(pagemap, big, terminal.fd, without_rich)
    written = terminal.close()
    assert not ESCAPE.search(written)
    drawn = written.rpartition(b"\n")[2]  # before it may stand that PFNs are hidden
    *lines, blank, after = drawn.decode().split("\r")[1:]
    assert len(lines) > 2
    shapes = [
        re.fullmatch(r"\[(#*) *\] +(\d+)/(\d+) pages (\d:\d\d:\d\d) *", line) for line in lines
    ]
    shown = [(len(each[1]), int(each[2]), int(each[3])) for each in shapes if each]
    assert len(shown) == len(lines)
    assert shown == sorted(shown)
    assert shown[-1][1] > shown[0][1]
    assert all(marks == 40 * done // total for marks, done, total in shown)
    assert {len(line) for line in lines} == {len(blank)}
    assert len(blank) < 100
    assert blank.strip() == after == ""


def test_no_bar_where_stderr_is_a_file(
    pagemap: Pagemap, big: workloads.Target, tmp_path: Path
) -> None:
    with (tmp_path / "stderr").open("wb") as file:
        Slow(pagemap, big, file.fileno(), colourful())
    assert b" pages" not in (tmp_path / "stderr").read_bytes()


def test_no_bar_for_a_short_dump(pagemap: Pagemap, start: Start, terminal: Terminal) -> None:
    target = start(workloads.idle())
    process = pagemap.start("dump", target.pid, stderr=terminal.fd, env=colourful())
    assert process.communicate(timeout=120)[0].startswith(HEADER)
    assert b"\x1b" not in terminal.close()


def test_no_bar_among_the_rows(pagemap: Pagemap, big: workloads.Target, terminal: Terminal) -> None:
    """Rows and bar on one terminal: the rows show well enough that it goes on."""
    with pagemap.start(
        "dump", big.pid, stdout=terminal.fd, stderr=terminal.fd, env=colourful()
    ) as process:
        time.sleep(1.3)
        process.kill()
    assert b"\x1b" not in terminal.close()
