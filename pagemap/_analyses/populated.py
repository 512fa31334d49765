"""Populated pages: the present and swapped ones, with their mappings.

A process of a few gigabytes may have mapped terabytes. Where address space is empty, the kernel is
asked for the next populated page (PAGEMAP_SCAN, which skips empty page tables); where pages are
populated, their entries are read in bulk. Without PAGEMAP_SCAN all entries are read and empty ones
dropped, with the same result.
"""

from __future__ import annotations

from pagemap._kernel import maps
from pagemap._native import pipeline
from pagemap._native.lines import Lines
from pagemap._native.scan import EntryBuffer, Spans
from pagemap._space.pages import Pages
from pagemap._space.walk import Reach
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["populated"]


def populated(process: AddressSpace, threads: int | None) -> Iterator[tuple[Mapping, Pages]]:
    """See `Process.populated`."""
    over = Pages.over
    visible, flags = process.pfns_visible, process.machine.told()
    process.require_open()
    # the first piece is done alone, so it is small
    reach = Reach(first=pipeline.ALONE_PAGES, threads=threads)
    for block in process.maps_blocks():
        lines = Lines(block)
        of = maps.mappings_of(lines)  # each when something of it is found
        spans = Spans.of_bounds(lines.bounds, PAGE_SHIFT)
        reach.left = spans.pages
        pieces = spans.populated(process.source, PAGE_SHIFT, use_scan=process.can_scan, pages=reach)
        mapping: Mapping | None = None
        with pipeline.run(pieces, EntryBuffer, threads) as results:
            for piece, (entries, runs) in process.reading(results):
                at = 0
                for vpn, count in zip(runs[::2], runs[1::2], strict=True):
                    start = vpn << PAGE_SHIFT
                    while mapping is None or start >= mapping.end:
                        mapping = next(of)
                    yield mapping, over(entries[at : at + count], start, PAGE_SIZE, visible, flags)
                    at += count
                if piece.done:
                    reach.learn(piece.pages, at)
    process.check()
