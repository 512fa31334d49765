"""Writes tracked by the soft-dirty bits, where that is all there is.

Between reading and clearing the bits a write would be lost, so the process is stopped meanwhile. It
cannot be where it is the caller's own. Of a page of shared memory that leaves the page table the
bit goes with it: so each may have been written, and of one that is back again nothing is known.
"""

from __future__ import annotations

import contextlib
from array import array

from pagemap._analyses.regions import RegionStream
from pagemap._history.found import GONE, NEW, TRACKED, Found
from pagemap._history.shared_pages import MOST, NOTHING, SharedPages
from pagemap._history.spans import Spans
from pagemap._kernel import soft_dirty
from pagemap._kernel.stopping import stopped
from pagemap._native.writes import Writes

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

    def __init__(self, process: AddressSpace, ranges: Ranges | None) -> None:
        self._process = process
        self._ranges = ranges
        soft_dirty.require(process.procfs, process.pid)
        self._is_own = process.is_own
        self._tell = ["soft_dirty", "file"]
        if process.can_find("pfnzero"):
            self._tell.append("pfnzero")
        self._shared = SharedPages()
        with self._at_rest():
            soft_dirty.clear(process.folder)
            self._known = set(Spans(process, None).whole)
            spans = Spans(process, ranges)
            self._shared.keep(self._writes(spans), NOTHING, self._populated(spans))

    @property
    def unseen(self) -> str:
        """Which writes are in no round."""
        others = "; and those of other threads while the bits are read and cleared"
        return (
            "writes through other mappings of shared memory or of a file; to pages of shared "
            "memory or of a shared file that leave the page table in the round in which they are "
            "first touched, or moved by mremap, or that are there again at its end"
            f"{self._shared.forgotten}; zeros over all of a page of a transparent huge page that "
            "the kernel splits in the same round (Linux 6.12); to private memory that is "
            f"thrown away (MADV_DONTNEED), or unmapped{others if self._is_own else ''}"
        )

    def round(self, *, clear: bool) -> tuple[Spans, Found]:
        """What was written since the last round, and with `clear` begin another."""
        with self._at_rest() if clear else contextlib.nullcontext():
            spans = Spans(self._process, self._ranges)
            found = self._found(spans)
            now = self._populated(spans)
            if clear:
                soft_dirty.clear(self._process.folder)
        writes = self._writes(spans)
        gone = writes.kept(self._shared.before, now, NOTHING, MOST).words
        if gone:
            every = range(len(spans.bounds))
            found.extend(gone, every, bytes([GONE]) * len(every))
            found.sort()
        if clear:
            self._known = set(spans.whole) if self._ranges is None else self._known
            self._shared.keep(writes, gone, now)
        return spans, found

    def _writes(self, spans: Spans) -> Writes:
        """To compare what is populated of shared memory."""
        files = self._shared.files(spans, range(len(spans.bounds)))
        return Writes(
            self._process.fileno(), spans.bounds, spans.private_file, spans.shared, files, 0
        )

    def _populated(self, spans: Spans) -> array[int]:
        """What is populated of shared memory: a start, an end and 0 for each region."""
        shared = [bound for bound, each in zip(spans.bounds, spans.shared, strict=True) if each]
        words = array("Q")
        if not shared:
            return words
        stream = RegionStream(
            self._process, only=["present/swap"], without=[], tell=[], ranges=shared, max_pages=None
        )
        for table in stream:
            part = array("Q", bytes(24 * len(table)))
            part[::3] = array("Q", table["start"].tobytes())
            part[1::3] = array("Q", table["end"].tobytes())
            words += part
        return words

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
