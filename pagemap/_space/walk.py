"""How a walk is cut into pieces, where the number of populated pages is not known before."""

from __future__ import annotations

from pagemap._native import pipeline
from pagemap._native.scan import EntryBuffer

__all__ = ["Reach"]


class Reach:
    """How many pages the next piece takes: more where little was found, since holes cost nothing.

    A piece of LEAST pages is done in one step, and several threads share the work evenly. Of a
    terabyte with a page here and there such pieces would be thousands. Where it is known how many
    pages are `left`, the last pieces are smaller, down to LAST, so that `threads` end at about the
    same time.
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
