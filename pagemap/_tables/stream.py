"""A result that is too large to hold: tables of one schema, one after another."""

from __future__ import annotations

from pagemap._tables.table import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Generic

    from typing_extensions import TypeVar

    from pagemap._vocabulary.schema import Schema

    _Row = TypeVar("_Row", default=Any)

    class _Base(Generic[_Row]):
        """To type checkers a stream is of its rows."""

        __slots__ = ()
else:

    class _Base:
        __slots__ = ()

        def __class_getitem__(cls, row: object) -> type:
            return cls


__all__ = ["Stream"]


class Stream(_Base["_Row"]):
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
