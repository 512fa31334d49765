"""The free blocks of the allocator, beside its own lists, and had as huge pages."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import kernel_settings, oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = oracle.PAGE
TRIES = 4

pytestmark = pytest.mark.skipif(
    not oracle.may_read("/proc/kpageflags"),
    reason="/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH",
)


def free_blocks() -> dict[tuple[str, int], int]:
    """The blocks of buddyinfo, by zone and order; `node zone` is the zone."""
    found = {}
    for line in Path("/proc/buddyinfo").read_text().splitlines():
        zone, *counts = line.replace("Node ", "").replace(", zone ", " ").split()[1:]
        node = line.split(",")[0].split()[1]
        for order, count in enumerate(counts):
            found[f"{node} {zone}", order] = int(count)
    return found


def by_type() -> dict[tuple[str, int], int]:
    """The same by pagetypeinfo, whose lists it counts up to 100,000."""
    found: dict[tuple[str, int], int] = {}
    text = Path("/proc/pagetypeinfo").read_text()
    pattern = r"^Node +(\d+), zone +(\w+), type +\S+((?: +>?\d+)+)"
    for node, zone, counts in re.findall(pattern, text, re.MULTILINE):
        for order, count in enumerate(counts.split()):
            key = f"{node} {zone}", order
            found[key] = found.get(key, 0) + int(count.lstrip(">"))
    return found


def test_free_blocks() -> None:
    """Equal wherever nobody has allocated or freed meanwhile; by buddyinfo and pagetypeinfo."""
    ways = [free_blocks, *([by_type] if oracle.may_read("/proc/pagetypeinfo") else [])]
    quiet: set[tuple[object, tuple[str, int]]] = set()
    for _ in range(TRIES):
        before = {way: way() for way in ways}
        counted = {
            (f"{row.node} {row.zone}", row.order): row.free_blocks
            for row in pagemap.memory().orders
        }
        after = {way: way() for way in ways}
        quiet |= {
            (way, key)
            for way in ways
            for key in before[way]
            if before[way][key] == after[way][key] == counted[key]
        }
        lists = sum(map(len, before.values()))
        if len(quiet) > lists * 2 // 3:
            return
    assert len(quiet) > lists // 3, f"{len(quiet)} of {lists}"


def naive_blocks(order: int, each: int) -> dict[int, int]:
    """The frames that are not free in one of `each` aligned blocks, by its first frame."""
    text = Path("/proc/iomem").read_text()
    count = 1 << order
    found = {}
    with open("/proc/kpageflags", "rb", buffering=0) as file:
        for first, last in re.findall(
            r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", text, re.MULTILINE
        ):
            start = -(-int(first, 16) // PAGE)
            end = (int(last, 16) + 1) // PAGE
            for block in range(-(-start // count) * count, end // count * count, each * count):
                file.seek(8 * block)
                words = struct.unpack(f"={count}Q", file.read(8 * count))
                free = sum(word >> 10 & 1 for word in words)
                found[block] = count - free
    return found


@pytest.fixture
def pool() -> Iterator[Path]:
    """The size of the pool of huge pages, which nobody else changes meanwhile."""
    path = Path("/proc/sys/vm/nr_hugepages")
    if not path.exists():
        pytest.skip("hugetlb: the kernel has no CONFIG_HUGETLBFS")
    if not os.access(path, os.W_OK):
        pytest.skip(f"cannot set {path}: needs root")
    with kernel_settings.locked(path.name):
        before = path.read_text()
        try:
            yield path
        finally:
            path.write_text(before)


def test_free_blocks_are_had(pool: Path) -> None:
    """Huge pages until there are no more: in a guest all of them, elsewhere a few.

    What was promised is had, or is free still, for the allocator keeps some for itself; and each
    block that is neither is named, with what is in it.
    """
    size = workloads.huge_page_bytes()
    order = (size // PAGE).bit_length() - 1
    before = pagemap.memory(frames=True)
    assert before.blocks is not None
    assert before.about["block"] == size
    promised = sum(row.free for row in before.blocks if row.block == size)
    movable = sum(row.movable for row in before.blocks if row.block == size)
    was = int(pool.read_text())
    everything = "PAGEMAP_VM_SERIES" in os.environ
    wanted = promised + movable if everything else min(promised, 32)
    pool.write_text(str(was + wanted))
    had = int(pool.read_text()) - was
    each = 1 if everything else 8
    earlier = naive_blocks(order, each)
    after = pagemap.memory(frames=True, blockers=1 << 20)
    later = naive_blocks(order, each)
    assert after.blocks is not None
    assert after.blockers is not None
    rows = [row for row in after.blocks if row.block == size]
    left = sum(row.free for row in rows)
    if everything:
        assert had + left >= promised
        assert had >= promised * 9 // 10
    else:
        assert had == wanted
    named = {row.pfn: row for row in after.blockers}
    assert len(named) + left == sum(row.blocks for row in rows)
    for row in after.blockers:
        assert (row.state == "blocked") == (row.stays > 0)
        assert row.kinds
    # each that is not free before and after, by frames read one by one, is named
    unnamed = [
        block for block, used in earlier.items() if used and later[block] and block not in named
    ]
    assert len(unnamed) <= (0 if everything else max(8, left // 100))  # some are used in between
