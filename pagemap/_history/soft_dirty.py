"""Writes tracked by the soft-dirty bits, where that is all there is.

Between reading and clearing the bits a write would be lost, so the process is stopped meanwhile. It
cannot be where it is the caller's own.
"""

from __future__ import annotations

import contextlib
import os

from pagemap._analyses.regions import RegionStream
from pagemap._history.found import NEW, TRACKED, Found
from pagemap._history.spans import Spans
from pagemap._kernel import soft_dirty
from pagemap._kernel.stopping import stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._history.spans import Ranges
    from pagemap._space.address_space import AddressSpace

__all__ = ["SoftDirty"]


class SoftDirty:
    """Tracks the memory of `process`, or with `ranges` what lies in these.

    Raises Unsupported where the kernel has no such bits.
    """

    method = "soft-dirty"
    unseen = (
        "writes through other mappings of shared memory or of a file; those to pages that leave "
        "the page table in the same round: of shared memory or of a shared file by reclaim, and "
        "any that are thrown away (MADV_DONTNEED, munmap)"
    )

    def __init__(self, process: AddressSpace, ranges: Ranges | None) -> None:
        self._process = process
        self._ranges = ranges
        soft_dirty.require(process.procfs, process.pid)
        self._is_own = process.pid == os.getpid() and process.procfs == "/proc"
        if self._is_own:
            self.unseen += "; and those of other threads while the bits are read and cleared"
        self._tell = ["soft_dirty", "file"]
        if process.can_find("pfnzero"):
            self._tell.append("pfnzero")
        with self._at_rest():
            soft_dirty.clear(process.folder)
            self._known = set(Spans(process, None).whole)

    def round(self, *, clear: bool) -> tuple[Spans, Found]:
        """What was written since the last round, and with `clear` begin another."""
        with self._at_rest() if clear else contextlib.nullcontext():
            spans = Spans(self._process, self._ranges)
            found = self._found(spans)
            if clear:
                soft_dirty.clear(self._process.folder)
        if clear:
            self._known = set(spans.whole) if self._ranges is None else self._known
        return spans, found

    def _at_rest(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._is_own else stopped(self._process.folder)

    def _found(self, spans: Spans) -> Found:
        """What has the bit and is there, cut where mappings end."""
        found = Found()
        number = 0
        for start, end, words in self._marked():
            at = start
            while number < len(spans.bounds) and at < end:
                first, last = spans.bounds[number]
                if last <= at:
                    number += 1
                    continue
                stop = min(end, last)
                # what is of the file in private memory was never written: that makes a copy
                if first < stop and not ("file" in words and spans.private_file[number]):
                    how = TRACKED if spans.whole[number] in self._known else NEW
                    found.add(max(at, first), stop, number, how)
                at = stop if first < stop else end
        return found

    def _marked(self) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        stream = RegionStream(
            self._process,
            only=["soft_dirty", "present/swap"],
            without=[],
            tell=self._tell,
            ranges=self._ranges,
            max_pages=None,
        )
        for table in stream:
            for row in table:
                if "pfnzero" not in row.words:
                    yield row.start, row.end, row.words

    def close(self) -> None:
        """Nothing is left to end: the bits are the kernel's."""
