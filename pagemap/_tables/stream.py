"""A result that is too large to hold: tables of one schema, one after another."""

from __future__ import annotations

from pagemap._tables.table import Table
from pagemap._vocabulary.of_rows import OfRows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._vocabulary.of_rows import Row as _Row
    from pagemap._vocabulary.schema import Schema

__all__ = ["Stream"]


class Stream(OfRows["_Row"]):
    """Tables under a `schema`, each of up to 2^20 rows. Whoever iterates reads them anew.

    There is one table at least, be it empty, so whoever writes them knows the columns.
    """

    __slots__ = ("schema",)

    schema: Schema[_Row]

    def __iter__(self) -> Iterator[Table[_Row]]:
        raise NotImplementedError

    def rows(self) -> Iterator[_Row]:
        """The rows of all tables, one by one."""
        for table in self:
            yield from table

    def snapshot(self) -> Table[_Row]:
        """All rows in one table, read now: for those who look at one moment more than once."""
        return Table.joined(self)

    def __arrow_c_schema__(self) -> object:
        """The schema, for consumers of Arrow."""
        return Table.of_rows(self.schema, ()).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """All rows, read now and held in memory, for consumers of Arrow."""
        return self.snapshot().__arrow_c_stream__()
