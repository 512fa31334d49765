"""Regions as rows, and what may be asked, over a made-up /proc."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import pagemap
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from tests.unit import fake_proc
from tests.unit.fake_proc import PAGE_SIZE, line

if TYPE_CHECKING:
    from pathlib import Path

PRESENT = 1 << 63
SWAPPED = 1 << 62

# PAGE_IS_* in the kernel's include/uapi/linux/fs.h, where swap is PAGE_IS_SWAPPED.
KERNEL = {
    "wpallowed": 1 << 0,
    "written": 1 << 1,
    "file": 1 << 2,
    "present": 1 << 3,
    "swap": 1 << 4,
    "pfnzero": 1 << 5,
    "huge": 1 << 6,
    "soft_dirty": 1 << 7,
    "guard": 1 << 8,
}


def test_categories_are_the_kernels() -> None:
    assert {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES} == KERNEL
    assert [flag.since for flag in SCAN_CATEGORIES] == ["6.7"] * 8 + ["6.15"]


def test_values() -> None:
    row = pagemap.RegionRow(42, PAGE_SIZE, 3 * PAGE_SIZE, 2 * PAGE_SIZE, "present|file")
    assert pickle.loads(pickle.dumps(row)) == row
    assert row.words == ("present", "file")
    assert row._replace(categories="").words == ()


@pytest.fixture
def process(tmp_path: Path) -> pagemap.Process:
    """Pages 2 to 9 mapped twice over, 4, 5, 6 and 8 populated."""
    entries = {0: 0, 4: PRESENT, 5: PRESENT, 6: PRESENT, 8: SWAPPED}
    maps = line(2, 6) + line(6, 10, "[heap]") + line(20, 22, "[vvar]", perms="r--p")
    root = fake_proc.make(tmp_path, maps=maps, entries=entries)
    return pagemap.Process(4242, procfs=root)


def spans(process: pagemap.Process, **asked: Any) -> list[tuple[int, int, str]]:
    return [
        (row.start // PAGE_SIZE, row.end // PAGE_SIZE, row.categories)
        for row in process.regions(**asked).rows()
    ]


def pages(start: int, end: int) -> list[tuple[int, int]]:
    return [(start * PAGE_SIZE, end * PAGE_SIZE)]


EITHER = ["present/swap"]


def test_over_mappings_that_touch(process: pagemap.Process) -> None:
    with process:
        assert not process.can_scan
        assert not process.can_find("present")
        assert spans(process, only=["present"]) == [(4, 7, "present")]
        assert spans(process, only=EITHER) == [(4, 7, "present"), (8, 9, "swap")]
        assert spans(process) == spans(process, only=EITHER)
        assert spans(process, only=EITHER, tell=[]) == [(4, 7, ""), (8, 9, "")]
        # memory without struct pages is passed over, as a scan does
        assert spans(process, without=["present"], tell=[]) == [(2, 4, ""), (7, 10, "")]
        everything = [(2, 4, ""), (4, 7, "present"), (7, 8, ""), (8, 9, "swap"), (9, 10, "")]
        assert spans(process, without=["guard"]) == everything


def test_tables(process: pagemap.Process) -> None:
    with process:
        stream = process.regions()
        [table] = stream
        assert len(table) == len(stream.snapshot()) == 2
        assert table.about["pid"] == 4242
        assert table["size"].tolist() == [3 * PAGE_SIZE, PAGE_SIZE]
        assert table[0] == pagemap.RegionRow(
            4242, 4 * PAGE_SIZE, 7 * PAGE_SIZE, 3 * PAGE_SIZE, "present"
        )
        [nothing] = process.regions(only=["guard/swap"], without=["guard", "swap"])
        assert len(nothing) == 0


def test_a_stream_of_several_tables(
    process: pagemap.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are cut, row by row, as one table, and to a consumer of Arrow they are alike."""
    with process:
        stream = process.regions(without=["guard"])
        whole = list(stream.rows())
        assert len(whole) == 5
        for rows in (1, 2, 5):
            monkeypatch.setattr("pagemap._analyses.regions.ROWS", rows)
            sizes = [len(table) for table in stream]
            assert (max(sizes), sum(sizes)) == (rows, 5)
            assert list(stream.rows()) == list(stream.snapshot()) == whole
            taken = pa.table(stream)
            assert taken["start"].to_pylist() == [row.start for row in whole]
            assert taken["categories"].to_pylist() == [row.categories for row in whole]


def test_ranges_are_widened_to_pages(process: pagemap.Process) -> None:
    with process:
        one = [(5 * PAGE_SIZE + 1, 6 * PAGE_SIZE + 1)]
        assert spans(process, only=["present"], ranges=one) == [(5, 7, "present")]
        one = [(5 * PAGE_SIZE, 5 * PAGE_SIZE + 1)]
        assert spans(process, only=["present"], ranges=one) == [(5, 6, "present")]
        assert spans(process, only=["present"], ranges=pages(7, 99)) == []
        several = [*pages(8, 9), *pages(4, 5), *pages(5, 6)]
        assert spans(process, ranges=several) == [(4, 6, "present"), (8, 9, "swap")]
        assert spans(process, ranges=[]) == []


def test_max_pages(process: pagemap.Process) -> None:
    with process:
        assert spans(process, max_pages=2) == [(4, 6, "present")]
        assert spans(process, max_pages=3) == [(4, 7, "present")]
        assert spans(process, max_pages=4) == [(4, 7, "present"), (8, 9, "swap")]
        several = [*pages(4, 5), *pages(6, 9)]
        assert spans(process, max_pages=2, ranges=several) == [(4, 5, "present"), (6, 7, "present")]


def test_marks_of_memory_without_struct_pages(tmp_path: Path) -> None:
    """A scan finds none there, so a count out of entries leaves out those of [vvar] too."""
    entries = dict.fromkeys([3, 20, 21, 24], 1 << 55)
    maps = line(2, 6) + b"".join(
        line(at, at + 2, name, perms="r--p") for at, name in ((20, "[vvar]"), (24, "[vvar_vclock]"))
    )
    root = fake_proc.make(tmp_path, maps=maps, entries=entries)
    with pagemap.Process(4242, procfs=root) as process:
        for asked in (["soft_dirty"], ["soft_dirty", "present"]):
            assert process.tally(asked)["soft_dirty"].tolist() == [PAGE_SIZE, 0, 0]
        assert process.pages((20 * PAGE_SIZE, 22 * PAGE_SIZE)).count("soft_dirty") == 2
        assert spans(process, only=["soft_dirty"]) == [(3, 4, "soft_dirty")]


@pytest.mark.parametrize(
    "asked",
    [
        {"only": ["swaped"]},
        {"tell": ["pfn"]},
        {"without": ["present", ""]},
        {"max_pages": 0},
        {"only": ["present"], "without": ["present"]},
        {"only": ["present/file", "swap/file"]},
        {"ranges": [(8 * PAGE_SIZE, 4 * PAGE_SIZE)]},
        {"ranges": [(-1, 4096)]},
        {"ranges": [(0, 2**64 + 1)]},
    ],
)
def test_what_cannot_be_asked(process: pagemap.Process, asked: dict[str, Any]) -> None:
    with process, pytest.raises(pagemap.UsageError):
        process.regions(**asked)


@pytest.mark.parametrize("asked", [{"only": "present"}, {"only": 8}, {"max_pages": 1.5}])
def test_what_is_of_another_type(process: pagemap.Process, asked: dict[str, Any]) -> None:
    with process, pytest.raises(TypeError):
        process.regions(**asked)


def test_what_entries_do_not_tell(process: pagemap.Process) -> None:
    with process:
        for category in ("huge", "pfnzero", "written", "wpallowed"):
            with pytest.raises(
                pagemap.Unsupported, match=rf"{category}.*since Linux 6\.7"
            ) as caught:
                process.regions(only=[category])
            assert caught.value.pid == 4242


def test_closed(process: pagemap.Process) -> None:
    process.close()
    for call in (
        lambda: list(process.regions()),
        lambda: list(process.populated()),
        lambda: list(process.tally()),
        lambda: process.can_scan,
        lambda: process.can_find("present"),
    ):
        with pytest.raises(pagemap.ClosedProcess):
            call()
