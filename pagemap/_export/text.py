"""The text dump: `address pfn soft-dirty file/shared swapped present label`, numbers in hex.

Where PFNs are hidden, ``-`` stands in the pfn column of a present or swapped page.
"""

from __future__ import annotations

from pagemap._kernel.maps import as_written
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._process import Process

__all__ = ["header", "label", "printable_label"]


def header(process: Process) -> bytes:
    """The names of the columns."""
    return b"addr pfn soft-dirty file/shared swapped present library\n"


def label(raw: bytes) -> bytes:
    """The path as maps wrote it: its newlines are escaped there, so a row stays a line."""
    return b" %b\n" % as_written(raw)


def printable_label(raw: bytes) -> bytes:
    """The path for a terminal, which nothing in it drives."""
    return b" %b\n" % printable(as_written(raw).decode("utf-8", "surrogateescape")).encode()
