"""By how much the amounts of a table changed since the last round."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._tables.table import Table

__all__ = ["Changes"]


class Changes:
    """Remembers the amounts of one look for the next one, by the key columns of the rows."""

    def __init__(self) -> None:
        self._before: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._first = True

    def of(self, table: Table, name: str) -> list[int]:
        """For each row how much more it is than at the look before; 0 where that is not known."""
        changes = []
        for key, cell in zip(_keys(table), table.cells(name), strict=True):
            before = self._before.get(key, {}).get(name, None if self._first else 0)
            changes.append(0 if cell is None or before is None else cell - before)
        return changes

    def keep(self, table: Table) -> None:
        """Take these rows for those of the look before."""
        amounts = [column.name for column in table.schema if column.is_amount]
        rows = zip(*(table.cells(name) for name in amounts), strict=True)
        if amounts:
            self._before = {
                key: dict(zip(amounts, row, strict=True))
                for key, row in zip(_keys(table), rows, strict=True)
            }
        self._first = False


def _keys(table: Table) -> Sequence[tuple[Any, ...]]:
    keys = [column.name for column in table.schema if column.key]
    if not keys:  # groups: the first column says of what
        keys = [table.schema.names[0]]
    return list(zip(*(table.cells(name) for name in keys), strict=True))
