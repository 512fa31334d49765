"""Reading a pagemap from Python with nothing but the standard library."""

from __future__ import annotations

import os
import struct
import sys

ENTRY_SIZE = 8


def bulk(fd: int, vpn: int, count: int) -> tuple[int, ...]:
    """Read `count` entries from virtual page `vpn` on, with as few preads as it takes."""
    parts = []
    offset, end = vpn * ENTRY_SIZE, (vpn + count) * ENTRY_SIZE
    while offset < end:
        part = os.pread(fd, end - offset, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
    data = b"".join(parts)
    return struct.unpack(f"={len(data) // ENTRY_SIZE}Q", data)


def one_by_one(fd: int, vpn: int, count: int) -> list[int]:
    """Read the same entries, one pread each."""
    entries = []
    for offset in range(vpn * ENTRY_SIZE, (vpn + count) * ENTRY_SIZE, ENTRY_SIZE):
        data = os.pread(fd, ENTRY_SIZE, offset)
        if not data:
            break
        entries.append(int.from_bytes(data, sys.byteorder))
    return entries
