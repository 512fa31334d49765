"""How much of many processes lies in transparent huge pages."""

from __future__ import annotations

from contextlib import closing
from time import time

from pagemap._analyses.huge import huge
from pagemap._space.about import about
from pagemap._tables.table import Table
from pagemap._vocabulary.rows.huge import HUGE, HUGE_PROCESSES, shares_of, with_sizes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._space.every_process import EveryProcess
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._vocabulary.rows.huge import HugeProcessRow, HugeRow

__all__ = ["huge_mappings", "huge_processes"]


def huge_mappings(
    every: EveryProcess | SavedProcesses, *, sizes: bool, conts: Sequence[int], threads: int | None
) -> Table[HugeRow]:
    """The rows of `Process.huge`, of each process; those that cannot be read are noted in `every`.

    Raises what holds for all processes: PfnsHidden, Unsupported.
    """
    begin = time()

    def look(pid: int) -> Table[HugeRow]:
        with closing(every.open(pid)) as space:
            return huge(space, sizes=sizes, conts=conts, threads=threads)

    parts = [Table.of_rows(with_sizes(HUGE, sizes=sizes, conts=conts), ())]
    parts += [table for _, table in every.read(look)]
    return _about(Table.joined(parts), begin, every)


def huge_processes(
    every: EveryProcess | SavedProcesses, *, sizes: bool, conts: Sequence[int], threads: int | None
) -> Table[HugeProcessRow]:
    """A row for each process: the sums of all its mappings. Raises as `huge_mappings`."""
    begin = time()
    schema = with_sizes(HUGE_PROCESSES, sizes=sizes, conts=conts)

    def look(pid: int) -> HugeRow:
        with closing(every.open(pid)) as space:
            return huge(space, sizes=sizes, conts=conts, threads=threads).total()

    rows = []
    for pid, total in every.read(look):
        sharers = tuple(map(int, every.sharers.get(pid, ()))) if every.sharers_known else None
        anon_share, file_share = shares_of(total.rss, total.anon, total.anon_thp, total.file_thp)
        who = {
            "pid": int(pid),
            "sharers": sharers,
            "name": every.names.get(pid),
            "anon_share": anon_share,
            "file_share": file_share,
        }
        rows.append([who[name] if name in who else getattr(total, name) for name in schema.names])
    return _about(Table.of_rows(schema, rows), begin, every)


def _about(table: Table, begin: float, every: EveryProcess | SavedProcesses) -> Table:
    table.about = {**about(begin), **every.about()}
    return table
