"""Footprints with a column for each NUMA node."""

from __future__ import annotations

from array import array

from pagemap._analyses.nodes import nodes_of
from pagemap._errors import (
    NoSuchProcess,
    PagemapError,
    PfnsHidden,
    TargetVanished,
    Unsupported,
)
from pagemap._tables.table import Table
from pagemap._vocabulary.rows.node import PLACED, with_nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._space.every_process import EveryProcess
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._tables.values import Values
    from pagemap._vocabulary.rows.node import NodeRow

__all__ = ["add_nodes"]

_GONE: dict[int | None, list[int | None]] = {}


def add_nodes(
    table: Table[Any],
    every: EveryProcess | SavedProcesses,
    nodes: Sequence[int],
    *,
    policies: bool = True,
    sysfs: str = "/sys",
) -> Table[Any]:
    """The same rows, of processes or mappings, with the columns of `with_nodes`.

    A process that ended meanwhile is left out of `every`, and has no rows; cells of one that may
    not be read are unknown. Raises what holds for all: PfnsHidden, Unsupported.
    """
    schema = with_nodes(table.schema, nodes)
    found = {
        pid: _sums(every, pid, nodes, policies, sysfs, apart="start" in table.schema)
        for pid in dict.fromkeys(table.cells("pid"))
    }
    gone = {pid for pid, sums in found.items() if sums is _GONE}
    if gone:
        table = table.where(lambda row: row.pid not in gone)
    pids: list[int] = list(table.cells("pid"))
    starts: list[int | None] = [None] * len(pids)
    if "start" in table.schema:
        starts = list(table.cells("start"))
    nothing = [0] * (len(schema) - len(table.schema))
    unknown: list[int | None] = [None] * len(nothing)
    cells = [
        unknown if (sums := found[pid]) is None else sums.get(start, nothing)
        for pid, start in zip(pids, starts, strict=True)
    ]
    columns: dict[str, Values] = {name: table[name] for name in table.schema.names}
    known = {name: table.valid(name) for name in table.schema.names}
    for number, name in enumerate(schema.names[len(table.schema) :]):
        values = [row[number] for row in cells]
        columns[name] = memoryview(array("q", [value or 0 for value in values])).toreadonly()
        known[name] = memoryview(bytes(value is not None for value in values)).cast("?")
    valid = {name: each for name, each in known.items() if each is not None}
    said = {**table.about, **every.about(), "nodes": list(nodes)}
    return Table(schema, columns, valid=valid, about=said)


def _sums(
    every: EveryProcess | SavedProcesses,
    pid: int,
    nodes: Sequence[int],
    policies: bool,
    sysfs: str,
    *,
    apart: bool,
) -> dict[int | None, list[int | None]] | None:
    """The cells of a process, or with `apart` of each of its mappings; None where none is known.

    _GONE of one that ended, with all that share its memory.
    """
    rows: Table[NodeRow] | None = None
    for each in (pid, *every.sharers.get(pid, ())):
        try:
            with every.described(each) as process:
                rows = nodes_of(process, policies=policies, sysfs=sysfs, threads=None)
        except (PfnsHidden, Unsupported):
            raise
        except (NoSuchProcess, TargetVanished) as error:
            ended = error
        except PagemapError:  # it may not be read; its sums were
            return None
        else:
            break
    else:
        every.sharers.pop(pid, None)
        every.leave_out(pid, ended)
        return _GONE
    groups: dict[int | None, list[NodeRow]] = {} if apart else {None: []}
    for row in rows:
        groups.setdefault(row.start if apart else None, []).append(row)
    return {key: _cells(group, nodes) for key, group in groups.items()}


def _cells(rows: Sequence[NodeRow], nodes: Sequence[int]) -> list[int | None]:
    here = [row for row in rows if row.node is not None]
    sizes = dict.fromkeys(nodes, 0)
    for row in here:
        if row.node in sizes:
            sizes[row.node] += row.resident
    return [
        *sizes.values(),
        *(_total([getattr(row, each.name) for row in here]) for each in PLACED),
    ]


def _total(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
