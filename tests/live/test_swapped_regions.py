"""Regions by what pages are, not by what the kernel's scan calls them: against smaps."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import kernel_settings, oracle, userfault, workloads
from tests.live import scanning
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20
WAYS = pytest.mark.parametrize("scan", [True, False], ids=["scan", "entries"])


def smaps(start: int, pid: int | str = "self") -> dict[str, int]:
    """The sums of the mapping at `start`, in bytes."""
    text = Path(f"/proc/{pid}/smaps").read_text()
    block = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.MULTILINE)
    mine = next(part for part in block if part.startswith(f"{start:08x}-"))
    return {
        name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", mine, re.MULTILINE)
    }


@contextlib.contextmanager
def made(context: Any) -> Iterator[Any]:
    try:
        with context as value:
            yield value
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))


def found(
    process: pagemap.Process, area: tuple[int, int], **asked: list[str]
) -> list[tuple[int, int, str]]:
    stream: pagemap.RegionStream = process.regions(ranges=[area], **asked)  # type: ignore[arg-type]
    return [(row.start, row.end, row.categories) for row in stream.rows()]


def size_of(regions: list[tuple[int, int, str]]) -> int:
    return sum(end - start for start, end, _ in regions)


@WAYS
def test_markers_are_not_in_swap(scan: bool) -> None:
    """Untouched memory that userfaultfd protects was listed as swapped: all of it."""
    with made(userfault.marked(MIB, touch=16 * PAGE)) as area:
        start = area[0]
        with scanning.opened("self", scan=scan) as process:
            assert smaps(start)["Swap"] == 0
            there = [(start, start + 16 * PAGE, "present")]
            if process.pfns_visible or not oracle.swap_in_use():
                assert found(process, area, only=["swap"]) == []
                assert found(process, area, only=["swap/present"]) == there
                none = found(process, area, without=["swap", "present"])
                assert size_of(none) == MIB - 16 * PAGE


@WAYS
def test_what_is_declared_broken_is_not_in_swap(scan: bool) -> None:
    marked = made(userfault.marked(MIB, poison=True))
    with marked as area, scanning.opened("self", scan=scan) as process:
        assert smaps(area[0])["Swap"] == 0
        if process.pfns_visible or not oracle.swap_in_use():
            assert found(process, area, only=["swap"]) == []


@WAYS
def test_guards_are_not_in_swap(scan: bool, start: Start) -> None:
    """Guard regions were listed as swapped."""
    target = start(workloads.guard())
    target.stop()
    area = target.first.start, target.first.end
    with scanning.opened(target, scan=scan) as process:
        assert smaps(area[0], target.pid)["Swap"] == 0
        assert found(process, area, only=["swap"]) == []
        if "guard" in oracle.told_here():
            both = found(
                process,
                area,
                only=["guard"],
                tell=["guard", "swap"],
            )
            assert size_of(both) == (area[1] - area[0]) // 2
            assert {what for _, _, what in both} == {"guard"}


@WAYS
@pytest.mark.parametrize("limit", [None, 1, 7, 200])
def test_swapped_is_what_smaps_calls_swap(scan: bool, limit: int | None, start: Start) -> None:
    target = start(workloads.swapped())
    target.stop()
    first, last = (target.areas[name] for name in ("swapped", "resident"))
    area = min(first.start, last.start), max(first.end, last.end)
    with scanning.opened(target, scan=scan) as process:
        regions = list(process.regions(only=["swap"], ranges=[area], max_pages=limit).rows())
        swap = workloads.smaps_number(target.pid, "Swap")
        assert swap >= 200 * PAGE
        got = sum(r.end - r.start for r in regions)
        assert got == (swap if limit is None else limit * PAGE)
        rest = found(process, area, only=["present"], without=["swap"])
        assert all(what == "present" for _, _, what in rest)


def test_where_types_are_hidden_and_nothing_is_in_swap() -> None:
    """Without CAP_SYS_ADMIN a marker looks as what is in swap does; where no swap is, none is."""
    # nobody else turns swap on meanwhile
    with made(kernel_settings.locked("zram")), made(userfault.marked(MIB)):
        if oracle.swap_in_use():
            pytest.skip("this machine has something in swap")

        def look() -> tuple[bool, int]:
            with userfault.marked(MIB) as mine, pagemap.Process("self") as process:
                return process.pfns_visible, size_of(found(process, mine, only=["swap"]))

        try:
            assert as_nobody(look) == (False, 0)
        except workloads.Unavailable as reason:
            pytest.skip(str(reason))
        except PermissionError:
            pytest.skip("only root may become another user")


def test_huge_is_what_is_there() -> None:
    """`only=HUGE` listed untouched places of a hugetlb mapping: 4 pages where 1 was."""
    with made(userfault.marked_hugetlb(4, touch=1)) as area:
        size = (area[1] - area[0]) // 4
        with scanning.opened("self", scan=True) as process:
            sums = smaps(area[0])
            there = sums["Private_Hugetlb"] + sums["Shared_Hugetlb"]
            assert there == size
            for asked in ({"only": ["huge"]}, {"only": ["huge"]}):
                assert size_of(found(process, area, **asked)) == there
            told = found(process, area, only=["present"], tell=["huge"])
            assert told == [(area[0], area[0] + size, "huge")]
            assert size_of(found(process, area, without=["huge"])) == 3 * size
            # who asks for what is huge and not there, gets the kernel's word
            asked = {"only": ["huge"], "without": ["present"]}
            assert size_of(found(process, area, **asked)) == 3 * size


@WAYS
def test_protected_hugetlb_is_not_in_swap(scan: bool) -> None:
    """The scan calls protected places of hugetlb swapped, their entries do not."""
    marked = made(userfault.marked_hugetlb(3, touch=1))
    with marked as area, scanning.opened("self", scan=scan) as process:
        assert smaps(area[0])["Swap"] == 0
        assert found(process, area, only=["swap"]) == []
        pages = process.pages(area)
        assert pages.count("swapped") == 0
        assert pages.count("uffd_wp") == len(pages)


@WAYS
def test_a_category_that_the_kernel_never_sets(scan: bool, start: Start) -> None:
    """Soft-dirty on a kernel without it was an empty answer."""
    target = start(workloads.dense(MIB))
    area = target.first.start, target.first.end
    with scanning.opened(target, scan=scan) as process:
        if "soft_dirty" in oracle.told_here():
            assert size_of(found(process, area, only=["soft_dirty"])) == MIB
            return
        for word in ("only", "without", "tell"):
            with pytest.raises(pagemap.Unsupported, match="CONFIG_MEM_SOFT_DIRTY"):
                process.regions(**{word: ["soft_dirty"]})  # type: ignore[arg-type] # of these
