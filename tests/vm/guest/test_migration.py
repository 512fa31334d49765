"""Pages that move to another NUMA node, in a guest that has two: what a diff says of them.

`move_pages` tells where each page is then, and numa_maps how many are on each node.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import struct
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle
from tests.live.test_nodes import by_kernel
from tests.vm.guest.bound import Bound, bound_by, has_two_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = mmap.PAGESIZE
PAGES = 64
SIZE = PAGES * PAGE
SYS_MBIND, BIND = 237, 2  # of x86-64, which guests are
SYS_MOVE_PAGES, MOVE = 279, 2
AREAS = {"private": mmap.MAP_PRIVATE, "shared": mmap.MAP_SHARED}


def child(ready: int) -> None:
    """Make the areas on node 0, tell where they are, and wait to be killed."""
    libc = ctypes.CDLL(None, use_errno=True)
    kept = []
    for flags in AREAS.values():
        memory = mmap.mmap(-1, SIZE, flags=flags | mmap.MAP_ANONYMOUS)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        nodes = ctypes.c_ulong(1)
        where = (ctypes.c_void_p(start), ctypes.c_ulong(SIZE), BIND, ctypes.byref(nodes))
        assert not libc.syscall(SYS_MBIND, *where, ctypes.c_ulong(8), 0), ctypes.get_errno()
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        memory[:] = b"x" * SIZE
        kept.append(memory)
        os.write(ready, struct.pack("Q", start))
    while True:
        signal.pause()


@pytest.fixture
def bound() -> Iterator[Bound]:
    assert has_two_nodes()
    with bound_by(child, AREAS) as made:
        yield made


def move(pid: int, addresses: list[int], node: int) -> list[int]:
    """Move these pages of a process to a node; on which node each is then."""
    libc = ctypes.CDLL(None, use_errno=True)
    count = len(addresses)
    nodes, status = (ctypes.c_int * count)(*([node] * count)), (ctypes.c_int * count)()
    pages = (ctypes.c_void_p * count)(*addresses)
    words = (pid, ctypes.c_ulong(count), pages, nodes, status, MOVE)
    assert libc.syscall(SYS_MOVE_PAGES, *words) == 0, ctypes.get_errno()
    return list(status)


def changes(before: pagemap.AddressSpace, bound: Bound) -> dict[str, Counter[str]]:
    """By area the bytes that each kind of change befell."""
    found: dict[str, Counter[str]] = {name: Counter() for name in AREAS}
    with pagemap.Process(bound.pid) as process:
        for row in pagemap.diff(before, process):
            for name, start in bound.starts.items():
                if row.start <= start < row.end:
                    found[name][row.kind] += row.amount
    return found


def frames_of(bound: Bound, name: str) -> list[int | None]:
    start = bound.starts[name]
    return [oracle.pfn(entry) for entry in oracle.entries(bound.pid, start, start + SIZE)]


@pytest.mark.parametrize("step", [1, 2, 7])
def test_pages_that_move_to_the_other_node(bound: Bound, step: int, tmp_path: Path) -> None:
    """Each page that lies in another frame has moved, and no other page changed."""
    saved = tmp_path / "before.pagemap"
    pagemap.Snapshot.take([bound.pid], saved).close()
    before = {name: frames_of(bound, name) for name in AREAS}
    for start in bound.starts.values():
        asked = [start + index * PAGE for index in range(0, PAGES, step)]
        assert set(move(bound.pid, asked, 1)) == {1}
    moved = {
        name: sum(a != b for a, b in zip(before[name], frames_of(bound, name), strict=True))
        for name in AREAS
    }
    assert moved == dict.fromkeys(AREAS, len(range(0, PAGES, step)))
    with pagemap.Snapshot(saved) as snapshot:
        told = changes(snapshot.process(bound.pid), bound)
    assert told == {name: Counter(moved=count * PAGE) for name, count in moved.items()}
    counts = by_kernel(bound.pid)
    for start in bound.starts.values():
        assert counts[start, 1] == len(range(0, PAGES, step)) * PAGE
    with pagemap.Process(bound.pid) as process:
        rows = {(row.start, row.node): row for row in process.nodes()}
    for start in bound.starts.values():
        assert rows[start, 1].misplaced == len(range(0, PAGES, step)) * PAGE
