"""Writes are tracked while mappings come, go and move, and while others track or fork."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import resource
import signal
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._native import userfaultfd
from tests import mappings, oracle, userfault
from tests.kernel_settings import Unavailable
from tests.mappings import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

CHURN = 1.0  # seconds
DONTDUMP = 16


pytestmark = pytest.mark.usefixtures("need_own_tracking")


@pytest.fixture
def marked() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def rows_in(
    rows: pagemap.Table[pagemap.WrittenRow], start: int, pages: int
) -> list[tuple[int, int, str]]:
    """The number of the first page, how many they are, and how that is known."""
    return [
        ((row.start - start) // PAGE, row.pages, row.how)
        for row in rows
        if start <= row.start < start + pages * PAGE
    ]


def test_a_neighbour_that_grows_before_the_first_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading maps took memory just beside a buffer, which was not tracked: all of it counted."""
    start = mappings.alone(8)
    mappings.unmap(start + 4 * PAGE, 4)
    register = userfaultfd.register
    grown: list[object] = []

    def beside(*arguments: Any) -> list[int]:
        if len(grown) < 2:
            mappings.map_at(start + (4 + 2 * len(grown)) * PAGE, 2)  # joins what is before it
            grown.append(arguments)
        return register(*arguments)

    monkeypatch.setattr(userfaultfd, "register", beside)
    with pagemap.track((start, start + 4 * PAGE)) as tracker:
        mappings.write(start, [2])
    assert rows_in(tracker.written, start, 8) == [(2, 1, "tracked")]
    assert len(grown) == 2
    mappings.free(start, 8)


def test_moved_replaced_and_gone() -> None:
    """What mremap moved is tracked no more, nor is another mapping in the same place."""
    moving, replaced, gone = mappings.alone(16), mappings.alone(16), mappings.alone(16)
    with pagemap.track() as tracker:
        tracker.collect()
        moved = mappings.moved(moving, 16)
        mappings.unmap(replaced, 16)
        mappings.map_at(replaced, 16)
        mappings.write(replaced, [5])
        mappings.write(gone, range(16))
        mappings.unmap(gone, 16)
        rows = tracker.collect()
        assert rows_in(rows, moved, 16) == [(0, 16, "new")]
        assert rows_in(rows, replaced, 16) == [(5, 1, "new")]
        assert rows_in(rows, gone, 16) == []
        rows = tracker.collect()
        assert rows_in(rows, moved, 16) == rows_in(rows, replaced, 16) == []
        mappings.write(moved, [3])
        mappings.write(replaced, [4])
        rows = tracker.collect()
        assert rows_in(rows, moved, 16) == [(3, 1, "tracked")]
        assert rows_in(rows, replaced, 16) == [(4, 1, "tracked")]
    mappings.unmap(moved, 16)
    for start in (moving, replaced, gone):
        mappings.free(start, 16)


def test_memory_that_grows_in_place() -> None:
    """The kernel takes what was added into the tracked mapping: it is tracked, and not lost."""
    start = mappings.reserved(64)
    mappings.map_at(start, 8)
    mappings.write(start, range(8))
    mappings.unmap(start + 8 * PAGE, 56)
    with pagemap.track() as tracker:
        mappings.grown(start, 8, 32)
        mappings.write(start, [20])
        for rows in (tracker.written, tracker.collect()):
            assert [each[:2] for each in rows_in(rows, start, 32)] == [(20, 1)]
        assert rows_in(tracker.collect(), start, 32) == []
    mappings.unmap(start, 32)


def test_memory_that_is_split_and_dropped() -> None:
    """What mprotect splits stays tracked; what was given back is there no more."""
    start = mappings.alone(32)
    with pagemap.track() as tracker:
        tracker.collect()
        mappings.write(start, [1, 2, 20])
        mappings.unmap(start + 8 * PAGE, 4)
        mappings.drop(start + 2 * PAGE, 1)
        found = [each[:2] for each in rows_in(tracker.collect(), start, 32)]
        assert found == [(1, 1), (20, 1)]
        mappings.write(start, [2])
        assert [each[:2] for each in rows_in(tracker.collect(), start, 32)] == [(2, 1)]
    mappings.free(start, 32)


def test_memory_that_is_split_as_a_round_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be registered in that round: what was there is known in the next all the same."""
    start = mappings.alone(32)
    register = userfaultfd.register
    splits = [20]

    def split(*arguments: Any) -> list[int]:
        while splits:
            mappings.advise(start + splits.pop() * PAGE, 1, DONTDUMP)
        return register(*arguments)

    with pagemap.track((start, start + 32 * PAGE)) as tracker:
        mappings.advise(start + 4 * PAGE, 1, DONTDUMP)
        monkeypatch.setattr(userfaultfd, "register", split)
        assert (5, 27, "untracked") in rows_in(tracker.collect(), start, 32)
        tracker.collect()
        mappings.drop(start + 12 * PAGE, 1)
        mappings.read(start, [12])
        assert rows_in(tracker.written, start, 32) == [(12, 1, "tracked")]
    mappings.free(start, 32)


def churn(stop: threading.Event, failed: list[OSError]) -> None:
    """Map, write, move and unmap memory of all sizes, as allocators do."""
    try:
        while not stop.is_set():
            pages = random.randint(1, 40)
            start = mappings.alone(pages)
            moved = mappings.moved(start, pages)
            mappings.write(moved, range(pages))
            mappings.unmap(moved, pages)
            for guard in (start - PAGE, start + pages * PAGE):  # what is between may be another's
                mappings.unmap(guard, 1)
    except OSError as error:
        failed.append(error)


def test_mappings_that_change_while_they_are_registered() -> None:
    """A mapping was split where another of other bounds had been: mremap of it then failed."""
    stop = threading.Event()
    failed: list[OSError] = []
    threads = [threading.Thread(target=churn, args=(stop, failed)) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with pagemap.track() as tracker:
            end = time.monotonic() + CHURN
            while time.monotonic() < end and not failed:
                tracker.collect()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failed and not maps_tell_one_mapping():
        pytest.skip("needs PROCMAP_QUERY (Linux 6.11)")
    assert failed == []


def maps_tell_one_mapping() -> bool:
    """Whether the kernel has PROCMAP_QUERY (include/uapi/linux/fs.h)."""
    argument = bytearray(struct.pack("=3Q", 104, 0x10, 0) + bytes(80))  # the next mapping from 0
    with open("/proc/self/maps", "rb") as file:
        try:
            fcntl.ioctl(file, 0xC0686611, argument)
        except OSError:
            return False
    return True


def test_a_fork_in_between() -> None:
    """The child's writes are its own; and it does not keep the tracking alive."""
    start = mappings.alone(16)
    with pagemap.track((start, start + 16 * PAGE)) as tracker:
        ready, told = os.pipe()
        child = os.fork()
        if not child:
            mappings.write(start, range(16))
            os.write(told, b"x")
            signal.pause()
            os._exit(0)
        try:
            assert os.read(ready, 1) == b"x"
            assert rows_in(tracker.written, start, 16) == []
            mappings.write(start, [4])
            assert rows_in(tracker.collect(), start, 16) == [(4, 1, "tracked")]
            tracker.close()
            assert mappings.flags_of(start).isdisjoint({"uw", "um", "ui"})
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(ready)
            os.close(told)
    mappings.free(start, 16)


def test_in_a_child_of_fork() -> None:
    """It would show the parent's writes."""
    start = mappings.alone(16)
    with pagemap.track((start, start + PAGE)) as tracker:
        child = os.fork()
        if not child:
            try:
                tracker.collect()
            except pagemap.ClosedProcess:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        mappings.write(start, [0])
        assert rows_in(tracker.written, start, 16) == [(0, 1, "tracked")]
    mappings.free(start, 16)


def test_anothers_tracking_is_refused(marked: contextlib.ExitStack) -> None:
    try:
        start, end = marked.enter_context(userfault.marked(8 * PAGE, touch=8 * PAGE))
    except Unavailable as reason:
        pytest.skip(str(reason))
    for where in (None, (start, end)):
        with pytest.raises(pagemap.PagemapError, match="another userfaultfd") as caught:
            pagemap.track(where)
        assert caught.value.errno == errno.EBUSY
        assert f"{start:#x}" in str(caught.value)
        # an error that is kept keeps nothing open: there is the other's alone
        assert userfault.count() == 1
    assert "uw" in mappings.flags_of(start)


def test_anothers_tracking_that_comes_later(marked: contextlib.ExitStack) -> None:
    """Its marks stay as they are: what is there counts as written."""
    with pagemap.track() as tracker:
        tracker.collect()
        try:
            start, end = marked.enter_context(userfault.marked(8 * PAGE, touch=4 * PAGE))
        except Unavailable as reason:
            pytest.skip(str(reason))
        protected = oracle.entries(os.getpid(), start, end)
        assert all(entry >> 57 & 1 for entry in protected)
        for rows in (tracker.collect(), tracker.collect(), tracker.written):
            assert {how for _, _, how in rows_in(rows, start, 8)} == {"untracked"}
        assert oracle.entries(os.getpid(), start, end) == protected


def test_another_tracker_of_what_is_mapped_anew() -> None:
    """With the same bounds as before: the first took the writes for its own, and both had less."""
    start = mappings.alone(16)
    where = start, start + 16 * PAGE
    mappings.write(start, range(16))
    with pagemap.track(where) as first:
        mappings.map_at(start, 16)
        mappings.write(start, range(16))
        with pagemap.track(where) as second:
            mappings.write(start, [3, 4])
            assert rows_in(first.written, start, 16) == [(0, 16, "untracked")]
            assert rows_in(first.collect(), start, 16) == [(0, 16, "untracked")]
            assert rows_in(second.collect(), start, 16) == [(3, 2, "tracked")]
            assert not rows_in(second.collect(), start, 16)
    mappings.free(start, 16)


def test_no_descriptor_left() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    data = bytearray(PAGE)
    failed = []
    for free in range(12):
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + free, hard))
        try:
            failed.append(_tried(data))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert failed[0] == errno.EMFILE
    assert failed[-1] is None, "more descriptors than it can need were not enough"
    assert set(failed) == {errno.EMFILE, None}


def _tried(data: bytearray) -> int | None:
    """The errno of the error of tracking it."""
    try:
        pagemap.track(data).close()
    except pagemap.PagemapError as error:
        return error.errno
    return None
