"""How much memory comes back when processes end, by the kernel's sums: without privileges."""

from __future__ import annotations

from contextlib import closing

from pagemap._analyses.footprint import mapping_rows
from pagemap._analyses.freed_groups import Ending
from pagemap._errors import PagemapError
from pagemap._kernel import task
from pagemap._kernel.kernel_stacks import stack_size
from pagemap._space.every_process import EveryProcess
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.freed import FreedRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pagemap._analyses.freed_groups import Group
    from pagemap._vocabulary.rows.footprint import MappingFootprintRow

__all__ = ["NOT_TOLD", "estimated"]

NOT_TOLD = (
    "whether memory is shared within the group or with others: it counts as staying",
    "shared memory that ends with them: it counts as staying",
)
"""What only page tables and frames tell."""


class _Sums(Record):
    """What the kernel's sums tell of one address space, in bytes."""

    anon: int = field("bytes", "anonymous memory that is mapped once")
    anon_share: int = field("bytes", "anonymous memory divided by its mappings")
    all_anon: int = field("bytes", "all anonymous memory")
    cache: int = field("bytes", "cache of files that is mapped once")
    all_cache: int = field("bytes", "all cache of files")
    shmem: int = field("bytes", "shared memory")
    hugetlb: int = field("bytes", "hugetlb pages that are mapped once")
    swap: int = field("bytes", "in swap, of one user")
    tables: int = field("bytes", "its page tables")
    threads: int = field("", "its threads, and those of processes with the same address space")


def estimated(
    chosen: Collection[int] | None, by: str | None, label: str | None, *, procfs: str
) -> tuple[EveryProcess, list[FreedRow], dict[str, object]]:
    """The processes that were read, a row for each group, and what `about` says of them."""
    every = EveryProcess(chosen or (), procfs=procfs)
    ending = Ending(every, chosen, by, label)
    wanted = {pid for group in ending.groups for pid in group.spaces}
    every.pids[:] = [pid for pid in every.pids if pid in wanted]
    stack = stack_size(procfs)

    def look(pid: int) -> _Sums:
        with every.open(pid) as process:
            rows = list(mapping_rows(process, None, None))
            threads = _threads(every, [pid, *every.sharers.get(pid, ())])
            return _added(rows, task.page_tables(process.folder) or 0, threads)

    found = dict(every.read(look))
    rows = []
    shared = 0
    for group in ending.groups:
        sums = [found[pid] for pid in group.spaces if pid in found]
        if not sums:
            continue
        total = _Sums._make(map(sum, zip(*sums, strict=True)))
        processes = sum(1 + len(every.sharers.get(pid, ())) for pid in group.spaces if pid in found)
        rows.append(_row(group, processes, total, stack))
        shared += total.anon_share - total.anon
    frees = sum(row.frees for row in rows)
    return every, rows, {
        "estimated": True,
        "at_most": frees + shared,
        "held": list(map(int, ending.held)),
        "stack": stack,
        "beyond": 0,
        "not_seen": list(NOT_TOLD),
    }  # fmt: skip


def _row(group: Group, processes: int, total: _Sums, stack: int | None) -> FreedRow:
    stacks = None if stack is None else stack * total.threads
    stays = (total.all_anon - total.anon, total.all_cache - total.cache, total.shmem)
    return FreedRow(
        group=group.label or None,
        processes=processes,
        frees=total.anon + total.tables + (stacks or 0),
        anon=total.anon,
        shmem=None,
        page_tables=total.tables,
        kernel_stacks=stacks,
        hugetlb=total.hugetlb,
        swap=total.swap,
        droppable=total.cache,
        stays=sum(stays),
        stays_anon=stays[0],
        stays_file=stays[1],
        stays_shmem=stays[2],
        name=group.name,
    )


def _added(rows: Iterable[MappingFootprintRow], tables: int, threads: int) -> _Sums:
    anon = anon_share = all_anon = cache = all_cache = shmem = hugetlb = swap = 0
    for row in rows:
        own, all_own, share = row.uss or 0, row.anon or 0, row.pss or 0
        alone = min(own, all_own)  # of a private mapping of a file some pages are its cache
        anon += alone
        all_anon += all_own
        anon_share += max(alone, min(share, all_own))
        shmem += row.shmem or 0
        if not row.shmem:
            cache += own - alone
        all_cache += row.file or 0
        hugetlb += row.private_hugetlb or 0
        swap += row.swap or 0 if row.swap == row.swap_pss else 0
    return _Sums(
        anon, anon_share, all_anon, cache, all_cache, shmem, hugetlb, swap, tables, threads
    )


def _threads(every: EveryProcess, pids: Sequence[int]) -> int:
    total = 0
    for pid in pids:
        try:
            with closing(every.folder(pid)) as folder:
                total += task.threads(folder) or 0
        except PagemapError:
            continue
    return total
