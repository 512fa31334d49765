"""The rows of `memory`: what the machine's frames are for, and how broken up free memory is.

Amounts are in bytes. Each frame is of one kind, so kinds add up to all memory.
"""

from __future__ import annotations

from pagemap._vocabulary.record import Record, extended, field
from pagemap._vocabulary.schema import Schema

__all__ = [
    "PARTS",
    "BlockerRow",
    "BlocksRow",
    "CgroupMemoryRow",
    "FigureRow",
    "FreeRunRow",
    "GroupMemoryRow",
    "MemoryKindRow",
    "NodeMemoryRow",
    "OrderRow",
    "SwapAreaRow",
    "ZoneMemoryRow",
]

_NODE = field("", "the NUMA node", rank=0, key=True)
_ZONE = field("", "the zone of the page allocator", rank=0, key=True)
_KERNEL = field("bytes", "the kernel's own figure", adds=False, rank=13)
_DIFFERENCE = field("bytes", "size less the kernel's figure", adds=False, rank=14)


class MemoryKindRow(Record):
    """What frames are for, and how much of them has which marks; a row of `Memory.kinds`."""

    kind: str = field("", "what the frames are for", rank=0, key=True)
    size: int | None = field("bytes", "frames of this kind, counted", rank=1)
    share: float | None = field("share", "of all memory that the firmware gave", rank=2)
    kernel: int | None = field("bytes", "the kernel's own figure", adds=False, rank=3)
    difference: int | None = field("bytes", "size less it", adds=False, rank=4)
    source: str | None = field("", "the names of the kernel's figure", rank=5)
    mapped: int | None = field("bytes", "part of size: mapped by processes", rank=6)
    active: int | None = field("bytes", "part of size: on an active LRU list", rank=8)
    inactive: int | None = field("bytes", "part of size: on an inactive LRU list", rank=9)
    unevictable: int | None = field("bytes", "part of size: cannot be reclaimed")
    locked: int | None = field("bytes", "part of size: locked by mlock", rank=11)
    dirty: int | None = field("bytes", "part of size: not yet written back", rank=7)
    writeback: int | None = field("bytes", "part of size: being written back")
    swap: int | None = field("bytes", "part of size: with a copy in swap")
    thp: int | None = field("bytes", "part of size: in huge pages of any size", rank=10)


class _Kinds(Record):
    anon: int | None = field("bytes", "anonymous memory", rank=5)
    ksm: int | None = field("bytes", "merged by KSM", rank=12)
    swapcache: int | None = field("bytes", "with a copy in swap, and not mapped")
    file: int | None = field("bytes", "page cache", rank=6)
    shmem: int | None = field("bytes", "shared memory", rank=7)
    hugetlb: int | None = field("bytes", "hugetlb pages that are mapped", rank=9)
    hugetlb_idle: int | None = field("bytes", "hugetlb pages that are not")
    zero: int | None = field("bytes", "huge zero page")
    slab: int | None = field("bytes", "slab allocator", rank=8)
    pagetables: int | None = field("bytes", "page tables", rank=10)
    offline: int | None = field("bytes", "given back, or offline")
    poisoned: int | None = field("bytes", "with a hardware memory error")
    free: int | None = field("bytes", "free", rank=4)
    unnamed: int | None = field("bytes", "of the kernel, without a flag", rank=11)
    reserved: int | None = field("bytes", "kept from the page allocator; not in size", rank=18)
    missing: int | None = field("bytes", "without a frame; not in size")


@extended
class ZoneMemoryRow(_Kinds):
    """What a zone's frames are for; a row of `Memory.zones`."""

    node: int = _NODE
    zone: str = _ZONE
    start: int = field("pfn", "first frame", adds=False)
    spanned: int = field("bytes", "from the first frame to the last", rank=20)
    holes: int | None = field("bytes", "part of spanned: not memory")
    size: int | None = field("bytes", "frames of the page allocator, counted", rank=1)
    kernel: int | None = _KERNEL
    difference: int | None = _DIFFERENCE


@extended
class NodeMemoryRow(_Kinds):
    """What a node's frames are for; a row of `Memory.nodes`."""

    node: int = _NODE
    size: int | None = field("bytes", "frames of the page allocator, counted", rank=1)
    kernel: int | None = _KERNEL
    difference: int | None = _DIFFERENCE


@extended
class CgroupMemoryRow(_Kinds):
    """What the frames charged to a memory cgroup are for; a row of `Memory.cgroups`.

    Each frame is charged to one cgroup, and does not count again for those above.
    """

    size: int | None = field("bytes", "frames charged to it, counted", rank=1)
    kernel: int | None = field(
        "bytes", "the kernel's own figure for its anon, file and shmem", rank=13
    )
    difference: int | None = field(
        "bytes", "anon, ksm, swapcache, file and shmem less the kernel's figure", rank=14
    )
    swapped: int | None = field("bytes", "its memory in swap", rank=3)
    inode: int = field("inode", "inode number of its directory; 0: charged to none", key=True)
    cgroup: str | None = field(
        "", "its directory, or (none); unknown if it cannot be found", None, rank=2
    )
    container: str | None = field("", "its container, pod or service, by its name", None)


@extended
class GroupMemoryRow(_Kinds):
    """What the frames are for that a group of processes alone maps; a row of `Memory.groups`.

    The last two rows are of no group: what several groups map, and what no process does.
    """

    group: str | None = field(
        "", "the group; empty where nothing tells it, and in the rows of no group", rank=0, key=True
    )
    mapped_by: str = field("", "one (this group alone), several, or none", rank=0, key=True)
    processes: int = field("processes", "number of its processes that were read", rank=2)
    size: int = field("bytes", "frames that it alone maps", rank=1)
    name: str | None = field(
        "", "command name of who leads the session; of other groups empty", default=None
    )


class OrderRow(Record):
    """Free blocks, and folios, of 2^order frames; a row of `Memory.orders`."""

    node: int = _NODE
    zone: str = _ZONE
    order: int = field("", "binary logarithm of the number of frames", rank=0, key=True)
    block: int = field("bytes", "memory of one block", adds=False, rank=2)
    free_blocks: int | None = field(
        "blocks", "free blocks of the page allocator", adds=False, rank=1
    )
    kernel: int | None = field("blocks", "the kernel's own figure", adds=False, rank=3)
    difference: int | None = field("blocks", "free_blocks less it", adds=False, rank=4)
    free: int | None = field("bytes", "memory of the free blocks", rank=5)
    anon: int | None = field("bytes", "anonymous memory in folios of this size", rank=6)
    file: int | None = field("bytes", "page cache in such folios", rank=7)
    shmem: int | None = field("bytes", "shared memory in such folios", rank=8)
    hugetlb: int | None = field("bytes", "hugetlb pages of this size", rank=9)
    slab: int | None = field("bytes", "slabs of this size", rank=10)


_WITH = "blocks with at least one frame of this kind"


class BlocksRow(Record):
    """Aligned blocks of one size: free, could be freed, or blocked; a row of `Memory.blocks`."""

    node: int = _NODE
    zone: str = _ZONE
    block: int = field("bytes", "size of a block", adds=False, rank=0, key=True)
    blocks: int = field("blocks", "all aligned blocks of this size", adds=False, rank=4)
    free: int = field("blocks", "those that are free", adds=False, rank=1)
    movable: int = field(
        "blocks", "those in which all that is not free can be moved", adds=False, rank=3
    )
    blocked: int = field("blocks", "those with a frame that cannot be moved", adds=False, rank=2)
    unnamed: int = field("blocks", _WITH, adds=False, rank=5)
    slab: int = field("blocks", _WITH, adds=False, rank=6)
    pagetables: int = field("blocks", _WITH, adds=False, rank=7)
    hugetlb: int = field("blocks", _WITH, adds=False, rank=8)
    hugetlb_idle: int = field("blocks", _WITH, adds=False)
    zero: int = field("blocks", _WITH, adds=False)
    offline: int = field("blocks", _WITH, adds=False)
    poisoned: int = field("blocks", _WITH, adds=False)
    reserved: int = field("blocks", _WITH, adds=False, rank=9)
    missing: int = field("blocks", _WITH, adds=False)


class BlockerRow(Record):
    """An aligned block that is not free, and what is in it; a row of `Memory.blockers`."""

    pfn: int = field("pfn", "first frame", rank=0, key=True)
    node: int = field("", "the NUMA node", rank=8)
    zone: str = field("", "the zone of the page allocator", rank=7)
    block: int = field("bytes", "its size", adds=False, rank=6)
    state: str = field("", "blocked, or movable: nothing in it must stay", rank=3)
    gain: int = field(
        "bytes",
        "of a blocked one: what is free, or could be freed, if what stays did not block it",
        adds=False,
        rank=4,
    )
    stays: int = field("bytes", "frames in it that cannot be moved", adds=False, rank=2)
    movable: int = field("bytes", "frames in it that can", adds=False, rank=5)
    kinds: str = field("", "kinds of its frames and amounts, first those that stay", rank=1)


class FreeRunRow(Record):
    """Free frames in a row; a row of `Memory.runs`."""

    pfn: int = field("pfn", "first frame", rank=0, key=True)
    size: int = field("bytes", "memory of the run", adds=False, rank=1)
    node: int = field("", "the NUMA node", rank=2)
    zone: str = field("", "the zone of the page allocator", rank=3)


class FigureRow(Record):
    """A figure of the kernel, and the same counted; a row of `Memory.figures`."""

    name: str = field("", "its name", rank=0, key=True)
    file: str = field("", "where the kernel tells it", rank=5, key=True)
    kernel: int = field("bytes", "the kernel's figure", adds=False, rank=1)
    counted: int | None = field("bytes", "the same, counted by frames", adds=False, rank=2)
    difference: int | None = field("bytes", "counted less the kernel's figure", adds=False, rank=3)
    within: str | None = field("", "the kind in which its frames are counted", rank=4)


class SwapAreaRow(Record):
    """A swap area and the memory that it takes; a row of `Memory.swaps`."""

    path: str = field("", "device or file; zswap is the compressed cache in front of all", rank=0)
    type: str = field("", "partition, file, zram or zswap", rank=3)
    size: int | None = field("bytes", "what fits into it", adds=False, rank=2)
    used: int = field(
        "bytes", "what is in it; of zswap also counted in the areas", adds=False, rank=1
    )
    compressed: int | None = field("bytes", "its contents, compressed", adds=False, rank=5)
    memory: int | None = field("bytes", "memory that it takes itself", adds=False, rank=4)
    priority: int | None = field("", "areas of higher priority are filled first", rank=6)


PARTS: dict[str, Schema] = {
    "kinds": Schema.of(MemoryKindRow, "pagemap.memory.kinds", 1),
    "zones": Schema.of(ZoneMemoryRow, "pagemap.memory.zones", 1),
    "nodes": Schema.of(NodeMemoryRow, "pagemap.memory.nodes", 1),
    "orders": Schema.of(OrderRow, "pagemap.memory.orders", 1),
    "blocks": Schema.of(BlocksRow, "pagemap.memory.blocks", 1),
    "figures": Schema.of(FigureRow, "pagemap.memory.figures", 1),
    "swaps": Schema.of(SwapAreaRow, "pagemap.memory.swaps", 1),
    "cgroups": Schema.of(CgroupMemoryRow, "pagemap.memory.cgroups", 1),
    "groups": Schema.of(GroupMemoryRow, "pagemap.memory.groups", 1),
    "blockers": Schema.of(BlockerRow, "pagemap.memory.blockers", 1),
    "runs": Schema.of(FreeRunRow, "pagemap.memory.runs", 1),
}
"""The tables of `pagemap.memory`, in order."""
