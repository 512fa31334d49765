"""The CSV dump (RFC 4180, but with bare newlines): `pagemap._space.pages.COLUMNS`, then the path.

Addresses and PFNs are hex with ``0x``, swap offsets decimal, flags 0 or 1; what is unknown is
empty.
"""

from __future__ import annotations

from pagemap._kernel.maps import as_written
from pagemap._space.pages import COLUMNS
from pagemap._vocabulary.text import csv_cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._process import Process

__all__ = ["header", "label"]


def header(process: Process) -> bytes:
    """The names of the columns."""
    return ",".join((*COLUMNS, "path")).encode("ascii") + b"\n"


def label(raw: bytes) -> bytes:
    """The path, in a cell that drives neither a terminal nor a spreadsheet."""
    # A newline stays the \\012 that maps has for it.
    return csv_cell(as_written(raw).decode("utf-8", "surrogateescape")).encode() + b"\n"
