"""Outputs that stop, close, fill up or wait, and targets that go away meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import looks, oracle, workloads
from tests.cli.conftest import HEADER, without_remarks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

FULL = "No space left on device"


def finish(process: subprocess.Popen[bytes]) -> tuple[int, list[str]]:
    """The exit code and the lines on stderr, once it has ended."""
    assert process.stderr
    err = process.stderr.read().decode().splitlines()
    return process.wait(timeout=60), without_remarks(err)


@pytest.fixture
def big(start: Start) -> workloads.Target:
    """A million pages: rows for far more than a pipe, and the command's buffers, can hold."""
    return start(workloads.sparse())


@pytest.mark.parametrize("form", ["text", "csv", "json", "jsonl"])
def test_stdout_closed_early(pagemap: Pagemap, big: workloads.Target, form: str) -> None:
    process = pagemap.start("dump", big.pid, "--format", form)
    with process:
        assert process.stdout
        assert os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert finish(process) == (141, [])


@pytest.mark.parametrize(
    "line", ["dump self", "maps self", "maps self --json", "doctor", "doctor --json", "--help"]
)
def test_stdout_closed_from_the_start(pagemap: Pagemap, line: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with pagemap.start(*line.split(), stdout=write) as process:
        os.close(write)
        assert finish(process) == (141, [])


@pytest.mark.parametrize(
    "line",
    ["dump self", "maps self", "maps self --json", "doctor", "--help", "--version", "maps --help"],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_stdout_on_a_full_disk(pagemap: Pagemap, line: str, unbuffered: str) -> None:
    env = {"PYTHONUNBUFFERED": unbuffered}
    with (
        Path("/dev/full").open("wb") as full,
        pagemap.start(*line.split(), stdout=full.fileno(), env=env) as process,
    ):
        code, err = finish(process)
    assert code == 1
    assert len(err) == 1
    assert err[0].startswith("pagemap: cannot write")
    assert err[0].endswith(FULL)


def test_an_error_that_is_not_of_stdout_is_not_told_as_one() -> None:
    """A descriptor that fails for another reason, in a place that nobody has thought of."""
    script = """
import errno, os, sys
from pagemap import _process as process
from pagemap._cli import main

def fail(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))

process.Process.maps_blocks = fail
sys.exit(main(["maps", "self", "--columns", "start"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pagemap: Input/output error\n"


@pytest.mark.parametrize("line", ["dump self", "maps self", "doctor --json"])
def test_no_stdout_at_all(pagemap: Pagemap, line: str) -> None:
    closed = ("bash", "-c", 'exec "$@" >&-', "bash")
    with pagemap.start(*line.split(), prefix=closed) as process:
        said = ["pagemap: cannot write to standard output: it is closed"]
        assert finish(process) == (1, said)


@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full"])
def test_no_stderr(pagemap: Pagemap, unused_pid: int, how: str) -> None:
    """Nobody hears the reason, but the code is right and stdout is clean."""
    prefix = ("bash", "-c", f'exec "$@" {how}', "bash")
    for line, code in ((f"dump {unused_pid}", 66), ("dump", 2), ("", 2)):
        process = pagemap.start(*line.split(), prefix=prefix)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out, err) == (code, b"", b"")


def test_a_stderr_that_does_not_wait(pagemap: Pagemap, unused_pid: int) -> None:
    """A full pipe to which somebody set O_NONBLOCK: the code is right all the same."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with open(read, "rb"), open(write, "wb", buffering=0) as pipe:
        for size in (1 << 16, 1):
            while pipe.write(bytes(size)) is not None:
                pass
        process = pagemap.start("dump", unused_pid, stderr=write)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (66, b"")


def test_a_pipe_that_does_not_wait(pagemap: Pagemap, start: Start) -> None:
    """Another process that shares our stdout may have set O_NONBLOCK."""
    target = start(workloads.sparse(1 << 29, 16 * oracle.PAGE))
    target.stop()

    def look() -> tuple[bytes, bytes]:
        read, write = os.pipe()
        os.set_blocking(write, False)
        with pagemap.start("dump", target.pid, stdout=write) as process:
            os.close(write)
            time.sleep(0.2)  # until it has met a full pipe
            with os.fdopen(read, "rb") as pipe:
                written = pipe.read()
            assert finish(process)[0] == 0
        return written, pagemap("dump", target.pid).out

    looks.agreed(look)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Where SIGINT is ignored, as by a shell for what it starts with &, so it is in each child."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt(pagemap: Pagemap, big: workloads.Target) -> None:
    with pagemap.start("dump", big.pid) as process:
        assert process.stdout
        # In the midst of its work, all imports done: one that is interrupted leaves its file open,
        # and warnings are errors here.
        assert len(process.stdout.read(6 << 20)) == 6 << 20
        process.send_signal(signal.SIGINT)
        assert finish(process) == (130, [])


@pytest.mark.parametrize(("how", "word"), [("x", "exited"), ("e", "exec")])
def test_a_target_that_goes_away_midway(
    pagemap: Pagemap, big: workloads.Target, how: str, word: str
) -> None:
    area = big.first
    with pagemap.start("dump", big.pid) as process:
        assert process.stdout
        out = os.read(process.stdout.fileno(), len(HEADER))
        big.tell(how)
        # Its address space is gone when the command that ended it has been obeyed.
        workloads.wait_until(lambda: not has_mapping(big.pid, area.start))
        out += process.stdout.read()
        code, err = finish(process)
    assert code == 75
    assert len(err) == 1
    assert f"process {big.pid} " in err[0]
    assert word in err[0]
    assert out.startswith(HEADER)
    # Whole rows, each of a page that the target had, in order.
    rows = [line.split(b" ", 6) for line in out.removesuffix(b"\n").split(b"\n")[1:]]
    assert all(len(row) == 7 for row in rows)
    addresses = [int(row[0], 16) for row in rows]
    assert addresses == sorted(set(addresses))
    assert len(addresses) < area.pages


def has_mapping(pid: int, address: int) -> bool:
    try:
        return any(line.start <= address < line.end for line in oracle.maps(pid))
    except (FileNotFoundError, ProcessLookupError):
        return False
