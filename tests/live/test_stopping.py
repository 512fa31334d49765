"""A process is stopped for a moment, and goes on in any case: also where its stopper is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._kernel.folder import Folder
from pagemap._kernel.stopping import stopped
from tests import workloads
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start

STOPS = """
import sys, time
from pagemap._kernel.folder import Folder
from pagemap._kernel.stopping import stopped
with stopped(Folder(int(sys.argv[1]), sys.argv[1], "/proc")):
    print("stopped", flush=True)
    time.sleep(60)
"""


def states(pid: int) -> set[str]:
    """The letters of the states of all threads."""
    return {
        path.read_text().rpartition(")")[2].split()[0]
        for path in Path(f"/proc/{pid}/task").glob("*/stat")
    }


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process with four threads, none of which ever waits."""
    code = (
        "import threading\n"
        "def spin():\n"
        "    while True: pass\n"
        "for _ in range(3): threading.Thread(target=spin, daemon=True).start()\n"
        "print(flush=True)\n"
        "spin()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def folder(pid: int) -> Folder:
    return Folder(pid, str(pid), "/proc")


def used(pid: int) -> int:
    """The processor time it has used, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_all_threads_rest(busy: subprocess.Popen[bytes]) -> None:
    assert len(list(Path(f"/proc/{busy.pid}/task").iterdir())) == 4
    with stopped(folder(busy.pid)):
        assert states(busy.pid) == {"T"}
        before = used(busy.pid)
        time.sleep(0.05)
        assert used(busy.pid) == before
    workloads.wait_until(lambda: used(busy.pid) > before)
    assert "T" not in states(busy.pid)


def test_what_rested_rests_on(busy: subprocess.Popen[bytes]) -> None:
    os.kill(busy.pid, signal.SIGSTOP)
    workloads.wait_until(lambda: states(busy.pid) == {"T"})
    with stopped(folder(busy.pid)):
        assert states(busy.pid) == {"T"}
    assert states(busy.pid) == {"T"}


def test_it_goes_on_after_an_error(busy: subprocess.Popen[bytes]) -> None:
    with pytest.raises(KeyboardInterrupt), stopped(folder(busy.pid)):
        raise KeyboardInterrupt
    workloads.wait_until(lambda: "T" not in states(busy.pid))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("whole_group", [False, True])
def test_it_goes_on_when_we_are_killed(
    busy: subprocess.Popen[bytes], number: int, whole_group: bool
) -> None:
    """By a child that is in no group of ours, and hears no signal."""
    command = [sys.executable, "-c", STOPS, str(busy.pid)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as stopper:
        assert stopper.stdout is not None
        assert stopper.stdout.readline() == b"stopped\n"
        assert states(busy.pid) == {"T"}
        if whole_group:
            os.killpg(stopper.pid, number)
        else:
            os.kill(stopper.pid, number)
        stopper.wait()
        # what is left of it ends as well: the pipe has no writer any more
        assert stopper.stdout.read() == b""
    workloads.wait_until(lambda: "T" not in states(busy.pid))
    before = used(busy.pid)
    workloads.wait_until(lambda: used(busy.pid) > before)


FORKED = """
import os, sys, time
from pagemap._kernel.folder import Folder
from pagemap._kernel.stopping import stopped
with stopped(Folder(int(sys.argv[1]), sys.argv[1], "/proc")):
    other = os.fork()
    if other:
        print(other, flush=True)
    time.sleep(60)
"""


def test_what_was_forked_meanwhile_keeps_nobody_stopped(busy: subprocess.Popen[bytes]) -> None:
    """A child of the one that is killed lives on, with all of its descriptors."""
    command = [sys.executable, "-c", FORKED, str(busy.pid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stopper:
        assert stopper.stdout is not None
        other = int(stopper.stdout.readline())
        try:
            assert states(busy.pid) == {"T"}
            stopper.kill()
            workloads.wait_until(lambda: "T" not in states(busy.pid))
        finally:
            os.kill(other, signal.SIGKILL)


def test_the_child_keeps_no_descriptor_of_ours(busy: subprocess.Popen[bytes]) -> None:
    """Else who reads from a pipe of ours would not see that we have closed it."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    known = children.read_text().split()
    ends = os.pipe()
    with stopped(folder(busy.pid)):
        (child,) = set(children.read_text().split()) - set(known)
        workloads.wait_until(lambda: len(os.listdir(f"/proc/{child}/fd")) == 3)
        os.close(ends[1])
        assert os.read(ends[0], 1) == b""
    os.close(ends[0])


def test_no_child_and_no_descriptor_is_left(busy: subprocess.Popen[bytes]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    where = folder(busy.pid)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    known = children.read_text()
    for _ in range(20):
        with stopped(where):
            assert len(children.read_text().split()) == len(known.split()) + 1
    assert children.read_text() == known
    where.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_gone(start: Start) -> None:
    target = start(workloads.idle())
    where = folder(target.pid)
    where.settle()
    target.kill()
    with pytest.raises(pagemap.TargetVanished), stopped(where):
        raise AssertionError


def test_others_may_not(need_root: None, start: Start) -> None:
    target = start(workloads.idle())

    def stop() -> None:
        with stopped(folder(target.pid)):
            raise AssertionError

    with pytest.raises(pagemap.AccessDenied, match="cannot stop process"):
        as_nobody(stop)
    assert "T" not in states(target.pid)
