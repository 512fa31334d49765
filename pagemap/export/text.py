"""The text dump: `address pfn soft-dirty file/shared swapped present label`, numbers in hex.

Where PFNs are hidden, ``-`` stands in the pfn column of a present or swapped page.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap.process import Process

__all__ = ["header", "label"]


def header(process: Process) -> bytes:
    """The names of the columns."""
    return b"addr pfn soft-dirty file/shared swapped present library\n"


def label(raw: bytes) -> bytes:
    """The path as maps wrote it: its newlines are escaped there, so a row stays a line."""
    return b" %b\n" % raw
