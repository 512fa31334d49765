"""Footprints of many processes, whatever happens to them meanwhile.

Those that end or forbid reading are left out, and named in the `about` of the result. Totals cost
one open and one read of smaps_rollup each, below a descriptor of the process's folder, so that a
pid that is reused midway never lends its name to another's numbers.
"""

from __future__ import annotations

import time
from contextlib import closing

from pagemap._analyses.footprint import (
    about_gentle,
    check_gentle,
    mapping_rows,
    parted,
    read_sums,
    with_share,
)
from pagemap._analyses.footprint_files import of_paths
from pagemap._analyses.footprint_groups import OF_GROUPS, with_amounts
from pagemap._errors import UsageError
from pagemap._kernel import task
from pagemap._kernel.cgroup_members import pids_of
from pagemap._space.about import about
from pagemap._space.arguments import pid_of
from pagemap._space.every_process import EveryProcess
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_several
from pagemap._vocabulary.rows.footprint import (
    FOOTPRINTS,
    MAPPING_FOOTPRINTS,
    PATH_FOOTPRINTS,
    FootprintRow,
    FootprintSums,
    MappingFootprintRow,
    PathFootprintRow,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Literal, overload

    from pagemap._analyses.gentle import Gentle
    from pagemap._kernel.folder import Folder
    from pagemap._space.arguments import Target
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._vocabulary.schema import Schema

__all__ = ["SCHEMAS", "footprints", "footprints_of"]

SCHEMAS: dict[str, Schema[Any]] = {
    "process": FOOTPRINTS,
    "mapping": MAPPING_FOOTPRINTS,
    "path": PATH_FOOTPRINTS,
}
"""The schema of the rows for each process, each mapping, and each file."""

_TOLD_APART: dict[str, Callable[[Folder], str | int | None]] = {
    "user": task.user,
    "cgroup": task.cgroup,
    "container": task.container,
    "session": task.session,
    "exe": task.exe,
    "cmdline": task.cmdline,
    "page_tables": task.page_tables,
    "oom_score": task.oom_score,
    "oom_score_adj": task.oom_score_adj,
}
_PARTS = {"file", "shmem", "size"}

if TYPE_CHECKING:

    @overload
    def footprints(
        pids: Iterable[Target] | None = ...,
        *,
        by: Literal["process"] = ...,
        cgroup: str | None = ...,
        gentle: Gentle | None = ...,
        procfs: str = ...,
    ) -> Table[FootprintRow]: ...
    @overload
    def footprints(
        pids: Iterable[Target] | None = ...,
        *,
        by: Literal["mapping"],
        cgroup: str | None = ...,
        gentle: Gentle | None = ...,
        procfs: str = ...,
    ) -> Table[MappingFootprintRow]: ...
    @overload
    def footprints(
        pids: Iterable[Target] | None = ...,
        *,
        by: Literal["path"],
        cgroup: str | None = ...,
        gentle: Gentle | None = ...,
        procfs: str = ...,
    ) -> Table[PathFootprintRow]: ...
    @overload
    def footprints(
        pids: Iterable[Target] | None = ...,
        *,
        names: Sequence[str] | None,
        by: Literal["process", "mapping", "path"] = ...,
        cgroup: str | None = ...,
        gentle: Gentle | None = ...,
        procfs: str = ...,
    ) -> Table[Any]: ...


def footprints(
    pids: Iterable[Target] | None = None,
    *,
    names: Sequence[str] | None = None,
    by: Literal["process", "mapping", "path"] = "process",
    cgroup: str | None = None,
    gentle: Gentle | None = None,
    procfs: str = "/proc",
) -> Table[Any]:
    """How much memory processes take: those in `pids`, those of a `cgroup` directory, or all.

    There is a row for each process (`FootprintRow`), or, with `by` "mapping" or "path", for each
    mapping or each mapped file (`MappingFootprintRow`, `PathFootprintRow`). `names` are the
    columns, by default all; user, cgroup, container, session, exe, cmdline, page_tables, oom_score
    and oom_score_adj of processes are read only if they are named, because they cost more, and so
    is frees (see `freed`), which takes another pass over all of them. With `gentle` (a
    `pagemap.Gentle`) page tables are read in small chunks.

    The `about` of the table has `left_out`, the processes that ended or may not be read, and
    `complete`, whether there are none of these. ``sharers[pid]`` are the other processes with the
    address space of `pid`, which is read once (`sharers_known`: whether these could be found).
    `memory` is the memory of the machine, in bytes.

    Raises errors that concern all processes: Unsupported, PfnsHidden, UsageError; and NoSuchProcess
    if there is no such cgroup, or no process can be seen.

    >>> import os, pagemap
    >>> table = pagemap.footprints([os.getpid()])
    >>> table[0].pid == os.getpid(), table[0].uss <= table[0].rss
    (True, True)
    """
    check_gentle(gentle)
    if by not in SCHEMAS:
        raise UsageError(f"by is one of {', '.join(SCHEMAS)}, not {by!r}")
    if pids is not None and cgroup is not None:
        raise UsageError("give pids or a cgroup, not both")
    if names is not None:
        names = SCHEMAS[by].select(names).names
    if pids is not None:
        check_several("pids", pids, "an iterable of pids, such as [1234]")
    given = None if pids is None else [pid_of(each) for each in pids]
    others: Iterable[int] | None = None if given is None else ()
    if cgroup is not None:
        others = pids_of(cgroup, procfs=procfs)
    every = EveryProcess(given or (), others=others, procfs=procfs)
    table = footprints_of(every, names=names, by=by, gentle=gentle)
    return table.select(names)


def footprints_of(
    every: EveryProcess | SavedProcesses,
    *,
    names: Sequence[str] | None = None,
    by: str = "process",
    gentle: Gentle | None = None,
    group: str | None = None,
) -> Table[Any]:
    """See `footprints`; of these processes, with all columns: some are read where named.

    `group` is the column by which the rows of processes are going to be grouped.
    """
    began = time.time()
    memory = every.memory()
    rows: list[Any]
    of_groups: dict[str, object] = {}
    if by == "process":
        wanted = set(_PARTS if names is None else names)
        rows = _of_processes(every, wanted, gentle, memory)
        if wanted.intersection(OF_GROUPS) and isinstance(every, EveryProcess):
            rows, of_groups = with_amounts(rows, wanted, group, every)
    else:
        rows = _of_mappings(every, gentle, memory)
        if by == "path":
            rows = of_paths(rows, every, memory)
    more = {**every.about(), **about_gentle(gentle), **of_groups}
    said = {**about(began), "memory": memory, **more}  # of a snapshot its own machine and time
    return Table.of_rows(SCHEMAS[by], rows, about=said)


def _of_processes(
    every: EveryProcess | SavedProcesses,
    wanted: set[str],
    gentle: Gentle | None,
    memory: int | None,
) -> list[FootprintRow]:
    def more(folder: Folder) -> list[str | int | None]:
        told = [read(folder) if name in wanted else None for name, read in _TOLD_APART.items()]
        missing = any(
            name in wanted and value is None for name, value in zip(_TOLD_APART, told, strict=True)
        )
        if missing and folder.is_gone():
            raise folder.vanished("exited")
        return told

    def sums_of(pid: int) -> tuple[FootprintSums, list[str | int | None]]:
        with closing(every.folder(pid)) as folder:
            sums = read_sums(folder)
            return parted(sums, folder) if _PARTS & wanted else sums, more(folder)

    def walked(pid: int) -> tuple[FootprintSums, list[str | int | None]]:
        assert gentle is not None
        with every.open(pid) as process:
            process.require_live("walk gently")
            sums = gentle.total(process)
            size = task.size_and_shmem(process.folder)[0] if "size" in wanted else None
            return sums._replace(size=size), more(process.folder)

    found = list(every.read(sums_of if gentle is None else walked))
    return [
        FootprintRow._make(
            (
                int(pid),
                tuple(map(int, every.sharers.get(pid, ()))) if every.sharers_known else None,
                *with_share(sums, memory),
                every.names[pid],
                *told,
                *(None for _ in OF_GROUPS),
            )
        )
        for pid, (sums, told) in found
    ]


def _of_mappings(
    every: EveryProcess | SavedProcesses, gentle: Gentle | None, memory: int | None
) -> list[MappingFootprintRow]:
    def listed(pid: int) -> list[MappingFootprintRow]:
        with every.described(pid) as process:
            return list(mapping_rows(process, gentle, memory))

    return [row for _, rows in every.read(listed) for row in rows]
