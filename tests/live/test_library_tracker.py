"""The tracker of the C library, of memory of this process: what is found is what was done."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import select
import socket
from typing import TYPE_CHECKING

import pytest

from pagemap._core import ffi, lib
from tests import kernel_settings, mappings, userfault
from tests.held_process import PAGE, opened
from tests.held_tracker import PAGES, Tracker, tracked
from tests.userfault import address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGEOUT, DONTNEED, HUGE = 21, 4, 14
TRACKED, NEW, GONE = lib.PM_WRITTEN_TRACKED, lib.PM_WRITTEN_NEW, lib.PM_WRITTEN_GONE
UNTOUCHED = lib.PM_TRACKER_UNTOUCHED


@contextlib.contextmanager
def memory(*, shared: bool, size: int = PAGES * PAGE) -> Iterator[int]:
    """Memory, of which the first eight pages are written; without huge pages."""
    fd = os.memfd_create("guest") if shared else -1
    try:
        if shared:
            os.truncate(fd, size)
        flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        with mmap.mmap(fd, size, flags) as area:
            area.madvise(15)  # MADV_NOHUGEPAGE
            start = address_of(area)
            mappings.write(start, range(8))
            yield start
    finally:
        if shared:
            os.close(fd)


@pytest.fixture(scope="module", autouse=True)
def swap() -> Iterator[None]:
    """Where it can be had; without, pages leave the page table all the same if they are shared."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(kernel_settings.Unavailable):
            stack.enter_context(kernel_settings.zram_swap(64 << 20))
        yield


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("flags", [0, UNTOUCHED])
def test_what_was_done_is_found(flags: int, *, shared: bool) -> None:
    with memory(shared=shared) as start, tracked(start, flags=flags) as tracker:
        assert tracker.found() == {}
        mappings.write(start, [3, 20, 22])
        mappings.read(start, [5])
        for _ in range(2):
            assert tracker.found(flags=lib.PM_TRACK_PEEK) == dict.fromkeys([3, 20, 22], TRACKED)
        assert tracker.found(capacity=1) == dict.fromkeys([3, 20, 22], TRACKED)
        assert tracker.found() == {}
        # written, and put in swap: of shared memory no entry is left
        mappings.write(start, [5, 6])
        mappings.advise(start, 8, PAGEOUT)
        assert tracker.found(capacity=1) == dict.fromkeys([5, 6], GONE if shared else TRACKED)
        mappings.read(start, range(8))
        assert tracker.found() == {}
        mappings.write(start, [6])
        assert tracker.found() == {6: TRACKED}


@pytest.mark.parametrize("shared", [False, True])
def test_a_page_that_comes_and_goes_in_a_round(*, shared: bool) -> None:
    with memory(shared=shared) as start, tracked(start, flags=UNTOUCHED) as tracker:
        mappings.write(start, [40, 41])
        mappings.advise(start + 40 * PAGE, 2, PAGEOUT)
        mappings.read(start, [30])
        assert tracker.found() == dict.fromkeys([40, 41], GONE if shared else TRACKED)
        if not shared:
            mappings.advise(start + 4 * PAGE, 2, DONTNEED)
            assert tracker.found() == dict.fromkeys([4, 5], GONE)
        assert tracker.found() == {}


@pytest.mark.parametrize("flags", [0, UNTOUCHED])
def test_another_mapping_in_its_place(flags: int) -> None:
    with memory(shared=True) as start, tracked(start, flags=flags) as tracker:
        mappings.map_at(start + 4 * PAGE, 8)
        mappings.write(start, [6])
        new = dict.fromkeys(range(4, 12) if flags else [6], NEW)
        assert tracker.found(flags=lib.PM_TRACK_PEEK) == new
        assert tracker.found() == new
        mappings.write(start, [1, 9])
        assert tracker.found() == dict.fromkeys([1, 9], TRACKED)
        mappings.unmap(start + 4 * PAGE, 8)
        assert tracker.found() == {}


@pytest.mark.parametrize("flags", [0, UNTOUCHED])
def test_huge_pages(flags: int) -> None:
    """Of hugetlb a span within a page of it means the whole; a transparent one is split."""
    with contextlib.ExitStack() as stack:
        try:
            size = stack.enter_context(kernel_settings.transparent_huge_pages())
            stack.enter_context(kernel_settings.huge_pages(2))
        except kernel_settings.Unavailable as reason:
            pytest.skip(str(reason))
        each = size // PAGE
        kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        area = stack.enter_context(mmap.mmap(-1, 2 * size, kind | 0x40000))  # MAP_HUGETLB
        start = address_of(area)
        mappings.write(start, [0])
        with tracked(start + PAGE, each - 2, flags=flags) as tracker:
            assert tracker.found() == {}
            mappings.write(start, [9])
            assert tracker.found() == dict.fromkeys(range(-1, each - 1), TRACKED)
        area = stack.enter_context(mmap.mmap(-1, 3 * size, kind))
        area.madvise(HUGE)
        start = -(-address_of(area) // size) * size
        mappings.write(start, [0])
        with tracked(start, each, flags=flags) as tracker:
            mappings.write(start, [9])
            assert tracker.found() == {9: TRACKED}


def test_others_have_it_and_a_child_leaves_it() -> None:
    with memory(shared=False) as start, tracked(start) as tracker, opened(os.getpid()) as process:
        assert Tracker(start + PAGE, 1).open(process) == -errno.EBUSY
        child = os.fork()
        if not child:
            cursor, out = ffi.new("struct pm_tracker_cursor *"), ffi.new("struct pm_region *")
            got = lib.pm_tracker_collect(tracker.out[0], cursor, 0, out, 1)
            lib.pm_tracker_close(tracker.out[0])
            os._exit(0 if got == -errno.ECHILD else 1)
        assert os.waitpid(child, 0)[1] == 0
        mappings.write(start, [7])
        assert tracker.found() == {7: TRACKED}


def test_a_userfaultfd_of_the_callers() -> None:
    """It is closed with the tracker; one that cannot track is refused, and stays theirs."""
    with memory(shared=False) as start, opened(os.getpid()) as process:
        with tracked(start):
            pass  # this kernel can
        with userfault.opened(1 << 15) as agreed:
            tracker = Tracker(start, fd=os.dup(agreed))
            assert tracker.open(process) == 0
            mappings.write(start, [2])
            assert tracker.found() == {2: TRACKED}
            lib.pm_tracker_close(tracker.out[0])
            with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
                os.fstat(tracker.fd)
            with tracked(start):
                pass  # it was let go, though the file is open
        with userfault.opened(1) as waits:  # protected pages, and somebody has to answer
            assert Tracker(start, fd=waits).open(process) == -errno.EINVAL
            mappings.write(start, [2])
        with open(os.devnull) as none:
            assert Tracker(start, fd=none.fileno()).open(process) == -errno.EINVAL


@contextlib.contextmanager
def from_another() -> Iterator[int]:
    """A userfaultfd of a child, which has no mappings that were made meanwhile."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if not child:
            with userfault.opened(1 << 15) as fd:
                socket.send_fds(theirs, [b"x"], [fd])
                ours.close()
                theirs.recv(1)
            os._exit(0)
        try:
            (fd,) = socket.recv_fds(ours, 1, 1)[1]
            yield fd
            os.close(fd)
        finally:
            ours.send(b"x")
            os.waitpid(child, 0)


def test_the_words_for_what_is_no_argument() -> None:
    """They named neither spans nor a userfaultfd, which the tracker answers so."""
    words = ffi.string(lib.pm_strerror(-errno.EINVAL)).decode()
    assert "spans that are none, empty or out of order" in words
    assert "a userfaultfd that is none of the process" in words


def test_what_is_no_userfaultfd_of_the_process() -> None:
    """It answers as one that was agreed upon, or was made by a process without such a mapping."""
    with memory(shared=False) as first, tracked(first):
        pass  # this kernel can
    with from_another() as others, memory(shared=False) as start, opened(os.getpid()) as process:
        assert Tracker(start, fd=others).open(process) == -errno.EINVAL
        with open("/proc/self/pagemap", "rb") as pages, select.epoll() as poll:
            unmapped = mappings.reserved(PAGES)
            mappings.unmap(unmapped, PAGES)
            for fd in (pages.fileno(), poll.fileno()):
                for where in (start, unmapped):
                    assert Tracker(where, fd=fd).open(process) == -errno.EINVAL


@pytest.mark.parametrize("flags", [0, UNTOUCHED])
def test_memory_that_a_userfaultfd_of_the_callers_cannot_track(flags: int) -> None:
    """It is mapped later, so nothing could be tried by it. Nobody waits for an answer."""
    with memory(shared=False) as first, tracked(first):
        pass  # this kernel can
    start = mappings.reserved(PAGES)
    mappings.unmap(start, PAGES)
    with opened(os.getpid()) as process, userfault.opened(1) as waits:
        tracker = Tracker(start, flags=flags, fd=os.dup(waits))
        assert tracker.open(process) == 0
        mappings.map_at(start, PAGES)
        for _ in range(2):
            mappings.write(start, [3])
            assert tracker.found() == {3: lib.PM_WRITTEN_UNTRACKED}
        lib.pm_tracker_close(tracker.out[0])
    mappings.unmap(start, PAGES)


def test_memory_that_there_is_not() -> None:
    with opened(os.getpid()) as process:
        ffi.errno = errno.EXDEV
        assert Tracker(PAGE, (1 << 52) - 2).open(process) == -errno.ENOMEM
        assert ffi.errno == errno.EXDEV
