"""What all memory of the machine is used for, and how broken up what is free of it is.

Each frame is counted once, as what its flags in /proc/kpageflags say (csrc/analyses/memory.c), and
stands beside the kernel's own figure. Where that file may not be read, the figures stand alone.

Memory: 12 KiB for each thread, and for each zone and step some 8 KiB of counts; a list of blocks
takes some 0.7 KiB for each block that is kept, and a list of free runs 24 bytes for each GiB or
more precisely for each run of 2 MiB. None of it grows with the number of frames.
"""

from __future__ import annotations

import time

from pagemap._analyses import memory_blocks, memory_cgroups, memory_figures, memory_tables
from pagemap._analyses.memory_groups import MemoryGroups
from pagemap._analyses.memory_segments import segments
from pagemap._analyses.memory_walk import count
from pagemap._errors import PagemapError, Unsupported, UsageError
from pagemap._kernel import buddyinfo, iomem, pagetypeinfo, thp
from pagemap._kernel.os_errors import no_proc
from pagemap._kernel.zones import zones
from pagemap._space.about import about
from pagemap._vocabulary.checks import check_int, check_threads
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._analyses.memory_walk import Counted, Progress
    from pagemap._kernel.zones import Zone
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.memory import (
        BlockerRow,
        BlocksRow,
        CgroupMemoryRow,
        FigureRow,
        FreeRunRow,
        GroupMemoryRow,
        MemoryKindRow,
        NodeMemoryRow,
        OrderRow,
        SwapAreaRow,
        ZoneMemoryRow,
    )

__all__ = ["Memory", "memory"]

_USUAL_ORDER = 9  # of what a PMD maps, where the kernel has no THP
_MOST = 1 << 20  # rows of a list that is cut


class Memory(Record):
    """What memory is used for: the tables that `pagemap.memory` returns.

    `blocks` is None where frames were not counted, `cgroups`, `groups`, `blockers` and `runs` where
    they were not asked for.
    """

    kinds: Table[MemoryKindRow] = field("", "what frames are for; each is of one kind")
    zones: Table[ZoneMemoryRow] = field("", "the same for each zone")
    nodes: Table[NodeMemoryRow] = field("", "the same for each NUMA node")
    orders: Table[OrderRow] = field("", "free blocks and folios, by size")
    figures: Table[FigureRow] = field("", "the kernel's figures, and the same counted")
    swaps: Table[SwapAreaRow] = field("", "the swap areas")
    blocks: Table[BlocksRow] | None = field("", "aligned blocks: free, movable or blocked")
    cgroups: Table[CgroupMemoryRow] | None = field("", "what is charged to each memory cgroup")
    groups: Table[GroupMemoryRow] | None = field("", "what each group of processes maps")
    blockers: Table[BlockerRow] | None = field("", "aligned blocks that are not free")
    runs: Table[FreeRunRow] | None = field("", "free frames in a row")

    @property
    def about(self) -> dict[str, object]:
        """What is true of all of it; the same for each table."""
        return self.kinds.about


def memory(
    *,
    frames: bool | None = None,
    cgroups: bool = False,
    by: str | None = None,
    blockers: int | None = None,
    runs: int | None = None,
    threads: int | None = None,
    procfs: str = "/proc",
    sysfs: str = "/sys",
    progress: Progress | None = None,
) -> Memory:
    """What all memory of the machine is used for, and how broken up what is free is.

    Every frame is counted, which takes 0.1 us for each and needs CAP_DAC_READ_SEARCH. With `frames`
    None the kernel's own figures are given alone where that is not permitted, and `about` has
    `counted` False and the reason in `why`; with False they always are; with True it is an error.

    `cgroups` asks for a table of memory cgroups, `blockers` for at most so many blocks of the size
    that a PMD maps (2 MiB) that are not free, the worst first, and `runs` for so many of the
    longest runs of free frames of at least that size; `about` has `blockers` and `runs`, how many
    there are of each. `by` ("name", "exe", "user", "cgroup", "container" or "session") asks for a
    table of groups of processes instead: what each alone maps, what several of them map, and what
    nobody does; that needs CAP_SYS_ADMIN too. `threads` count, by default as many as pay;
    `progress` is called with the frames done and all of them.

    Memory changes while it is counted: `about` has `changed` True if memory was added or removed
    meanwhile; with `by` also which processes were left out. Raises AccessDenied or Unsupported
    where frames are needed and cannot be read, or nothing at all can, PfnsHidden for `by`,
    UsageError for what makes no sense.

    >>> import pagemap
    >>> told = pagemap.memory(frames=False)
    >>> [row.kernel > 0 for row in told.kinds if row.kind in ("anon", "free")]
    [True, True]
    """
    for name, number in (("blockers", blockers), ("runs", runs)):
        if number is not None:
            check_int(name, number, 0, _MOST + 1)
    if by is not None and (cgroups or blockers is not None or runs is not None or frames is False):
        raise UsageError("by needs frames, and goes with none of cgroups, blockers and runs")
    check_threads(threads)
    begin = time.time()
    groups = by and MemoryGroups(by, procfs=procfs, threads=threads)
    before = zones(procfs)
    here = before or []
    ram = iomem.system_ram(procfs)
    order = thp.pmd_order(f"{sysfs}/kernel/mm/transparent_hugepage")
    block_order = min(order or _USUAL_ORDER, memory_tables.MOST_ORDER)
    free = buddyinfo.free_blocks(procfs)
    found: Counted | None = None
    why: PagemapError | None = None
    if frames is not False:
        try:
            if not here:
                raise _unknown(procfs)
            found = (groups.count if groups else count)(
                segments(here, ram, sysfs),
                len(here),
                buddy_order=max(map(len, free.values()), default=11) - 1,
                block_order=block_order,
                cgroups=cgroups,
                blockers=blockers,
                runs=runs,
                least_run=1 << block_order,
                threads=threads,
                progress=progress,
                procfs=procfs,
            )
        except PagemapError as error:
            if frames or groups:
                raise
            why = error
    kernel = memory_figures.Kernel.read(zones(procfs), procfs, sysfs)
    if not kernel.meminfo and not kernel.zones:  # nothing is left to tell
        raise why or _unknown(procfs)
    tables = memory_tables.Tables(kernel, here, ram, found, procfs=procfs, sysfs=sysfs)
    tables.about = about(
        begin,
        counted=found is not None,
        why=None if why is None else str(why),
        changed=_layout(before) != _layout(kernel.zones) or ram != iomem.system_ram(procfs),
        ksm_told=found.ksm_told if found is not None else None,
        total=kernel.meminfo.get("MemTotal"),
        system_ram=None if ram is None else sum(end - start for start, end in ram) << PAGE_SHIFT,
        managed=kernel.of_zones("managed"),
        on_lists=kernel.of_zones("on_lists"),
        pinned=None if kernel.pinned is None else kernel.pinned * PAGE_SIZE,
        block=PAGE_SIZE << block_order,
        blockers=None if found is None or blockers is None else found.all_blocks,
        runs=None if found is None or runs is None else found.all_runs,
        pageblocks=pagetypeinfo.total(procfs),
    )
    if groups:
        tables.about |= {"by": by, **groups.spaces.about()}
    return Memory(
        tables.kinds(),
        tables.zones(),
        tables.nodes(),
        tables.orders(free),
        tables.figures(order),
        tables.swaps(),
        None if found is None else tables.table("blocks", memory_blocks.blocks(here, found)),
        tables.table("cgroups", memory_cgroups.rows_of(found, procfs)) if cgroups else None,
        tables.table("groups", groups.rows(found)) if groups and found is not None else None,
        None
        if found is None or blockers is None
        else tables.table("blockers", memory_blocks.blockers(here, found, block_order)),
        None
        if found is None or runs is None
        else tables.table("runs", memory_blocks.runs(here, found)),
    )


def _unknown(procfs: str) -> PagemapError:
    """The error where nobody tells which frames there are."""
    return no_proc(procfs) or Unsupported(
        f"cannot tell which frames there are: {procfs}/zoneinfo has no zones; mount proc without "
        "subset=pid, which shows processes alone",
        operation="tell what memory is used for",
        path=f"{procfs}/zoneinfo",
    )


def _layout(found: list[Zone] | None) -> list[tuple[int, ...]]:
    return [(zone.node, zone.start, zone.spanned, zone.present) for zone in found or ()]
