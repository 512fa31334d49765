"""A process as the C library holds it open, for the tests of its functions."""

from __future__ import annotations

import contextlib
import itertools
import os
from struct import unpack
from typing import TYPE_CHECKING

from pagemap._core import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PAGE = os.sysconf("SC_PAGESIZE")
BUFFER = 1 << 15


def sized(struct: str, **members: Any) -> Any:
    """A struct of the public header, of the size that this program knows."""
    return ffi.new(f"struct {struct} *", {"size": ffi.sizeof(f"struct {struct}"), **members})


@contextlib.contextmanager
def opened(pid: int) -> Iterator[Any]:
    """The handle."""
    out = ffi.new("struct pm_process **")
    assert lib.pm_process_open(pid, ffi.NULL, out) == 0
    try:
        yield out[0]
    finally:
        lib.pm_process_close(out[0])


def mappings(process: Any, *, way: int = 0) -> list[tuple[Any, ...]]:
    """What pm_maps_next gives, as the fields of a line of maps, and the kind behind them.

    `way` 2 reads the text of maps, as on kernels before 6.11.
    """
    cursor, buffer = ffi.new("struct pm_maps_cursor *"), ffi.new("char[]", BUFFER)
    cursor.state[1] = way
    found, out = [], sized("pm_mapping")
    while got := lib.pm_maps_next(process, cursor, buffer, BUFFER, out):
        assert got == 1, got
        letters = "".join(
            letter if out.flags >> bit & 1 else "-" for bit, letter in enumerate("rwx")
        )
        path = ffi.string(out.path)
        assert len(path) == out.path_size
        found.append(
            (
                out.start,
                out.end,
                letters + ("s" if out.flags & lib.PM_MAPPING_SHARED else "p"),
                out.offset,
                f"{out.dev_major:02x}:{out.dev_minor:02x}",
                out.inode,
                path,
                out.kind,
            )
        )
    return found


def lines(pid: int) -> list[tuple[Any, ...]]:
    """The same out of the text of maps, without [vsyscall] and without a kind."""
    found: list[tuple[Any, ...]] = []
    with open(f"/proc/{pid}/maps", "rb") as file:
        for line in file.read().split(b"\n")[:-1]:
            bounds, perms, offset, dev, inode, *path = line.split(b" ", 5)
            start, end = (int(bound, 16) for bound in bounds.split(b"-"))
            name = path[0].lstrip(b" ") if path else b""
            if name != b"[vsyscall]":
                word = perms.decode(), int(offset, 16), dev.decode(), int(inode), name
                found.append((start, end, *word))
    return found


def neighbours(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Of these lines the most between which there are no holes of a GiB."""
    found = [[rows[0]]]
    for before, after in itertools.pairwise(rows):
        if after[0] - before[1] > 1 << 30:
            found.append([])
        found[-1].append(after)
    return max(found, key=len)


def words(pid: int, start: int, end: int) -> list[int]:
    """The entries of a range, without the code under test."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        data = os.pread(file.fileno(), (end - start) // PAGE * 8, start // PAGE * 8)
    return list(unpack(f"{len(data) // 8}Q", data))
