"""Tables as CSV (RFC 4180, but with bare newlines): the names of the columns, then the rows.

What is not known is empty; text drives neither a terminal nor a spreadsheet.
"""

from __future__ import annotations

from pagemap._export.cells import csv_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from pagemap._tables.table import Table

__all__ = ["write"]


def write(
    tables: Iterable[Table[Any]],
    write: Callable[[bytes], object],
    *,
    header: bool = True,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write the tables, one at least, which are of one schema; `extra` begins each row."""
    extra = extra or {}
    for table in tables:
        if header:
            write(",".join((*extra, *table.schema.names)).encode() + b"\n")
            header = False
        for lines in csv_lines(table, extra):
            write(lines)
