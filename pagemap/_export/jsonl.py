"""Tables as JSON lines: an object for each row, and nothing else."""

from __future__ import annotations

from pagemap._export.cells import json_lines

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
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write the tables, which are of one schema; `extra` begins each row."""
    for table in tables:
        for lines in json_lines(table, extra or {}):
            write(lines)
