"""Which mappings are of hugetlb, by PROCMAP_QUERY (Linux 6.11), and by smaps on older kernels.

smaps is the judge, and the number of huge pages that the test itself has touched.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle
from tests.kernel_settings import huge_pages
from tests.live.sampling import queries_maps
from tests.live.test_c_sampler import ALL, known, opened, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.vm.guest.conftest import Facts

HUGE = 2 << 20
MAP_HUGETLB = 0x40000
# what a huge page would be counted as, were it taken for another
PARTS = ("rss", "anon", "file_or_shared", "uss")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A mounted hugetlbfs, whose files lie on another device than memory without a file."""
    with huge_pages(8):
        subprocess.run(["mount", "-t", "hugetlbfs", "none", tmp_path], check=True)
        try:
            yield tmp_path
        finally:
            subprocess.run(["umount", "--lazy", tmp_path], check=True)


def by_smaps() -> int:
    sums = oracle.smaps_rollup(os.getpid())
    return sums["Private_Hugetlb"] + sums["Shared_Hugetlb"]


def address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def mapped(path: Path, pages: int, touched: int) -> mmap.mmap:
    """A shared mapping of a file of so many huge pages."""
    with path.open("w+b") as file:
        file.truncate(pages * HUGE)
        memory = mmap.mmap(file.fileno(), pages * HUGE)
    for page in range(touched):
        memory[page * HUGE] = 1
    return memory


def test_the_query_is_where_it_should_be(facts: Facts) -> None:
    assert queries_maps() == facts.mapping_query


def test_devices_that_come_and_go(folder: Path) -> None:
    """One sampler sees memory without a file, and then a mounted hugetlbfs, a device of its own."""
    with pagemap.Sampler() as sampler:

        def check(pages: int) -> pagemap.Sample:
            sample = sampler.sample()
            assert sample.hugetlb == by_smaps() == pages * HUGE
            return sample

        before = check(0)
        private = mmap.mmap(-1, 2 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB)
        private[0] = 1
        check(1)
        shared = mapped(folder / "file", 3, 2)
        after = check(3)
        assert after.huge is None or after.huge - (before.huge or 0) >= 3 * HUGE
        for name in PARTS:
            assert abs(getattr(after, name) - getattr(before, name)) < HUGE, name
        private.close()
        check(2)
        shared.close()
        check(0)


def test_mappings_of_it(folder: Path) -> None:
    """In tally and in regions, beside shared memory, which also lies on a device without blocks."""
    shared = mapped(folder / "file", 3, 2)
    plain = mmap.mmap(-1, HUGE)
    plain[0] = 1
    with pagemap.Process(os.getpid()) as process:
        rows = {row.start: row for row in process.tally(["hugetlb", "rss", "present"])}
    amounts = {
        name: (row.hugetlb, row.rss, row.present)
        for name, row in (("shared", rows[address_of(shared)]), ("plain", rows[address_of(plain)]))
    }
    assert amounts["shared"] == (2 * HUGE, 0, 2 * HUGE)
    hugetlb, rss, present = amounts["plain"]
    assert (hugetlb, rss) == (0, present)
    assert present
    shared.close()


def test_the_c_library(facts: Facts, folder: Path) -> None:
    """It reads no smaps: while hugetlb is mapped it does not know what may be of it."""
    with opened(os.getpid(), ALL) as sampler:
        _, none = take(sampler)
        memory = mapped(folder / "file", 3, 2)
        _, some = take(sampler)
        memory.close()
        _, again = take(sampler)
    assert known(none)["hugetlb"] == known(again)["hugetlb"] == 0
    amounts = known(some)
    assert amounts["present"] >= 2 * HUGE
    assert "swap" in amounts
    if facts.mapping_query:
        assert amounts["hugetlb"] == 2 * HUGE
    else:
        assert not {"hugetlb", "rss", "anon", "uss"} & amounts.keys()
