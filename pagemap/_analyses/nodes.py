"""On which NUMA nodes the memory of a process lies, and whether that is where it should."""

from __future__ import annotations

import time
from contextlib import suppress

from pagemap._analyses.node_parts import NodeParts
from pagemap._analyses.regions import RegionStream
from pagemap._analyses.tally import tally
from pagemap._errors import PfnsHidden, Unsupported
from pagemap._kernel import last_processors, nodes, numa_maps, number_lists, task, vmstat
from pagemap._kernel.zero_frames import huge_zero_frame
from pagemap._native import pipeline
from pagemap._native.descriptors import CLOSED
from pagemap._native.lines import Lines
from pagemap._native.nodes import NodeCounts
from pagemap._native.scan import EntryBuffer, Spans
from pagemap._space.about import about
from pagemap._space.walk import Reach
from pagemap._tables.table import Table
from pagemap._vocabulary.rows.node import NODES
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pagemap._kernel.number_lists import Ranges
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.node import NodeRow

    # Start, end, permissions and path of a mapping, and its bytes by node.
    Found = tuple[int, int, str, str, dict[int | None, int]]

__all__ = ["nodes_of"]

_OPERATION = "count memory by node"
_HUGE = 9  # the order of the huge page of zeros, where page tables have 512 entries
FRAMES, KERNEL, ONE = "frames", "numa_maps", "the only node"


def nodes_of(
    process: AddressSpace, *, policies: bool, sysfs: str, threads: int | None
) -> Table[NodeRow]:
    """See `Process.nodes`."""
    begin = time.time()
    machine = process.machine
    parts = NodeParts(machine.procfs, sysfs, saved=machine.node_parts())
    told: dict[int, numa_maps.MappingNodes] | None = None
    found: list[Found] | None = None
    by = FRAMES
    if process.kernel_thread:
        found = []
    else:
        process.check()
        if process.pfns_visible and parts.nodes:
            found = list(_by_frames(process, parts, threads))
        elif parts.only is not None:
            found, by = _of_one(process, parts.only, threads), ONE
        if process.live and (policies or found is None):
            told = numa_maps.read(process.folder)
        if found is None and told is not None:
            found, by = _by_kernel(process, told), KERNEL
        process.check()
    if found is None:
        raise _unknown(process)
    place = Placement(process, parts, told if policies else None, sysfs)
    if not process.kernel_thread:
        process.check()  # what has ended has no cpuset, and ran on no processor
    rows = [
        (process.pid, start, end, perms, node, size, *place.judge(start, node, size), path)
        for start, end, perms, path, sizes in found
        for node, size in sizes.items()
        if size
    ]
    said = {"nodes": parts.nodes, "counted_by": by, **place.about()}
    return Table.of_rows(NODES, rows, about=about(begin, process, **said))


class Placement:
    """Where memory of a process should be, as far as that can be known."""

    def __init__(
        self,
        process: AddressSpace,
        parts: NodeParts,
        told: dict[int, numa_maps.MappingNodes] | None,
        sysfs: str,
    ) -> None:
        self._told = told or {}
        self._named: dict[str, Ranges | None] = {}
        text = task.allowed_nodes(process.folder) if process.live else None
        self.allowed: Ranges | None = None if text is None else number_lists.parse(text)
        near = _near(process, parts.nodes, sysfs) if process.live else ()
        self.near: list[int] = sorted(near)

    def judge(
        self, start: int, node: int | None, size: int
    ) -> tuple[str | None, int | None, int | None]:
        """The policy of the mapping at `start`; what of `size` on `node` is misplaced, remote."""
        mapping = self._told.get(start)
        policy = None if mapping is None else mapping.policy
        if node is None:
            return policy, None, None
        remote = (0 if node in self.near else size) if self.near else None
        if self.allowed is not None and not number_lists.holds(self.allowed, node):
            return policy, size, remote
        if policy is None:
            return None, None, remote
        if policy not in self._named:
            self._named[policy] = numa_maps.named_nodes(policy)
        named = self._named[policy]
        return policy, 0 if named is None or number_lists.holds(named, node) else size, remote

    def about(self) -> dict[str, object]:
        """What the `about` of a result says of it."""
        allowed = self.allowed
        return {
            "allowed_nodes": None if allowed is None else number_lists.written(allowed),
            "ran_on": self.near,
            "estimated": ["remote"],
        }


def _near(process: AddressSpace, with_memory: list[int], sysfs: str) -> Iterator[int]:
    """The nodes where threads ran last; of one that has no memory the nearest that has."""
    ran_on = set() if process.kernel_thread else last_processors.last_processors(process.folder)
    for node, processors in nodes.processors(sysfs).items():
        if not any(number_lists.holds(processors, each) for each in ran_on):
            continue
        if node in with_memory:
            yield node
            continue
        far = {to: each for to, each in nodes.distances(node, sysfs).items() if to in with_memory}
        yield from (to for to, each in far.items() if each == min(far.values()))


def _by_frames(process: AddressSpace, parts: NodeParts, threads: int | None) -> Iterator[Found]:
    columns = {node: number for number, node in enumerate(parts.nodes)}
    zeros = len(columns)  # the column of zero pages; in the last one is what is on no node
    table = list(_without(parts.parts, _zero_frames(process, parts), columns, zeros))
    names: list[int | None] = list(parts.nodes)
    reach = Reach(first=pipeline.ALONE_PAGES, threads=threads)
    for block in process.maps_blocks():
        lines = Lines(block)
        ranges = list(lines.ranges())
        mappings = [(start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT) for start, end, _ in ranges]
        counts = NodeCounts(mappings, table, zeros + 2)
        spans = Spans(mappings)
        reach.left = spans.pages
        pieces = spans.populated(process.source, PAGE_SHIFT, use_scan=process.can_scan, pages=reach)
        with pipeline.run(pieces, EntryBuffer, threads) as results:
            for piece, (entries, runs) in process.reading(results):
                counts.add(entries, runs)
                if piece.done:
                    reach.learn(piece.pages, len(entries))
        for (start, end, path), perms, row in zip(ranges, lines.perms, counts.rows(), strict=True):
            sizes = dict(zip(names, (count << PAGE_SHIFT for count in row), strict=False))
            yield start, end, perms, path, {**sizes, None: row[-1] << PAGE_SHIFT}


def _without(
    parts: Iterable[tuple[int, int, int]],
    zeros: list[tuple[int, int]],
    columns: dict[int, int],
    column: int,
) -> Iterator[tuple[int, int, int]]:
    """The parts with their columns; the frames of `zeros` are parts of a column of their own."""
    for first, end, node in parts:
        start = first
        for zero, zero_end in zeros:
            if start < zero_end and zero < end:
                if start < zero:
                    yield start, zero, columns[node]
                yield max(start, zero), min(zero_end, end), column
                start = min(zero_end, end)
        if start < end:
            yield start, end, columns[node]


def _zero_frames(process: AddressSpace, parts: NodeParts) -> list[tuple[int, int]]:
    """The frames of the zero pages, in order: the small ones, and the huge one that it maps."""
    found = []
    flags = process.machine.open_frames("kpageflags")
    with suppress(PfnsHidden):  # of this process's own pages, though not of others
        first, count = process.machine.zero_frames(flags)
        found.append((first, first + count))
    if not process.live or vmstat.counts(process.procfs).get("thp_zero_page_alloc"):
        pfn = _huge_zero_frame(process, parts, flags)
        if pfn is not None:
            found.append((pfn >> _HUGE << _HUGE, ((pfn >> _HUGE) + 1) << _HUGE))
    return sorted(found)


def _huge_zero_frame(process: AddressSpace, parts: NodeParts, flags: int) -> int | None:
    """A frame of the huge page of zeros: a scan tells where it is mapped, or flags where it is."""
    if process.can_find("pfnzero"):
        stream = RegionStream(
            process, only=["pfnzero,huge"], without=(), tell=None, ranges=None, max_pages=1
        )
        for region in stream.rows():
            return process.entry(region.start).pfn
        return None
    if flags == CLOSED or not process.live:
        return None
    return huge_zero_frame(flags, ((start, end) for start, end, _ in parts.parts))


def _of_one(process: AddressSpace, node: int, threads: int | None) -> list[Found] | None:
    """What is resident, where all memory is on one node; None where this kernel cannot tell."""
    try:
        table = tally(process, ["rss", "hugetlb"], threads)
    except Unsupported:
        return None
    rows: list[Found] = []
    for row in table:
        if row.rss is None or row.hugetlb is None:
            return None
        rows.append((row.start, row.end, row.perms, row.path, {node: row.rss + row.hugetlb}))
    return rows


def _by_kernel(process: AddressSpace, told: dict[int, numa_maps.MappingNodes]) -> list[Found]:
    rows: list[Found] = []
    for block in process.maps_blocks():
        lines = Lines(block)
        for (start, end, path), perms in zip(lines.ranges(), lines.perms, strict=True):
            mapping = told.get(start)
            if mapping is not None:
                rows.append((start, end, perms, path, dict(sorted(mapping.nodes.items()))))
    return rows


def _unknown(process: AddressSpace) -> Unsupported | PfnsHidden:
    if not process.live:
        return PfnsHidden(
            f"cannot tell on which nodes the memory of process {process.pid} is: PFNs are not "
            f"visible; {process.machine.why_hidden}",
            pid=process.pid,
            operation=_OPERATION,
        )
    if process.pfns_visible:
        return Unsupported(
            f"cannot tell on which nodes the memory of process {process.pid} is: neither "
            f"{process.procfs}/zoneinfo nor sysfs tells which frames a node has",
            pid=process.pid,
            operation=_OPERATION,
        )
    return PfnsHidden(
        f"cannot tell on which nodes the memory of process {process.pid} is: the kernel hides PFNs "
        "without CAP_SYS_ADMIN (in the initial user namespace), and has no numa_maps "
        "(CONFIG_NUMA); run with sudo",
        pid=process.pid,
        operation=_OPERATION,
    )
