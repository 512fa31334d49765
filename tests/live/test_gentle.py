"""A gentle walk over the zoo: word by word what smaps says, or not known; and files cut short."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.gentle import Gentle
from tests import oracle, workloads
from tests.kernel_settings import zram_swap
from tests.looks import TRIES
from tests.zoo import ZOO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap import MappingFootprintRow
    from tests.conftest import Start
    from tests.target import Target

KIB = 1024
MIB = 1 << 20
PAGE = oracle.PAGE
WORDS = {
    "rss": ("Rss",),
    "uss": ("Private_Clean", "Private_Dirty"),
    "shared": ("Shared_Clean", "Shared_Dirty"),
    "clean": ("Private_Clean", "Shared_Clean"),
    "dirty": ("Private_Dirty", "Shared_Dirty"),
    "swap": ("Swap",),
    "shared_hugetlb": ("Shared_Hugetlb",),
    "private_hugetlb": ("Private_Hugetlb",),
}
# Who wrote to these pages, only their page table knows: smaps sees it, nobody else does.
UNTOLD = {
    "lazyfree": {"clean", "dirty"},
    "lazyfree rewritten": {"clean", "dirty"},
    "droppable": {"clean", "dirty"},
    "swap cache": {"clean", "dirty"},
    "swapped back": {"clean", "dirty"},
}
STEADY = {"bash", "exited leader"}  # below one folder of /proc alone the latter has its smaps


@pytest.fixture
def gentle(need_pfns: None) -> Iterator[Gentle]:
    if not oracle.may_read("/proc/kpagecount"):
        pytest.skip("/proc/kpagecount cannot be read: needs CAP_DAC_READ_SEARCH")
    with Gentle(1) as gentle:
        yield gentle


def of_areas(
    target: Target, gentle: Gentle
) -> list[tuple[str, MappingFootprintRow, dict[str, int]]]:
    """Of each mapping of the target's own: its area, what the walk says, and what smaps does.

    The kernel writes back a file, and somebody else syncs: so smaps is asked before and after.
    """

    def told() -> list[tuple[str, int, dict[str, int]]]:
        return [
            (area.name, each.start, each.sizes)
            for each in oracle.parse_smaps(Path(f"/proc/{target.pid}/smaps").read_bytes())
            for area in target.areas.values()
            if each.start < area.end and area.start < each.end
        ]

    for _ in range(TRIES):
        before = told()
        with pagemap.Process(target.pid) as process:
            held = {row.start: row for row in process.footprints(gentle=gentle)}
        if told() == before:
            break
        time.sleep(0.05)
    return [(name, held[start], sizes) for name, start, sizes in before]


@pytest.mark.parametrize("kind", [kind for kind in ZOO if kind not in STEADY])
def test_each_kind_as_smaps_counts_it(kind: str, start: Start, gentle: Gentle) -> None:
    """Pages of one huge page were all private or all shared, rewritten lazily freed ones clean."""
    target = start(ZOO[kind]())
    areas = of_areas(target, gentle)
    assert areas
    untold = set()
    for name, held, sizes in areas:
        told = {word: getattr(held, word) for word in WORDS}
        untold |= {word for word in WORDS if told[word] is None}
        wanted = {word: sum(sizes[part] for part in parts) for word, parts in WORDS.items()}
        assert (name, told) == (
            name,
            {word: size if told[word] is not None else None for word, size in wanted.items()},
        )
        assert held.pss is not None
        assert abs(held.pss - sizes["Pss"]) < KIB
    # what swap is in use for may be that of another test
    maybe = {"swap", "clean", "dirty"} if oracle.came_back() else {"swap"}
    assert untold - maybe == UNTOLD.get(kind, set()) - maybe
    assert untold >= UNTOLD.get(kind, set())


def test_shared_memory_that_was_read_first_is_not_called_clean(gentle: Gentle) -> None:
    """Its first write faults no more, so that no frame is marked; smaps sees the page table."""
    fd = os.memfd_create("read first")
    os.truncate(fd, 16 * PAGE)
    with mmap.mmap(fd, 16 * PAGE) as memory:
        os.close(fd)
        start = oracle.address_of(memory)
        assert not any(memory[at] for at in range(0, len(memory), PAGE))
        for at in range(0, len(memory) // 2, PAGE):
            memory[at] = 1
        with pagemap.Process(os.getpid()) as process:
            (held,) = (row for row in process.footprints(gentle=gentle) if row.start == start)
        mappings = oracle.parse_smaps(Path("/proc/self/smaps").read_bytes())
        (sizes,) = (each.sizes for each in mappings if each.start == start)
    assert held.rss == sizes["Rss"] == 16 * PAGE
    assert held.uss == sizes["Private_Dirty"] + sizes["Private_Clean"]
    assert held.dirty in (None, sizes["Private_Dirty"] + sizes["Shared_Dirty"])


def need_cachestat() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(451, -1, None, None, 0) < 0 and ctypes.get_errno() == errno.ENOSYS:
        pytest.skip("this kernel has no cachestat (6.5)")


def test_swapped_shared_memory_is_counted_but_for_what_was_copied(gentle: Gentle) -> None:
    """It has no entry, and was not known; its file tells, but of private copies not whose it is."""
    need_cachestat()
    fd = os.memfd_create("swapped")
    os.truncate(fd, 64 * PAGE)
    private = mmap.MAP_PRIVATE
    with (
        zram_swap(16 * MIB),
        mmap.mmap(fd, 64 * PAGE) as memory,
        mmap.mmap(fd, 16 * PAGE, offset=24 * PAGE),
        mmap.mmap(fd, 32 * PAGE, flags=private, prot=mmap.PROT_READ),
        mmap.mmap(fd, 48 * PAGE, flags=private),
    ):
        os.close(fd)
        memory.write(b"x" * len(memory))
        memory.madvise(21, 0, 32 * PAGE)  # MADV_PAGEOUT
        with pagemap.Process(os.getpid()) as process:
            found = [
                (row.perms, (row.end - row.start) // PAGE, row.start, row.swap)
                for row in process.footprints(gentle=gentle)
                if "memfd:swapped" in row.path
            ]
        mappings = oracle.parse_smaps(Path("/proc/self/smaps").read_bytes())
        swap = {each.start: each.sizes["Swap"] for each in mappings}
    if not any(swap[start] for _, _, start, _ in found):
        pytest.skip("swap: the kernel pushed nothing out (MADV_PAGEOUT)")
    assert {(perms, pages): told for perms, pages, _, told in found} == {
        (perms, pages): None if perms == "rw-p" else swap[start] for perms, pages, start, _ in found
    }
    assert len(found) == 4
    assert swap[next(start for perms, pages, start, _ in found if pages == 16)] == 8 * PAGE


def test_hugetlb_of_several_is_parted_among_them(start: Start, gentle: Gentle) -> None:
    target = start(ZOO["hugetlb shared"]())
    children = Path(f"/proc/{target.pid}/task/{target.pid}/children").read_text().split()
    pss = 0
    for pid in (target.pid, *map(int, children)):
        with pagemap.Process(pid) as process:
            held = process.footprint(gentle=gentle)
        assert held.shared_hugetlb == oracle.smaps_rollup(pid)["Shared_Hugetlb"] > 0
        assert held.hugetlb_pss is not None
        pss += held.hugetlb_pss
    area = target.first
    assert 0 < pss <= area.end - area.start


@pytest.mark.parametrize("short", ["kpagecount", "kpageflags"])
def test_files_of_frames_that_end_early_are_an_error(
    short: str, start: Start, gentle: Gentle, tmp_path: Path
) -> None:
    """A frame without a word counted as nothing, and the walk ended well."""
    target = start(workloads.dense(MIB))
    for name in ("kpagecount", "kpageflags", "zoneinfo", "swaps", "self", str(target.pid)):
        if name != short:
            (tmp_path / name).symlink_to(f"/proc/{name}")
    (tmp_path / short).write_bytes(bytes(8 * 64))
    with (
        Gentle(1, procfs=str(tmp_path)) as lied_to,
        pagemap.Process(target.pid, procfs=str(tmp_path)) as process,
        pytest.raises(pagemap.PagemapError, match=f"{tmp_path}/{short} ends at frame 0x40, ") as it,
    ):
        process.footprint(gentle=lied_to)
    assert it.value.pid == target.pid
    assert os.path.basename(str(it.value.path)) == short
