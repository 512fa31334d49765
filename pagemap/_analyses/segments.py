"""A process's memory as physically contiguous segments, whatever it is made of.

Neighbouring pages belong to one segment if their frames are neighbours too: so a huge page that is
mapped whole is one, or part of a larger one, and so are small pages that happen to lie in a row.
"""

from __future__ import annotations

import time
from array import array

from pagemap._analyses.node_parts import NodeParts
from pagemap._errors import PfnsHidden
from pagemap._native import pipeline
from pagemap._native.lines import Lines
from pagemap._native.scan import EntryBuffer, Spans
from pagemap._native.segments import Joiner
from pagemap._space.about import about
from pagemap._space.walk import Reach
from pagemap._tables.stream import Stream
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_int, check_threads
from pagemap._vocabulary.rows.segment import SEGMENTS, SegmentRow
from pagemap._vocabulary.units import ADDRESS_END, PAGE_SHIFT, clipped, page_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap._space.address_space import AddressSpace

__all__ = ["SegmentStream"]

ROWS = 1 << 16  # of a table: enough that a table costs little beside its rows


class SegmentStream(Stream[SegmentRow]):
    """See `Process.segments`."""

    __slots__ = ("_process", "_ranges", "_threads", "_transfer")

    def __init__(
        self,
        process: AddressSpace,
        *,
        ranges: Sequence[tuple[int, int]] | None,
        transfer: int | None,
        threads: int | None,
    ) -> None:
        self.schema = SEGMENTS
        self._process = process
        self._ranges = page_ranges([(0, ADDRESS_END)] if ranges is None else ranges)
        self._transfer = transfer
        if transfer is not None:
            check_int("transfer", transfer, 1, 1 << 63)
        self._threads = check_threads(threads)
        if not process.kernel_thread and not process.pfns_visible:
            raise PfnsHidden(
                f"cannot tell the physical segments of process {process.pid}: PFNs are not "
                f"visible; {process.machine.why_hidden}",
                pid=process.pid,
                operation="tell physical segments",
            )

    def __iter__(self) -> Iterator[Table[SegmentRow]]:
        """The tables, in order of address."""
        begin = time.time()
        joiner = Joiner(PAGE_SHIFT, self._transfer, EntryBuffer.size)
        machine = self._process.machine
        nodes = NodeParts(machine.procfs, saved=machine.node_parts())
        for entries, runs in self._found():
            joiner.add(entries, runs)
            if len(joiner) >= ROWS:
                yield self._table(joiner.take(), nodes, begin)
                begin = time.time()
        joiner.close()
        yield self._table(joiner.take(), nodes, begin)

    def _found(self) -> Iterator[tuple[memoryview, list[int]]]:
        process = self._process
        if process.kernel_thread:
            return
        reach = Reach(first=pipeline.ALONE_PAGES, threads=self._threads)
        for block in process.maps_blocks():
            spans = Spans(
                [
                    (first >> PAGE_SHIFT, (last - first) >> PAGE_SHIFT)
                    for start, end, _ in Lines(block).ranges()
                    for first, last in clipped(start, end, self._ranges)
                ]
            )
            reach.left = spans.pages
            pieces = spans.populated(
                process.source, PAGE_SHIFT, use_scan=process.can_scan, pages=reach
            )
            with pipeline.run(pieces, EntryBuffer, self._threads) as results:
                for piece, found in process.reading(results):
                    yield found
                    if piece.done:
                        reach.learn(piece.pages, len(found[0]))
        process.check()

    def _table(
        self, columns: dict[str, array[int]], nodes: NodeParts, begin: float
    ) -> Table[SegmentRow]:
        known = {name: _view(column) for name, column in columns.items()}
        of_rows = list(nodes.of(columns["physical"]))
        unknown = None in of_rows
        known["node"] = _view(array("q", [node or 0 for node in of_rows]))
        told = memoryview(bytes(node is not None for node in of_rows)).cast("?")
        valid = {"node": told} if unknown else None
        return Table(SEGMENTS, known, valid=valid, about=about(begin, self._process))


def _view(values: array[int]) -> memoryview:
    return memoryview(values).toreadonly().cast("B").cast("q")
