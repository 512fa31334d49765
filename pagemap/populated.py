"""What is there, and nothing else: the present and the swapped pages, with their mappings.

A process of a few gigabytes may reserve terabytes. Where a stretch is empty the kernel is asked for
the next populated page (PAGEMAP_SCAN, which skips empty page tables); where pages are populated
their entries are read in bulk. Without PAGEMAP_SCAN everything is read and what is empty dropped:
the answer is the same.
"""

from __future__ import annotations

from pagemap import maps, pipeline
from pagemap._native.scan import EntryBuffer, Spans, lender
from pagemap.pages import Pages
from pagemap.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap.maps import Mapping
    from pagemap.process import Process

__all__ = ["Reach", "populated"]


class Reach:
    """How many pages the next piece takes: more where little was found, since holes cost nothing.

    A piece of LEAST pages, all populated, is done in one step and fills a block that is lent; and
    several threads share the work evenly. Of a terabyte with a page here and there such pieces
    would be thousands.
    """

    LEAST = EntryBuffer.size
    MOST = 1 << 40
    SPARSE = 8
    GROWTH = 64

    __slots__ = ("pages",)

    def __init__(self, *, first: int | None = None) -> None:
        self.pages = self.LEAST if first is None else min(first, self.LEAST)

    def __call__(self) -> int:
        """The number of pages."""
        return self.pages

    def learn(self, pages: int, found: int) -> None:
        """Take note that among `pages` there were `found` populated ones."""
        if found * self.SPARSE < pages:
            self.pages = min(self.pages * self.GROWTH, self.MOST)
        else:
            self.pages = max(self.pages // self.GROWTH, self.LEAST)


def populated(process: Process, threads: int | None) -> Iterator[tuple[Mapping, Pages]]:
    """See `Process.populated`."""
    reach = Reach(first=pipeline.ALONE_PAGES)  # the other threads wait for that piece
    over = Pages.over
    visible = process.pfns_visible
    lend = lender(EntryBuffer.size)
    for block in process.maps_blocks():
        mappings, bounds = maps.parse_bounds(block)
        spans = Spans.of_bounds(bounds, PAGE_SHIFT)
        pieces = spans.populated(
            process.fileno(), PAGE_SHIFT, use_scan=process.can_scan, pages=reach
        )
        of = iter(mappings)
        mapping = next(of)
        with pipeline.run(pieces, lambda: EntryBuffer(lend), threads) as results:
            for piece, (entries, runs) in process.reading(results):
                at = 0
                for vpn, count in zip(runs[::2], runs[1::2], strict=True):
                    start = vpn << PAGE_SHIFT
                    while start >= mapping.end:
                        mapping = next(of)
                    yield mapping, over(entries[at : at + count], start, PAGE_SIZE, visible)
                    at += count
                if piece.done:
                    reach.learn(piece.pages, at)
    process.check()
