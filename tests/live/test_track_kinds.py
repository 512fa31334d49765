"""Writes to memory of each kind: huge, shared, of files, in swap, guarded."""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import mappings, oracle, workloads
from tests.kernel_settings import Unavailable, huge_pages, transparent_huge_pages, zram_swap
from tests.mappings import PAGE
from tests.userfault import address_of
from tests.writer import found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SWAPPED = 1 << 62
PAGEOUT, GUARD = 21, 102
HUGETLB = 0x40000


pytestmark = pytest.mark.usefixtures("need_own_tracking")


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as entered:
        yield entered


def test_a_transparent_huge_page(stack: contextlib.ExitStack) -> None:
    """It stays huge while it is tracked; a byte that is written counts as a page."""
    try:
        size = stack.enter_context(transparent_huge_pages())
    except Unavailable as reason:
        pytest.skip(str(reason))
    with mmap.mmap(-1, 3 * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        area.madvise(mmap.MADV_HUGEPAGE)
        start = -(-address_of(area) // size) * size
        offset = start - address_of(area)
        area[offset : offset + 2 * size] = b"x" * (2 * size)
        with pagemap.Process("self") as process:
            huge = process.regions(only=["huge"], ranges=[(start, start + 2 * size)])
            if sum(row.size for row in huge.rows()) < 2 * size:
                pytest.skip("no huge page is to be had")
            with pagemap.track((start, start + 2 * size)) as tracker:
                assert sum(row.size for row in huge.rows()) == 2 * size
                area[offset + 5 * PAGE] = 1
                assert found(tracker.collect(), start, 2 * size // PAGE) == [5]
                assert sum(row.size for row in huge.rows()) == size
                area[offset : offset + size] = b"y" * size
                rows = tracker.collect()
                assert found(rows, start, 2 * size // PAGE) == list(range(size // PAGE))
                assert len(rows) == 1


def test_hugetlb(stack: contextlib.ExitStack) -> None:
    """Of these a whole page is written; a part of one is tracked all the same."""
    try:
        size = workloads.huge_page_bytes()
        stack.enter_context(huge_pages(2))
    except Unavailable as reason:
        pytest.skip(str(reason))
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | HUGETLB
    with mmap.mmap(-1, 2 * size, flags=flags) as area:
        start = address_of(area)
        area[0] = area[size] = 1
        with pagemap.track(area) as tracker:
            area[size + 5] = 2
            (row,) = tracker.collect()
            assert (row.start, row.size) == (start + size, size)
            assert len(tracker.collect()) == 0
        with pagemap.track((start + 3 * PAGE, start + 4 * PAGE)) as tracker:
            assert len(tracker.collect()) == 0
            area[5] = 2
            for rows in (tracker.written, tracker.collect()):
                assert [(row.start, row.size) for row in rows] == [(start, size)]
            assert len(tracker.collect()) == 0


def test_shared_memory_that_another_mapping_writes() -> None:
    """It is not seen, as `about` says; a write through this one is."""
    fd = os.memfd_create("shared")
    try:
        os.truncate(fd, 8 * PAGE)
        with mmap.mmap(fd, 8 * PAGE) as area, mmap.mmap(fd, 8 * PAGE) as other:
            for page in range(8):
                area[page * PAGE] = other[page * PAGE] = 1
            with pagemap.track(area) as tracker:
                other[2 * PAGE] = 5
                os.pwrite(fd, b"x", 3 * PAGE)
                area[4 * PAGE] = 5
                assert found(tracker.written, address_of(area), 8) == [4]
                assert "other mappings of shared memory" in str(tracker.written.about["unseen"])
    finally:
        os.close(fd)


def test_a_shared_file(tmp_path: Path) -> None:
    """One that is open to be read only cannot be tracked, nor written."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 8 * PAGE)
    for flags, access in ((os.O_RDWR, mmap.ACCESS_WRITE), (os.O_RDONLY, mmap.ACCESS_READ)):
        fd = os.open(path, flags)
        try:
            with mmap.mmap(fd, 8 * PAGE, access=access) as area:
                assert len(area[::PAGE]) == 8
                with pagemap.Process("self") as process:
                    start = next(each.start for each in process.maps() if each.path == str(path))
                with pagemap.track((start, start + 8 * PAGE)) as tracker:
                    assert found(tracker.collect(), start, 8) == []
                    if access == mmap.ACCESS_WRITE:
                        area[3 * PAGE] = 1
                    wanted = [3] if access == mmap.ACCESS_WRITE else []
                    assert found(tracker.collect(), start, 8) == wanted
        finally:
            os.close(fd)


def test_pages_that_were_written_and_went_to_swap(stack: contextlib.ExitStack) -> None:
    """They are present no more, and yet were written; those that were not stay unwritten."""
    try:
        stack.enter_context(zram_swap(16 << 20))
    except Unavailable as reason:
        pytest.skip(str(reason))
    start = mappings.alone(64)
    with pagemap.track((start, start + 64 * PAGE)) as tracker:
        mappings.write(start, [1, 2, 30])
        mappings.advise(start, 64, PAGEOUT)
        entries = oracle.entries(os.getpid(), start, start + 64 * PAGE)
        if not all(entries[page] & SWAPPED for page in (1, 2, 30)):
            pytest.skip("the kernel did not put these pages into swap")
        assert found(tracker.collect(), start, 64) == [1, 2, 30]
        assert found(tracker.collect(), start, 64) == []
        mappings.read(start, range(64))  # brings them back
        assert found(tracker.collect(), start, 64) == []
        mappings.write(start, [2])
        assert found(tracker.collect(), start, 64) == [2]
    mappings.free(start, 64)


def test_guard_regions() -> None:
    """Nobody wrote them, and they keep guarding."""
    start = mappings.alone(16)
    try:
        mappings.advise(start + 4 * PAGE, 4, GUARD)
    except OSError:
        pytest.skip("this kernel has no guard regions (Linux 6.13)")
    with pagemap.track((start, start + 16 * PAGE)) as tracker:
        for _ in range(2):
            assert found(tracker.collect(), start, 16) == []
        mappings.write(start, [2, 9])
        rows = tracker.collect()
        guards = oracle.entries(os.getpid(), start + 4 * PAGE, start + 8 * PAGE)
    if not all(entry >> 58 & 1 for entry in guards):
        pytest.skip("the kernel does not tell guard regions (Linux 6.15)")
    assert found(rows, start, 16) == [2, 9]
    mappings.free(start, 16)


def test_pages_that_were_never_touched_stay_so() -> None:
    """No page tables are made for them: 64 MiB of them for 32 GiB."""
    start = mappings.reserved(32 << 18)
    mappings.unmap(start, 32 << 18)
    mappings.map_at(start, 32 << 18)
    before = oracle_kib("VmPTE")
    with pagemap.track((start, start + (32 << 18) * PAGE)) as tracker:
        mappings.write(start, [7, 1 << 20])
        assert found_few(tracker.collect()) == [start + 7 * PAGE, start + (1 << 20) * PAGE]
        assert len(tracker.collect()) == 0
        assert oracle_kib("VmPTE") < before + 1024
    mappings.unmap(start, 32 << 18)


def found_few(rows: pagemap.Table[pagemap.WrittenRow]) -> list[int]:
    return [row.start for row in rows]


def oracle_kib(name: str) -> int:
    """A line of /proc/self/status, in KiB."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
