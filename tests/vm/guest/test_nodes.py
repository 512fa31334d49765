"""Memory by NUMA node in a guest that has two: bound to each, moved away from by a new policy.

The kernel's own numa_maps is the judge; a node's memory is what `mbind` was asked for.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import pagemap
from pagemap._cli.node_ranges import ranges_on
from tests.live.as_nobody import without_admin
from tests.live.test_nodes import APART, by_kernel
from tests.vm.guest.bound import Bound, bound_by, has_two_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
SIZE = 4 * MIB
SYS_MBIND, BIND, INTERLEAVE = 237, 2, 3  # of x86-64, which guests are
HUGE = Path("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages")
MAP_HUGETLB = 0x40000


class Area(NamedTuple):
    """How an area is made: by which policies, one after another, the first before it is touched."""

    policies: tuple[tuple[int, int], ...]  # a mode and a mask of nodes
    flags: int = mmap.MAP_PRIVATE


AREAS = {
    "on node 0": Area(((BIND, 1),)),
    "on node 1": Area(((BIND, 2),)),
    "shared": Area(((BIND, 2),), mmap.MAP_SHARED),
    "interleaved": Area(((INTERLEAVE, 3),)),
    "left behind": Area(((BIND, 1), (BIND, 2))),
    "hugetlb": Area(((BIND, 2),), mmap.MAP_PRIVATE | MAP_HUGETLB),
}


def child(ready: int) -> None:
    """Make the areas, tell where they are, and wait to be killed."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.sched_setaffinity(0, {0})
    kept = []
    for area in AREAS.values():
        memory = mmap.mmap(-1, SIZE, flags=area.flags | mmap.MAP_ANONYMOUS)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for number, (mode, mask) in enumerate(area.policies):
            nodes = ctypes.c_ulong(mask)
            made = libc.syscall(
                *(SYS_MBIND, ctypes.c_void_p(start), ctypes.c_ulong(SIZE)),
                *(mode, ctypes.byref(nodes), ctypes.c_ulong(8), 0),
            )
            assert made == 0, ctypes.get_errno()
            if mode == INTERLEAVE:  # a huge page would be on one node
                memory.madvise(mmap.MADV_NOHUGEPAGE)
            if not number:
                memory[:] = b"x" * SIZE
        kept.append(memory)
        os.write(ready, struct.pack("Q", start))
    while True:
        signal.pause()


@pytest.fixture(scope="module")
def bound() -> Iterator[Bound]:
    assert has_two_nodes()
    HUGE.write_text(str(SIZE >> 21))
    try:
        with bound_by(child, AREAS) as made:
            yield made
    finally:
        HUGE.write_text("0")


def settled(bound: Bound, look: Callable[[], pagemap.Table[pagemap.NodeRow]]) -> list[object]:
    """The rows, which are the kernel's counts; it may move pages of a stopped process too."""
    for _ in range(5):
        before = by_kernel(bound.pid)
        rows = list(look())
        if before == by_kernel(bound.pid):
            break
    told = {(row.start, row.node): row.resident for row in rows if row.path not in APART}
    assert told == before
    return list(rows)


def nodes_of(bound: Bound) -> pagemap.Table[pagemap.NodeRow]:
    with pagemap.Process(bound.pid) as process:
        return process.nodes()


@pytest.mark.parametrize("by", ["frames", "numa_maps"])
def test_each_node(bound: Bound, by: str) -> None:
    """By frames, and without the right to see them."""

    def look() -> pagemap.Table[pagemap.NodeRow]:
        return nodes_of(bound) if by == "frames" else without_admin(lambda: nodes_of(bound))

    settled(bound, look)
    table = look()
    assert (table.about["counted_by"], table.about["nodes"]) == (by, [0, 1])
    assert (table.about["ran_on"], table.about["allowed_nodes"]) == ([0], "0-1")
    told = {
        name: {row.node: row.resident for row in table if row.start == start}
        for name, start in bound.starts.items()
    }
    assert told["on node 0"] == told["left behind"] == {0: SIZE}
    assert told["on node 1"] == told["shared"] == told["hugetlb"] == {1: SIZE}
    assert told["interleaved"] == {0: SIZE // 2, 1: SIZE // 2}
    policies = {row.start: row.policy for row in table}
    assert policies[bound.starts["on node 0"]] == "bind:0"
    assert policies[bound.starts["left behind"]] == "bind:1"
    assert policies[bound.starts["interleaved"]] == "interleave:0-1"
    misplaced = {row.start: row.misplaced for row in table if row.misplaced}
    assert misplaced == {bound.starts["left behind"]: SIZE}
    remote = {row.start: row.remote for row in table if row.remote and row.policy != "default"}
    starts = {name: bound.starts[name] for name in ("on node 1", "shared", "hugetlb")}
    assert remote == {
        **dict.fromkeys(starts.values(), SIZE),
        bound.starts["interleaved"]: SIZE // 2,
    }


def test_segments(bound: Bound) -> None:
    """What is bound to a node is in segments of that node; no segment is on both."""
    with pagemap.Process(bound.pid) as process:
        for name, nodes in {"on node 0": {0}, "on node 1": {1}, "interleaved": {0, 1}}.items():
            start = bound.starts[name]
            table = process.segments(ranges=[(start, start + SIZE)]).snapshot()
            assert {row.node for row in table} == nodes, name
            sizes = {row.node: row.size for row in table.grouped("node")}
            assert sizes == dict.fromkeys(nodes, SIZE // len(nodes))


def test_ranges(bound: Bound) -> None:
    """What --node of dump and regions keeps to: all that is there, and nothing of the other."""
    with pagemap.Process(bound.pid) as process:
        areas = [(start, start + SIZE) for start in bound.starts.values()]
        kept = {node: dict(ranges_on(process, [node], areas)) for node in (0, 1)}
        assert sum(end - start for each in kept.values() for start, end in each.items()) == sum(
            end - start for start, end in areas
        )
        assert not kept[0].keys() & kept[1].keys()
        for name, node in {"on node 0": 0, "left behind": 0, "on node 1": 1, "hugetlb": 1}.items():
            start = bound.starts[name]
            assert any(first <= start < last for first, last in kept[node].items()), name


def asked(*words: str) -> tuple[list[dict[str, object]], str]:
    """The rows that the command gives, and what it says."""
    command = [sys.executable, "-m", "pagemap", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows: list[dict[str, object]] = json.loads(done.stdout)["rows"]
    return rows, done.stderr


def test_the_command(bound: Bound) -> None:
    rows, said = asked("maps", str(bound.pid), "--node", "1")
    assert {row["node"] for row in rows} == {1}
    found = {int(str(row["start"]), 16): row["resident"] for row in rows}
    assert found[bound.starts["on node 1"]] == found[bound.starts["shared"]] == SIZE
    assert bound.starts["on node 0"] not in found
    assert "REMOTE is an estimate" in said


def test_footprints(bound: Bound) -> None:
    """The columns of nodes have the sums."""
    for _ in range(5):
        before = by_kernel(bound.pid)
        sums = {row.node: row for row in nodes_of(bound).grouped("node")}
        ((row,), _) = asked("footprint", str(bound.pid), "--nodes")
        if before == by_kernel(bound.pid):
            break
    assert (row["node_0"], row["node_1"]) == (sums[0].resident, sums[1].resident)
    assert (row["misplaced"], row["remote"]) == (SIZE, sums[1].remote)
