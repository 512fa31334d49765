"""The sums of a result that comes in several tables."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pagemap._tables.table import Table

__all__ = ["Sums"]


class Sums(dict[str, "Any"]):
    """Sums of the columns of several tables; complete after the last table was read."""

    def over(self, tables: Iterator[Table[Any]]) -> Iterator[Table[Any]]:
        """The same tables; the sums grow as each is read."""
        rows = 0
        for table in tables:
            if not rows:
                self.clear()  # tables of no rows leave nothing unknown in the sums of others
            if len(table) or not rows:
                self._add(table)
            rows += len(table)
            yield table

    def _add(self, table: Table[Any]) -> None:
        total = table.total()
        for column in table.schema:
            if column.adds:
                value = getattr(total, column.name)
                before = self.get(column.name, 0)
                unknown = value is None or before is None
                self[column.name] = None if unknown else before + value
