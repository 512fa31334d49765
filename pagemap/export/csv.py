"""The CSV dump (RFC 4180, but with bare newlines): `pagemap.pages.COLUMNS`, then the path.

Addresses and PFNs are hex with ``0x``, swap offsets decimal, flags 0 or 1; what is unknown is
empty.
"""

from __future__ import annotations

from pagemap.pages import COLUMNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap.process import Process

__all__ = ["header", "label"]

_SPECIAL = frozenset(b',"\n\r')


def header(process: Process) -> bytes:
    """The names of the columns."""
    return ",".join((*COLUMNS, "path")).encode("ascii") + b"\n"


def label(raw: bytes) -> bytes:
    """The path, quoted where it must be; its bytes as they are, whatever their encoding."""
    path = raw.replace(b"\\012", b"\n")
    if not _SPECIAL.isdisjoint(path):
        path = b'"%b"' % path.replace(b'"', b'""')
    return path + b"\n"
