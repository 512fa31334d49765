"""Mappings with what smaps alone tells of them: page sizes, flags, what is locked or merged."""

from __future__ import annotations

from pagemap._tables.table import Table
from pagemap._tables.values import packed
from pagemap._vocabulary.rows.whole_mapping import with_smaps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._tables.values import Values
    from pagemap._vocabulary.rows.footprint import MappingFootprintRow
    from pagemap._vocabulary.rows.tally import TallyRow

__all__ = ["with_footprints"]


def with_footprints(
    table: Table[TallyRow], footprints: Table[MappingFootprintRow], names: Sequence[str]
) -> Table[Any]:
    """The rows of a tally with these columns of footprints.

    Mappings are the same that begin at the same address; one that is not among these came
    meanwhile, and nothing is known of it.
    """
    schema = with_smaps(names)
    places = {start: row for row, start in enumerate(footprints.cells("start"))}
    rows = [places.get(start) for start in table.cells("start")]
    columns: dict[str, Values] = {name: table[name] for name in table.schema.names}
    known = {name: table.valid(name) for name in table.schema.names}
    for column in schema.columns[len(table.schema) :]:
        cells = list(footprints.cells(column.name))
        values = [None if row is None else cells[row] for row in rows]
        columns[column.name] = packed(column, values)
        known[column.name] = memoryview(bytes(each is not None for each in values)).cast("?")
    valid = {name: each for name, each in known.items() if each is not None}
    return Table(schema, columns, valid=valid, about=table.about)
