"""Where pages lie: facts of memory and of swap that only the kernel could have arranged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.conftest import Start

PAGE = oracle.PAGE

pytestmark = pytest.mark.usefixtures("need_pfns")


def pages_of(target: workloads.Target, name: str = "") -> pagemap.Pages:
    area = target.areas[name] if name else target.first
    with pagemap.Process(target.pid) as process:
        return process.pages((area.start, area.end))


@pytest.mark.parametrize("kind", ["thp", "hugetlb"])
def test_huge_pages_are_contiguous(kind: str, start: Start) -> None:
    target = start(workloads.KINDS[kind]())
    target.stop()
    huge = Path("/proc/meminfo").read_text().partition("Hugepagesize:")[2].split()[0]
    count = int(huge) * 1024 // PAGE
    frames = list(pages_of(target).pfns())
    assert len(frames) >= 2 * count
    for at in range(0, len(frames), count):
        # A huge page is aligned in physical memory as well.
        assert frames[at] % count == 0
        assert frames[at : at + count] == list(range(frames[at], frames[at] + count))


def test_merged_pages_share_frames(start: Start) -> None:
    target = start(workloads.ksm())
    target.stop()
    pages = pages_of(target)
    # One frame serves up to max_page_sharing pages.
    most = int(Path("/sys/kernel/mm/ksm/max_page_sharing").read_text())
    assert len(set(pages.pfns())) <= -(-len(pages) // most) + 1


def test_pages_of_zeros_are_one_frame(start: Start) -> None:
    target = start(workloads.zero())
    assert len(set(pages_of(target).pfns())) == 1


def test_each_written_page_has_its_own_frame(start: Start) -> None:
    target = start(workloads.dense(1 << 20))
    target.stop()
    frames = list(pages_of(target).pfns())
    assert len(set(frames)) == len(frames)


def test_a_file_in_two_processes_is_one_place(start: Start) -> None:
    with workloads.temporary_file(b"both", 16 * PAGE) as path:
        one = start(workloads.file_at(path, 16 * PAGE))
        other = start(workloads.file_at(path, 16 * PAGE))
        for index in range(16):
            inside = index * PAGE + 123
            places = {
                pagemap.virt_to_phys(target.pid, target.areas[name].start + inside)
                for target in (one, other)
                for name in ("clean", "shared")
            }
            assert len(places) == 1
            copies = {
                pagemap.virt_to_phys(target.pid, target.areas["written"].start + inside)
                for target in (one, other)
            }
            assert len(copies) == 2
            assert not copies & places


def test_a_forked_child_shares_every_frame(start: Start) -> None:
    target = start(workloads.dense(1 << 18))
    alone = pages_of(target)
    assert alone.count("exclusive") == len(alone)
    child = target.ask("f")
    area = target.first
    with pagemap.Process(child) as process:
        pages = process.pages((area.start, area.end))
        assert list(pages.pfns()) == list(alone.pfns())
        assert pages.count("exclusive") == 0
        address = area.start + 5 * PAGE + 17
        assert process.virt_to_phys(address) == pagemap.virt_to_phys(target.pid, address)


def test_swapped_pages_lie_on_the_disk(start: Start) -> None:
    target = start(workloads.swapped())
    target.stop()
    area = target.areas["swapped"]
    pages = pages_of(target, "swapped")
    swap_areas = len(Path("/proc/swaps").read_text().splitlines()) - 1
    used = [page for page in pages if page.swapped]
    assert len(used) == len(pages)
    assert len({page.swap_type for page in used}) == 1
    assert all(page.swap_type is not None and 0 <= page.swap_type < 32 for page in used)
    assert swap_areas >= 1
    offsets = [page.swap_offset for page in used]
    assert len(set(offsets)) == len(offsets)
    # The disk has 16 MiB, and its first page is the header.
    assert all(offset is not None and 0 < offset < (16 << 20) // PAGE for offset in offsets)
    assert list(pages.column("swap_offset")) == offsets
    entry = oracle.entries(target.pid, area.start, area.start + PAGE)[0]
    with pytest.raises(pagemap.SwappedOut) as caught:
        pagemap.virt_to_phys(target.pid, area.start + 9)
    assert caught.value.swap_type == oracle.swap_type(entry, hidden=False)
    assert caught.value.swap_offset == oracle.swap_offset(entry, hidden=False)
    assert caught.value.address == area.start + 9


def test_a_swapped_page_comes_back(start: Start) -> None:
    target = start(workloads.swapped())
    area = target.areas["swapped"]
    with pagemap.Process(target.pid) as process:
        with pytest.raises(pagemap.SwappedOut):
            process.virt_to_phys(area.start)
        # Reading the target's memory brings the page in, as its own access would.
        with Path(f"/proc/{target.pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(area.start)
            memory.read(8)
        frame = oracle.pfn(oracle.entries(target.pid, area.start, area.start + PAGE)[0])
        assert frame is not None
        assert process.virt_to_phys(area.start) == frame * PAGE
