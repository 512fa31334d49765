"""What was written in a round, as a Table: by region, or by mapping."""

from __future__ import annotations

import operator
from array import array

from pagemap._history.found import HOW
from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.rows.written import WRITES, WRITTEN, WritesRow, WrittenRow
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._history.found import Found
    from pagemap._history.spans import Spans
    from pagemap._native.lines import Words
    from pagemap._space.address_space import AddressSpace

__all__ = ["by_mapping", "written_table"]


def written_table(
    pid: int, spans: Spans, found: Found, about: dict[str, object]
) -> Table[WrittenRow]:
    """A row for each region."""
    lines = spans.lines
    number = list(map(spans.line.__getitem__, found.numbers))
    sizes = array("Q", map(operator.sub, found.ends, found.starts))
    return Table(
        WRITTEN,
        {
            "pid": _numbers(array("Q", [pid]) * len(found)),
            "start": _numbers(found.starts),
            "end": _numbers(found.ends),
            "size": _numbers(sizes),
            "pages": _numbers(array("Q", [size >> PAGE_SHIFT for size in sizes])),
            "how": Texts(memoryview(found.how).toreadonly(), list(HOW)),
            "perms": _texts(lines.perms, number),
            "mapping": _numbers(array("Q", map(lines.bounds[::2].__getitem__, number))),
            "path": _texts(lines.paths, number),
        },
        about=about,
    )


def _numbers(values: array[int]) -> memoryview[int]:
    return memoryview(values).toreadonly().cast("B").cast("q")


def _texts(column: Words, number: list[int]) -> Texts:
    """Those of these lines."""
    return Texts(memoryview(array("i", map(column.codes.__getitem__, number))), column.words)


def by_mapping(process: AddressSpace, written: Table[WrittenRow]) -> Table[WritesRow]:
    """A row for each mapping in which something was written, or could be: it is writable now."""
    from pagemap._analyses.tally import tally

    sums: dict[int, dict[str, int]] = {}
    last: dict[int, WrittenRow] = {}
    for row in written:
        each = sums.setdefault(row.mapping, dict.fromkeys(HOW, 0))
        each[row.how] += row.size
        last[row.mapping] = row
    rows = []
    for mapping in tally(process, ["present", "swap"], None):
        populated = None
        if mapping.present is not None and mapping.swap is not None:
            populated = mapping.present + mapping.swap
        each = sums.pop(mapping.start, dict.fromkeys(HOW, 0))
        total = sum(each.values())
        if total or (populated and "w" in mapping.perms):
            rows.append(
                WritesRow(
                    process.pid,
                    mapping.start,
                    mapping.end,
                    mapping.perms,
                    mapping.size,
                    populated,
                    total,
                    min((total - each["gone"]) / populated, 1.0) if populated else None,
                    each["new"],
                    each["untracked"],
                    each["gone"],
                    mapping.path,
                )
            )
    for start, each in sums.items():  # gone by now, or another one's beginning
        row = last[start]
        rows.append(
            WritesRow(
                row.pid,
                start,
                row.end,
                row.perms,
                row.end - start,
                None,
                sum(each.values()),
                None,
                each["new"],
                each["untracked"],
                each["gone"],
                row.path,
            )
        )
    return Table.of_rows(WRITES, sorted(rows), about=written.about)
