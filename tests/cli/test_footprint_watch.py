"""`pagemap footprint --watch`: again and again, until somebody has seen enough."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from typing import TYPE_CHECKING

from tests import workloads
from tests.cli.test_terminal import Terminal, colourful
from tests.cli.test_terminal import terminal as a_terminal

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

terminal = a_terminal  # the fixture

CLEAR = b"\x1b[H\x1b[J"
SECONDS = "0.05"


def wait_for(happened: Callable[[], bool]) -> None:
    workloads.wait_until(happened, seconds=60)


def lines_until(process: subprocess.Popen[bytes], wanted: int, last: bytes) -> list[bytes]:
    """The lines up to the one that begins with `last` for the n-th time, where pids may be long."""
    assert process.stdout
    lines: list[bytes] = []
    while wanted:
        line = process.stdout.readline()
        assert line, lines
        lines.append(line)
        wanted -= line.lstrip().startswith(last)
    return lines


def test_one_table_below_another(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.idle())
    options = ("--watch", SECONDS, "--columns", "pid,rss")
    with pagemap.start("footprint", target.pid, *options) as process:
        lines = lines_until(process, 3, b"total")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 130
    tables = b"".join(lines).split(b"\n\n")
    assert len(tables) == 3
    for each in tables:
        time, head, row = each.split(b"\n")[:3]
        assert time.startswith(b"20")
        assert head.split() == [b"PID", b"RSS"]
        assert row.split()[0] == b"%d" % target.pid


def test_rows_again_and_again(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.idle())
    options = ("--watch", SECONDS, "--format", "jsonl", "--columns", "pid,rss")
    with pagemap.start("footprint", target.pid, *options) as process:
        lines = lines_until(process, 3, b"{")
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141
    rows = [json.loads(line) for line in lines]
    assert [row["pid"] for row in rows] == [target.pid] * 3
    assert len({row["time"] for row in rows}) == 3


def test_a_reader_that_leaves_between_two_rounds(pagemap: Pagemap) -> None:
    """It is noticed at once, not an hour later."""
    with pagemap.start("footprint", "self", "--watch", "3600") as process:
        lines_until(process, 1, b"total")
        assert process.stdout
        process.stdout.close()
        assert process.wait(timeout=60) == 141


def test_a_target_that_ends(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.idle())
    with pagemap.start("footprint", target.pid, "--watch", SECONDS) as process:
        lines_until(process, 1, b"total")
        target.kill()
        _, err = process.communicate(timeout=60)
        assert process.returncode == 75, "66 is of one that was never there"
    assert re.search(rf"process {target.pid}\b", err.decode())


def test_on_a_terminal(pagemap: Pagemap, start: Start, terminal: Terminal) -> None:
    """Each table in the place of the last, no longer than the screen."""
    target = start(workloads.python())
    arguments = ("footprint", target.pid, "--by", "mapping", "--watch", SECONDS)
    with pagemap.start(*arguments, stdout=terminal.fd, env=colourful()) as process:
        wait_for(lambda: terminal.written.count(CLEAR) >= 4)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 130
    screens = terminal.close().split(CLEAR)
    assert screens[0] == b""
    whole = screens[1].splitlines()
    assert whole[0].startswith(b"20")
    assert b"START" in whole[1]
    assert whole[-1].lstrip(b"\x1b[0m ").startswith(b"total")
    # the terminal has 50 lines; the process has more mappings
    assert 40 <= len(whole) < 50
    assert len(os.listdir(f"/proc/{target.pid}/map_files")) > 50


def test_interrupted_while_it_waits(pagemap: Pagemap) -> None:
    with pagemap.start("footprint", "self", "--watch", "3600") as process:
        lines_until(process, 1, b"total")
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 130


def test_who_is_left_out_is_said_once(pagemap: Pagemap, start: Start, unused_pid: int) -> None:
    """It was said when all was done, which a watch never is."""
    target = start(workloads.idle())
    options = ("--watch", SECONDS, "--columns", "pid,rss")
    with pagemap.start("footprint", target.pid, unused_pid, *options) as process:
        lines_until(process, 3, b"total")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert err.decode().count(f"there is no process {unused_pid} ") == 1
