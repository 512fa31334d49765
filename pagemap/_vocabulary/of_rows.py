"""The base of what is generic over rows: schemas, tables and streams.

At run time it is a plain class that takes ``Table[FootprintRow]``, for typing is slow to import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic

    from typing_extensions import TypeVar

    Row = TypeVar("Row", default=Any)

    class OfRows(Generic[Row]):
        """What has, or describes, rows of a class."""

        __slots__ = ()
else:

    class OfRows:
        __slots__ = ()

        def __class_getitem__(cls, row: object) -> type:
            return cls


__all__ = ["OfRows"]
