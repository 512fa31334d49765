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
        made = _made[schema, names] = namedtuple("Row", names)  # noqa: PYI024 - its fields are known at run time alone
        made.__reduce__ = lambda row: (_row, (schema, names, tuple(row)))
    return made


def _row(schema: str, names: tuple[str, ...], cells: tuple[Any, ...]) -> Any:
    """A row out of a pickle."""
    return row_type(schema, names)(*cells)
