"""The types of rows of a choice of columns, made when they are needed."""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["row_type"]

_made: dict[tuple[str, tuple[str, ...]], Any] = {}


def row_type(schema: str, names: tuple[str, ...]) -> Any:
    """The type of rows, the same one for the same columns."""
    made: Any = _made.get((schema, names))
    if made is None:
        made = _made[schema, names] = namedtuple(_name(schema), names)  # noqa: PYI024 - its fields are known at run time alone
        made.__reduce__ = lambda row: (_row, (schema, names, tuple(row)))
    return made


def _name(schema: str) -> str:
    """The name of the type: of "pagemap.working_set" it is WorkingSetRow."""
    words = schema.removeprefix("pagemap.").replace(".", "_").split("_")
    name = "".join(map(str.capitalize, words)) + "Row"
    return name if name.isidentifier() else "Row"


def _row(schema: str, names: tuple[str, ...], cells: tuple[Any, ...]) -> Any:
    """A row out of a pickle."""
    return row_type(schema, names)(*cells)
