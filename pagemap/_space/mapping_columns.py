"""Mappings as the columns of a Table: those that C filled, and each path decoded once."""

from __future__ import annotations

from pagemap._kernel.maps import decode_path
from pagemap._native.lines import Lines
from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.rows.mapping import MAPPINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._tables.values import Values
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["mapping_columns", "mapping_table"]


def mapping_table(text: bytes, about: dict[str, object]) -> Table[Mapping]:
    """The mappings in `text`, whole lines of maps."""
    return Table(MAPPINGS, mapping_columns(Lines(text)), about=about)


def mapping_columns(lines: Lines) -> dict[str, Values]:
    """The columns of `pagemap._vocabulary.rows.mapping.MAPPINGS`."""
    return {
        "start": _signed(lines.bounds[::2].tobytes()),
        "end": _signed(lines.bounds[1::2].tobytes()),
        "perms": Texts(lines.perms.codes, [word.decode() for word in lines.perms.words]),
        "offset": _signed(lines.offsets),
        "dev": Texts(lines.devices.codes, [word.decode() for word in lines.devices.words]),
        "inode": _signed(lines.inodes),
        "path": Texts(lines.paths.codes, [decode_path(word) for word in lines.paths.words]),
    }


def _signed(numbers: bytes | memoryview) -> memoryview[int]:
    return memoryview(numbers).cast("B").cast("q").toreadonly()
