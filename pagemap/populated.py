"""What is there, and nothing else: the present and the swapped pages, with their mappings.

A process of a few gigabytes may reserve terabytes. Where a stretch is empty the kernel is asked for
the next populated page (PAGEMAP_SCAN, which skips empty page tables); where pages are populated
their entries are read in bulk. Without PAGEMAP_SCAN everything is read and what is empty dropped:
the answer is the same.
"""

from __future__ import annotations

from pagemap import maps, pipeline, told
from pagemap._native.pool import pool
from pagemap._native.scan import EntryBuffer, Spans
from pagemap.pages import Pages
from pagemap.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap.maps import Mapping
    from pagemap.process import Process

__all__ = ["Reach", "populated"]


LARGE = 8 * pipeline.ALONE_PAGES
"""So many resident pages are worth threads from the beginning."""


class Reach:
    """How many pages the next piece takes: more where little was found, since holes cost nothing.

    A piece of LEAST pages, all populated, is done in one step and fills a block of the pool; and
    several threads share the work evenly. Of a terabyte with a page here and there such pieces
    would be thousands. Where it is known how many pages are `left`, the last pieces are smaller,
    down to LAST, so that `threads` end at about the same time.
    """

    LEAST = EntryBuffer.size
    LAST = 1 << 14
    MOST = 1 << 40
    SPARSE = 8
    GROWTH = 64

    __slots__ = ("left", "pages", "threads")

    def __init__(self, *, first: int | None = None, threads: int | None = None) -> None:
        self.pages = self.LEAST if first is None else min(first, self.LEAST)
        self.left: int | None = None
        self.threads = pipeline.default_threads() if threads is None else max(threads, 1)

    def __call__(self) -> int:
        """The number of pages."""
        pages = self.pages
        if self.left is not None:
            if pages == self.LEAST:
                pages = min(pages, max(self.left // self.threads, self.LAST))
            self.left -= pages
        return pages

    def learn(self, pages: int, found: int) -> None:
        """Take note that among `pages` there were `found` populated ones."""
        if found * self.SPARSE < pages:
            self.pages = min(self.pages * self.GROWTH, self.MOST)
        else:
            self.pages = max(self.pages // self.GROWTH, self.LEAST)


def populated(process: Process, threads: int | None) -> Iterator[tuple[Mapping, Pages]]:
    """See `Process.populated`."""
    over = Pages.over
    visible, flags = process.pfns_visible, told.bits(process.procfs)
    kept = process.kept
    process.require_open()
    blocks = kept["pool"] = pool(EntryBuffer.size)
    large = (kept.get("populated") or process.resident_pages) >= LARGE
    # a first piece that is done alone is small: the other threads wait for it
    reach = Reach(first=None if large else pipeline.ALONE_PAGES, threads=threads)
    total = 0
    for block in process.maps_blocks():
        of, bounds = maps.parse_later(block)  # when there is something to do for other threads
        spans = Spans.of_bounds(bounds, PAGE_SHIFT)
        reach.left = spans.pages
        pieces = spans.populated(
            process.fileno(), PAGE_SHIFT, use_scan=process.can_scan, pages=reach
        )
        mapping: Mapping | None = None
        with pipeline.run(pieces, lambda: EntryBuffer(blocks), threads, large=large) as results:
            for piece, (entries, runs) in process.reading(results):
                at = 0
                for vpn, count in zip(runs[::2], runs[1::2], strict=True):
                    start = vpn << PAGE_SHIFT
                    while mapping is None or start >= mapping.end:
                        mapping = next(of)
                    yield mapping, over(entries[at : at + count], start, PAGE_SIZE, visible, flags)
                    at += count
                total += at
                if piece.done:
                    reach.learn(piece.pages, at)
    process.check()
    kept["populated"] = total
