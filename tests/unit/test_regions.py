"""Categories and regions as values, and what may be asked, over a made-up /proc."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.regions import Category, Region
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from tests.unit import fake_proc
from tests.unit.fake_proc import PAGE_SIZE, line

if TYPE_CHECKING:
    from pathlib import Path

PRESENT = 1 << 63
SWAPPED = 1 << 62

# PAGE_IS_* in the kernel's include/uapi/linux/fs.h, where SWAP is SWAPPED.
KERNEL = {
    "WPALLOWED": 1 << 0,
    "WRITTEN": 1 << 1,
    "FILE": 1 << 2,
    "PRESENT": 1 << 3,
    "SWAP": 1 << 4,
    "PFNZERO": 1 << 5,
    "HUGE": 1 << 6,
    "SOFT_DIRTY": 1 << 7,
    "GUARD": 1 << 8,
}


def test_categories_are_the_kernels() -> None:
    assert {category.name: category.value for category in Category} == KERNEL
    assert [flag.since for flag in SCAN_CATEGORIES] == ["6.7"] * 8 + ["6.15"]


def test_values() -> None:
    region = Region(PAGE_SIZE, 3 * PAGE_SIZE, Category.PRESENT | Category.FILE)
    assert pickle.loads(pickle.dumps(region)) == region
    assert region.categories & Category.FILE
    assert region._fields == ("start", "end", "categories")


@pytest.fixture
def process(tmp_path: Path) -> pagemap.Process:
    """Pages 2 to 9 mapped twice over, 4, 5, 6 and 8 populated."""
    entries = {0: 0, 4: PRESENT, 5: PRESENT, 6: PRESENT, 8: SWAPPED}
    maps = line(2, 6) + line(6, 10, "[heap]") + line(20, 22, "[vvar]", perms="r--p")
    root = fake_proc.make(tmp_path, maps=maps, entries=entries)
    return pagemap.Process(4242, procfs=root)


def spans(process: pagemap.Process, **asked: int) -> list[tuple[int, int, int]]:
    return [
        (r.start // PAGE_SIZE, r.end // PAGE_SIZE, int(r.categories))
        for r in process.regions(**asked)
    ]


def test_over_mappings_that_touch(process: pagemap.Process) -> None:
    with process:
        assert not process.can_scan
        assert not process.can_find("present")
        assert spans(process, any_of=8) == [(4, 7, 8)]
        assert spans(process, any_of=8 | 16) == [(4, 7, 8), (8, 9, 16)]
        assert spans(process, any_of=8 | 16, returned=0) == [(4, 7, 0), (8, 9, 0)]
        # memory without struct pages is passed over, as a scan does
        assert spans(process, none_of=8, returned=0) == [(2, 4, 0), (7, 10, 0)]
        assert spans(process) == [(2, 4, 0), (4, 7, 8), (7, 8, 0), (8, 9, 16), (9, 10, 0)]


def test_ranges_are_widened_to_pages(process: pagemap.Process) -> None:
    with process:
        assert spans(process, any_of=8, start=5 * PAGE_SIZE + 1, end=6 * PAGE_SIZE + 1) == [
            (5, 7, 8)
        ]
        assert spans(process, any_of=8, start=5 * PAGE_SIZE, end=5 * PAGE_SIZE + 1) == [(5, 6, 8)]
        assert spans(process, any_of=8, start=7 * PAGE_SIZE) == []


def test_max_pages(process: pagemap.Process) -> None:
    with process:
        assert spans(process, any_of=24, max_pages=2) == [(4, 6, 8)]
        assert spans(process, any_of=24, max_pages=3) == [(4, 7, 8)]
        assert spans(process, any_of=24, max_pages=4) == [(4, 7, 8), (8, 9, 16)]


def test_marks_of_memory_without_struct_pages(tmp_path: Path) -> None:
    """A scan finds none there, so a count out of entries leaves out those of [vvar] too."""
    entries = dict.fromkeys([3, 20, 21, 24], 1 << 55)
    maps = line(2, 6) + b"".join(
        line(at, at + 2, name, perms="r--p") for at, name in ((20, "[vvar]"), (24, "[vvar_vclock]"))
    )
    root = fake_proc.make(tmp_path, maps=maps, entries=entries)
    with pagemap.Process(4242, procfs=root) as process:
        for asked in (["soft_dirty"], None):
            assert [tally.soft_dirty for _, tally in process.tally(asked)] == [1, 0, 0]
        assert process.pages((20 * PAGE_SIZE, 22 * PAGE_SIZE)).count("soft_dirty") == 2
        assert spans(process, any_of=128) == [(3, 4, 128)]


@pytest.mark.parametrize(
    "asked",
    [
        {"any_of": 1 << 9},
        {"returned": 1 << 40},
        {"none_of": 1 << 12 | 8},
        {"max_pages": 0},
        {"start": 8 * PAGE_SIZE, "end": 4 * PAGE_SIZE},
        {"start": -1},
        {"end": 2**64 + 1},
    ],
)
def test_what_cannot_be_asked(process: pagemap.Process, asked: dict[str, int]) -> None:
    with process, pytest.raises(pagemap.UsageError):
        list(process.regions(**asked))


def test_what_entries_do_not_tell(process: pagemap.Process) -> None:
    with process:
        for category in (Category.HUGE, Category.PFNZERO, Category.WRITTEN, Category.WPALLOWED):
            with pytest.raises(pagemap.Unsupported, match=r"since Linux 6\.7") as caught:
                list(process.regions(all_of=category))
            assert str(category.name).lower() in str(caught.value)
            assert caught.value.pid == 4242


def test_closed(process: pagemap.Process) -> None:
    process.close()
    for call in (
        lambda: list(process.regions(any_of=8)),
        lambda: list(process.populated()),
        lambda: list(process.tally()),
        lambda: process.can_scan,
        lambda: process.can_find("present"),
    ):
        with pytest.raises(pagemap.ClosedProcess):
            call()
