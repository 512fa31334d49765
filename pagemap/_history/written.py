"""What was written in a round, as a Table: by region, or by mapping."""

from __future__ import annotations

from array import array

from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.rows.written import WRITES, WRITTEN, WritesRow, WrittenRow
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._history.spans import Region, Spans
    from pagemap._space.address_space import AddressSpace

__all__ = ["HOW", "by_mapping", "written_table"]

HOW = ("tracked", "new", "untracked")


def written_table(
    pid: int, spans: Spans, regions: Sequence[Region], about: dict[str, object]
) -> Table[WrittenRow]:
    """A row for each region."""
    lines = spans.lines
    number = [spans.line[each] for _, _, each, _ in regions]
    sizes = [end - start for start, end, _, _ in regions]
    codes = {how: code for code, how in enumerate(HOW)}
    return Table(
        WRITTEN,
        {
            "pid": _numbers([pid] * len(regions)),
            "start": _numbers(start for start, _, _, _ in regions),
            "end": _numbers(end for _, end, _, _ in regions),
            "size": _numbers(sizes),
            "pages": _numbers(size >> PAGE_SHIFT for size in sizes),
            "how": _texts((codes[how] for _, _, _, how in regions), HOW),
            "perms": _texts(
                (lines.perms.codes[line] for line in number),
                lines.perms.words,
            ),
            "mapping": _numbers(lines.bounds[2 * line] for line in number),
            "path": _texts(
                (lines.paths.codes[line] for line in number),
                lines.paths.words,
            ),
        },
        about=about,
    )


def _numbers(values: Iterable[int]) -> memoryview[int]:
    return memoryview(array("Q", values)).toreadonly().cast("B").cast("q")


def _texts(codes: Iterable[int], words: Sequence[str]) -> Texts:
    return Texts(memoryview(array("i", codes)).toreadonly(), list(words))


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
                    mapping.size,
                    mapping.perms,
                    populated,
                    total,
                    min(total / populated, 1.0) if populated else None,
                    each["new"],
                    each["untracked"],
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
                row.end - start,
                row.perms,
                None,
                sum(each.values()),
                None,
                each["new"],
                each["untracked"],
                row.path,
            )
        )
    return Table.of_rows(WRITES, sorted(rows), about=written.about)
