"""Mappings as the columns of a Table: those that C filled."""

from __future__ import annotations

from pagemap._tables.table import Texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._native.lines import Lines, Words
    from pagemap._tables.values import Values

__all__ = ["mapping_columns"]


def mapping_columns(lines: Lines) -> dict[str, Values]:
    """The columns of `pagemap._vocabulary.rows.mapping.MAPPINGS`."""
    return {
        "start": _signed(lines.bounds[::2].tobytes()),
        "end": _signed(lines.bounds[1::2].tobytes()),
        "perms": _texts(lines.perms),
        "offset": _signed(lines.offsets),
        "dev": _texts(lines.devices),
        "inode": _signed(lines.inodes),
        "path": _texts(lines.paths),
    }


def _texts(column: Words) -> Texts:
    return Texts(column.codes.toreadonly(), column.words)


def _signed(numbers: bytes | memoryview) -> memoryview[int]:
    return memoryview(numbers).cast("B").cast("q").toreadonly()
