"""Writes of another process: by a userfaultfd injected into it, and by its soft-dirty bits.

Each way that this kernel has tells the same of the same workload.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._native.writes import Writes
from tests import mappings, oracle, userfault, workloads
from tests.kernel_settings import Unavailable
from tests.live.as_nobody import as_nobody
from tests.mappings import PAGE
from tests.writer import Writer, found, writer

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = 64
WAYS = ("userfaultfd", "soft-dirty")


@pytest.fixture
def target() -> Iterator[Writer]:
    with writer(PAGES) as process:
        yield process


@contextlib.contextmanager
def tracking(pid: int, way: str) -> Iterator[pagemap.Tracker]:
    with pagemap.Process(pid) as process:
        try:
            tracker = pagemap.track(process, inject=way == "userfaultfd")
        except pagemap.Unsupported:
            pytest.skip(f"this kernel cannot track another process by {way}")
        with contextlib.closing(tracker):
            assert tracker.method == way
            tracker.collect()
            yield tracker


@pytest.mark.parametrize("way", WAYS)
def test_rounds(target: Writer, way: str) -> None:
    with tracking(target.pid, way) as tracker:
        target.do("write 3 4 5 17 63")
        for rows in (tracker.written, tracker.collect()):
            assert found(rows, target.start, PAGES) == [3, 4, 5, 17, 63]
            hows = {row.how for row in rows if row.mapping == target.start}
            assert hows == {"tracked"}
            assert (rows.about["pid"], rows.about["method"]) == (target.pid, way)
        target.do("write 9")
        assert found(tracker.collect(), target.start, PAGES) == [9]
        assert found(tracker.collect(), target.start, PAGES) == []
    assert userfault.count(target.pid) == 0
    assert "uw" not in mappings.flags_of(target.start, target.pid)


@pytest.mark.parametrize("way", WAYS)
def test_moved_replaced_and_unmapped(target: Writer, way: str) -> None:
    with tracking(target.pid, way) as tracker:
        moved = target.do("move")
        rows = tracker.collect()
        assert found(rows, moved, PAGES) == list(range(PAGES))
        assert {row.how for row in rows if row.mapping == moved} == {"new"}
        target.do("write 7")
        assert found(tracker.collect(), moved, PAGES) == [7]
        target.do("replace 1 2")
        assert found(tracker.collect(), moved, PAGES) == [1, 2]
        target.do("unmap")
        assert found(tracker.collect(), moved, PAGES) == []


def test_a_target_that_ends_in_the_midst(target: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks of a round: the kernel's ESRCH is an error of ours, as everywhere."""
    look = Writes.untracked

    def end_and_look(writes: Writes) -> bytes:
        os.kill(target.pid, signal.SIGKILL)
        os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)
        return look(writes)

    with tracking(target.pid, "userfaultfd") as tracker:
        monkeypatch.setattr(Writes, "untracked", end_and_look)
        with pytest.raises(pagemap.TargetVanished):
            tracker.collect()


@pytest.mark.parametrize("way", WAYS)
def test_a_child_of_the_target(target: Writer, way: str) -> None:
    """Its writes are not the target's."""
    with tracking(target.pid, way) as tracker:
        target.do("fork " + " ".join(map(str, range(PAGES))))
        target.do("write 11")
        assert found(tracker.collect(), target.start, PAGES) == [11]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("order", ["exit", "exec"])
def test_a_target_that_ends(target: Writer, way: str, order: str) -> None:
    with tracking(target.pid, way) as tracker:
        target.do("write 1")
        target.begin(order)
        if order == "exit":
            os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)
        else:
            comm = Path(f"/proc/{target.pid}/comm")
            workloads.wait_until(lambda: comm.read_text() == "sleep\n")
        for use in (tracker.collect, lambda: tracker.written):
            with pytest.raises(
                pagemap.TargetVanished, match="exited" if order == "exit" else "exec"
            ):
                use()


TRACKS = """
import sys, pagemap, signal
with pagemap.Process(int(sys.argv[1])) as process:
    tracker = pagemap.track(process, inject=sys.argv[2] == "userfaultfd")
    print("tracking", flush=True)
    while True:
        tracker.collect()
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_tracker_that_is_killed(target: Writer, way: str, number: int) -> None:
    """The target goes on as before, at whatever moment that happens."""
    for moment in (0.0, 0.003, 0.011):
        command = [sys.executable, "-c", TRACKS, str(target.pid), way]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tracker:
            assert tracker.stdout is not None
            assert tracker.stderr is not None
            if tracker.stdout.readline() != b"tracking\n":
                assert b"pagemap.Unsupported" in tracker.stderr.read()
                pytest.skip(f"this kernel cannot track another process by {way}")
            time.sleep(moment)
            tracker.send_signal(number)
            tracker.wait()
        workloads.wait_until(lambda: "T" not in states(target.pid))
        target.do("write 5")
        workloads.wait_until(lambda: "uw" not in mappings.flags_of(target.start, target.pid))
        assert userfault.count(target.pid) == 0


def states(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("way", WAYS)
def test_a_target_that_was_stopped(target: Writer, way: str) -> None:
    """It is stopped afterwards, too."""
    os.kill(target.pid, signal.SIGSTOP)
    workloads.wait_until(lambda: states(target.pid) == "T")
    with tracking(target.pid, way) as tracker:
        assert found(tracker.collect(), target.start, PAGES) == []
    assert states(target.pid) == "T"
    os.kill(target.pid, signal.SIGCONT)
    target.do("write 1")


def test_every_way_tells_the_same(target: Writer) -> None:
    """Of the same workload, at the same time."""
    with contextlib.ExitStack() as stack:
        trackers = [stack.enter_context(tracking(target.pid, way)) for way in WAYS]
        for orders in ("write 3 4 60", "replace 5 6", "write 0", "fork 1 2", "write 3"):
            target.do(orders)
            one, other = (found(each.collect(), target.start, PAGES) for each in trackers)
            assert one == other


def test_without_injection_it_says_what_to_do(target: Writer) -> None:
    if "soft_dirty" in oracle.told_here():
        pytest.skip("this kernel has soft-dirty bits")
    with pagemap.Process(target.pid) as process:
        with pytest.raises(pagemap.Unsupported, match=r"no soft-dirty bits.*injected") as caught:
            pagemap.track(process)
        assert caught.value.pid == target.pid


def test_as_nobody(need_root: None) -> None:
    """Of one's own processes, with no right."""

    def try_it() -> list[int]:
        with writer(PAGES) as target, pagemap.Process(target.pid) as process:
            with pagemap.track(process, inject=True) as tracker:
                target.do("write 3 8")
            return found(tracker.written, target.start, PAGES)

    try:
        assert as_nobody(try_it) == [3, 8]
    except pagemap.Unsupported as reason:
        pytest.skip(str(reason))


def test_of_others_it_is_denied(need_root: None, target: Writer) -> None:
    def try_it() -> None:
        with pagemap.Process(target.pid):
            raise AssertionError

    with pytest.raises(pagemap.AccessDenied):
        as_nobody(try_it)


def test_one_that_tracks_itself_is_refused() -> None:
    """Its own userfaultfd is in the way, whatever that is for."""
    ready, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            with userfault.marked(8 * PAGE, touch=8 * PAGE):
                os.write(told, b"y")
                signal.pause()
        except Unavailable:
            os.write(told, b"n")
        os._exit(0)
    try:
        if os.read(ready, 1) == b"n":
            pytest.skip("userfaultfd cannot be used here")
        with pagemap.Process(child) as process:
            with pytest.raises(pagemap.PagemapError, match="another userfaultfd") as caught:
                pagemap.track(process, inject=True)
            assert caught.value.errno == errno.EBUSY
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(told)


def test_inject_is_for_others() -> None:
    for where in (None, bytearray(5)):
        with pytest.raises(pagemap.UsageError, match="another process"):
            pagemap.track(where, inject=True)
    with (
        pagemap.Process("self") as process,
        pytest.raises(pagemap.UsageError, match="not for this"),
    ):
        pagemap.track(process, inject=True)


def test_two_trackers_of_one_process(target: Writer) -> None:
    """The second would take what the first is to find."""
    with tracking(target.pid, "userfaultfd") as tracker, pagemap.Process(target.pid) as process:
        with pytest.raises(pagemap.PagemapError, match="another userfaultfd"):
            pagemap.track(process, inject=True)
        target.do("write 2")
        assert found(tracker.collect(), target.start, PAGES) == [2]
