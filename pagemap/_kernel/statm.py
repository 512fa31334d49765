"""/proc/PID/statm: what the kernel counts of a process, in pages."""

from __future__ import annotations

import os
from errno import EIO

from pagemap._kernel.decimals import number

__all__ = ["RESERVED", "RESIDENT", "count_in"]

RESERVED, RESIDENT = 0, 1


def count_in(text: bytes, field: int) -> int:
    """The pages in this field. Raises OSError (EIO) where it is no number that a kernel writes."""
    fields = text.split()
    found = number(fields[field]) if len(fields) > field else None
    if found is None:
        raise OSError(EIO, os.strerror(EIO))
    return found
