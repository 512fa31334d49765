"""Reads a text of the kernel to its end, or not at all: what is cut would be taken as missing."""

from __future__ import annotations

import os
from errno import EFBIG

__all__ = ["read_whole"]

_AT_ONCE = 1 << 16
_MOST = 1 << 22  # bytes: status, of a process with 65536 groups, has a sixth of it


def read_whole(fd: int) -> bytes:
    """All that is left to read of a file.

    Raises OSError: EFBIG for one of more than 4 MiB, which others may make as long as they like.
    """
    # a read of a file of many lines, as mountinfo, gives a page of it, however much is asked for
    parts = []
    size = 0
    while some := os.read(fd, _AT_ONCE):
        parts.append(some)
        size += len(some)
        if size > _MOST:
            raise OSError(EFBIG, os.strerror(EFBIG))
    return b"".join(parts)
