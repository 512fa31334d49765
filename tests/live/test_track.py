"""Writes of this process, tracked: the pages that were written, and no others.

What was written, the test knows, because it wrote it.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import mappings
from tests.live.as_nobody import as_nobody
from tests.userfault import address_of
from tests.writer import found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = mmap.PAGESIZE
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


pytestmark = pytest.mark.usefixtures("need_own_tracking")


@contextlib.contextmanager
def memory(pages: int, *, flags: int = PRIVATE, fd: int = -1) -> Iterator[mmap.mmap]:
    """Memory without huge pages, for a page to be a page."""
    with mmap.mmap(fd, pages * PAGE, flags=flags) as area:
        area.madvise(mmap.MADV_NOHUGEPAGE)
        yield area


def write(area: mmap.mmap, pages: Sequence[int]) -> None:
    for page in pages:
        area[page * PAGE + 7] = 1 + page % 250


def pages_of(rows: pagemap.Table[pagemap.WrittenRow], area: mmap.mmap) -> list[int]:
    """The pages of `area` in these rows, by number."""
    return found(rows, address_of(area), len(area) // PAGE)


def known_pages() -> tuple[list[int], list[int]]:
    with memory(400) as area:
        write(area, range(300))
        wanted = sorted(random.sample(range(400), 100))
        with pagemap.track(area) as tracker:
            write(area, wanted)
        rows = tracker.written
        assert sum(row.pages for row in rows) == 100, "pages of others"
        return pages_of(rows, area), wanted


def test_a_hundred_known_pages() -> None:
    found, wanted = known_pages()
    assert found == wanted


def test_a_hundred_known_pages_as_nobody(need_root: None) -> None:
    sysctl = Path("/proc/sys/vm/unprivileged_userfaultfd")
    if sysctl.read_text() != "0\n":
        pytest.skip("needs vm.unprivileged_userfaultfd=0")
    found, wanted = as_nobody(known_pages)
    assert found == wanted


def test_rounds() -> None:
    """What was collected is written no more; what is only looked at stays."""
    with memory(64) as area, pagemap.track(area) as tracker:
        assert tracker.method == "userfaultfd"
        assert pages_of(tracker.written, area) == []
        write(area, [1, 5, 6])
        for _ in range(2):
            assert pages_of(tracker.written, area) == [1, 5, 6]
        first = tracker.collect()
        assert [(row.start, row.size, row.pages) for row in first] == [
            (address_of(area) + page * PAGE, pages * PAGE, pages)
            for page, pages in ((1, 1), (5, 2))
        ]
        assert pages_of(tracker.collect(), area) == []
        write(area, [5])
        assert pages_of(tracker.collect(), area) == [5]


def test_rows_say_where_and_how(tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.write_bytes(b"x" * 8 * PAGE)
    fd = os.open(path, os.O_RDWR)
    try:
        with memory(8, flags=mmap.MAP_PRIVATE, fd=fd) as area, pagemap.track(area) as tracker:
            area[3 * PAGE] = 1
            (row,) = tracker.written
            assert row[3:] == (
                PAGE,
                1,
                "tracked",
                "rw-p",
                address_of(area),
                str(path),
            )
            assert tracker.written.about["method"] == "userfaultfd"
            assert "pinned" in str(tracker.written.about["unseen"])
    finally:
        os.close(fd)


def test_what_is_read_is_not_written(tmp_path: Path) -> None:
    """Pages of zeros, and of a private file, that are there since: a write copies them first."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 16 * PAGE)
    fd = os.open(path, os.O_RDONLY)
    try:
        with memory(16) as zeros, memory(16, flags=mmap.MAP_PRIVATE, fd=fd) as private:
            assert zeros[2 * PAGE] == 0
            assert private[2 * PAGE] == ord("x")
            for area in (zeros, private):
                with pagemap.track(area) as tracker:
                    assert bytes(area[:: 2 * PAGE])
                    assert pages_of(tracker.collect(), area) == []
                    write(area, [2, 3, 4])
                    assert pages_of(tracker.collect(), area) == [2, 3, 4]
    finally:
        os.close(fd)


@pytest.mark.parametrize("flags", [PRIVATE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS])
def test_the_kernels_own_writes(flags: int) -> None:
    """`read` into a buffer, and a write to /proc/self/mem."""
    with memory(8, flags=flags) as area:
        write(area, range(8))
        with pagemap.track(area) as tracker, open("/dev/zero", "rb", buffering=0) as zeros:
            assert zeros.readinto(memoryview(area)[4 * PAGE : 4 * PAGE + 9]) == 9
            with open("/proc/self/mem", "r+b", buffering=0) as file:
                file.seek(address_of(area) + 6 * PAGE)
                file.write(b"y")
            assert pages_of(tracker.written, area) == [4, 6]


def test_a_pid_is_no_memory() -> None:
    with pytest.raises(TypeError, match=r"pagemap\.Process\(5\)"):
        pagemap.track(5)  # type: ignore[arg-type]


def test_a_range_is_kept_to() -> None:
    with memory(32) as area:
        write(area, range(32))
        start = address_of(area)
        where = start + 8 * PAGE + 1, start + 12 * PAGE - 1
        with pagemap.track(where) as tracker:
            write(area, range(32))
        assert pages_of(tracker.written, area) == [8, 9, 10, 11]


def test_a_buffer_has_the_pages_it_lies_in() -> None:
    with memory(8) as area:
        write(area, range(8))
        view = memoryview(area)[2 * PAGE + 100 : 3 * PAGE + 1]
        with pagemap.track(view) as tracker:
            write(area, range(8))
        assert pages_of(tracker.written, area) == [2, 3]
        view.release()  # it was given back


def test_a_tracked_buffer_does_not_move() -> None:
    data = bytearray(3 * PAGE)
    with pagemap.track(data), pytest.raises(BufferError):
        data.extend(b"x" * PAGE)
    data.extend(b"x")


def test_a_buffer_that_cannot_be_tracked_is_given_back() -> None:
    """The error has the frames of the call, which held it as long as somebody kept that."""
    data = bytearray(3 * PAGE)
    with pagemap.track(data), pytest.raises(pagemap.PagemapError) as busy:
        pagemap.track(data)
    data.extend(b"x")
    view = memoryview(data)[::2]
    with pytest.raises(BufferError) as refused:
        pagemap.track(view)
    view.release()
    assert busy.value.errno == errno.EBUSY
    assert "contiguous" in str(refused.value)


def test_the_whole_process() -> None:
    """What is new, and what was moved, counts whole; what was there counts by its writes."""
    with contextlib.ExitStack() as stack:
        area = stack.enter_context(memory(64))
        write(area, range(64))
        with pagemap.track() as tracker:
            tracker.collect()
            write(area, [9, 33])
            new = stack.enter_context(memory(32))
            write(new, [3, 4, 5])
            rows = tracker.collect()
            assert pages_of(rows, area) == [9, 33]
            assert pages_of(rows, new) == [3, 4, 5]
            how = {row.start: row.how for row in rows}
            assert how[address_of(area) + 9 * PAGE] == "tracked"
            assert how[address_of(new) + 3 * PAGE] == "new"
            write(new, [6])
            rows = tracker.collect()
            assert pages_of(rows, new) == [6]
            assert pages_of(rows, area) == []


def test_nothing_is_left() -> None:
    with memory(16) as area:
        write(area, range(16))
        before = len(os.listdir("/proc/self/fd"))
        with pagemap.track(area) as tracker:
            assert "uw" in mappings.flags_of(address_of(area))
        assert "uw" not in mappings.flags_of(address_of(area))
        assert len(os.listdir("/proc/self/fd")) == before
        assert repr(tracker) == f"<Tracker of process {os.getpid()}: closed>"
        for use in (tracker.collect, tracker.__enter__):
            with pytest.raises(pagemap.ClosedProcess):
                use()
        tracker.close()
        assert pages_of(tracker.written, area) == []  # what the last round has seen stays


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: pagemap.track(b""), pagemap.UsageError, "empty"),
        (lambda: pagemap.track(memoryview(bytearray(64))[::2]), BufferError, "not contiguous"),
        (lambda: pagemap.track("text"), TypeError, "where must be an object with the buff"),
        (lambda: pagemap.track((5, 5)), pagemap.UsageError, "START must be below END"),
    ],
)
def test_what_cannot_be_tracked(
    make: Callable[[], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        make()


def test_by_mapping() -> None:
    start = mappings.alone(16)
    with pagemap.track() as tracker:
        tracker.collect()
        mappings.write(start, [3, 4, 9])
        written = tracker.collect()
        (row,) = [row for row in tracker.by_mapping(written) if row.start == start]
        assert row[1:] == (
            start,
            start + 16 * PAGE,
            "rw-p",
            16 * PAGE,
            16 * PAGE,
            3 * PAGE,
            3 / 16,
            0,
            0,
            0,
            "",
        )
        total = tracker.by_mapping(written).total().written
        assert total == written.total().size
    mappings.free(start, 16)


def test_the_method_is_known_afterwards() -> None:
    with pagemap.track() as tracker:
        method = tracker.method
    assert tracker.method == method


def test_a_number_is_no_process() -> None:
    with pytest.raises(TypeError, match=r"pagemap\.track\(pagemap\.Process\(5\)\)"):
        pagemap.track(5)  # type: ignore[arg-type]
