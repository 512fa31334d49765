"""Pages counted by their flags, or listed in rows: a step is one call into C, in pieces."""

from __future__ import annotations

import mmap

from pagemap._core import ffi, lib
from pagemap._native.scan import Piece
from pagemap._native.types_blocks import COUNTS, Blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from pagemap._native.scan import Spans
    from pagemap._native.source import Source
    from pagemap._native.types_blocks import Found

__all__ = ["Job", "SeenFrames", "word_of"]


def word_of(word: int, entry: int, *, raw: bool) -> int:
    """The flags of a page as they are shown, of its word and its entry; 0 where there is none."""
    return int(lib.pm_types_word(word, entry, raw))


class SeenFrames:
    """Which frames were counted, a bit for each of the machine's: 1/32,768 of its memory.

    The kernel gives only those parts of it that are touched.
    """

    __slots__ = ("_memory", "count", "table")

    def __init__(self, frames: int) -> None:
        self.count = frames
        self._memory = mmap.mmap(-1, 8 * (frames // 64 + 1))
        self.table = ffi.from_buffer("uint64_t[]", self._memory, require_writable=True)


class Job:
    """Where to look, and for what: `wanted` is COUNTS, ALIKE or EACH.

    Pages must have entries with all bits of `all_of` and none of `none_of`, of a kind that has its
    bit in `kinds_wanted`, and flags that pass all `filters`, ``(mask, bits, any)`` as in C. `kinds`
    are those of each swap type (`pagemap._kernel.swap_types.kinds`). `sought` are PFNs, of hits.
    """

    __slots__ = (
        "_fds",
        "_filters",
        "_kinds",
        "_looked_at",
        "_seen",
        "_sought",
        "cgroups",
        "mapcounts",
        "source",
        "table",
        "wanted",
    )

    def __init__(
        self,
        *,
        page_shift: int,
        kpageflags: int = -1,
        kpagecount: int = -1,
        kpagecgroup: int = -1,
        raw: bool = False,
        wanted: int = COUNTS,
        cgroup: int | None = None,
        kinds: bytes,
        all_of: int = 0,
        none_of: int = 0,
        kinds_wanted: int = 0,
        filters: Sequence[tuple[int, int, bool]] = (),
        seen: SeenFrames | None = None,
        once: bool = False,
        sought: Iterable[int] = (),
    ) -> None:
        self._seen = seen
        pfns = sorted(set(sought))
        self._sought = ffi.new("uint64_t[]", pfns)
        self._filters = ffi.new("struct pm_types_filter[]", list(filters))
        self._kinds = ffi.from_buffer("uint8_t[]", kinds)
        self.wanted = wanted
        self.source: Source = -1
        self._fds = kpageflags, kpagecount, kpagecgroup  # held for as long as C may read
        self.mapcounts = kpagecount >= 0
        self.cgroups = kpagecgroup >= 0
        self.table = ffi.new(
            "struct pm_types_job *",
            {
                "source": {"fd": -1, "page_shift": page_shift},
                "kpageflags": kpageflags,
                "kpagecount": kpagecount,
                "kpagecgroup": kpagecgroup,
                "raw": raw,
                "list": wanted,
                "by_cgroup": cgroup is not None,
                "sink": -1,
                "cgroup": cgroup or 0,
                "kinds": self._kinds,
                "all_of": all_of,
                "none_of": none_of,
                "kinds_wanted": kinds_wanted,
                "filters": self._filters,
                "filters_count": len(filters),
                "seen": ffi.NULL if seen is None else seen.table,
                "seen_count": 0 if seen is None else seen.count,
                "once": once,
                "sought": self._sought,
                "sought_count": len(pfns),
            },
        )

    def blocks(self) -> Blocks:
        """What the threads of a walk need."""
        return Blocks(self.wanted, mapcounts=self.mapcounts, cgroups=self.cgroups)

    def of_spans(
        self, spans: Spans, source: Source, *, use_scan: bool, pages: Any
    ) -> Iterator[SpansPiece]:
        """Look at the populated pages of `spans` of `source`, `pages()` in a piece."""
        page_shift = self.table.source.page_shift
        # another struct, so that threads see that their copies are of an older one
        self.table = ffi.new("struct pm_types_job *", self.table[0])
        self.table.source = spans.source(source, page_shift, use_scan=use_scan)
        self.source = source
        self._looked_at: tuple[object, ...] = (source,)
        for at, to, count in spans.stretches(pages):
            yield SpansPiece(self, spans, at, to, count)

    def of_memory(self, start: int, end: int, pages: int) -> Iterator[RangePiece]:
        """Look at the frames from `start` up to `end`, `pages` in a piece."""
        return self._ranges(lib.pm_types_of_memory, start, end, pages)

    def of_files(self, pagemap: int, sink: int) -> None:
        """Be for pages of files, by our own pagemap; then there are a `FilesPiece` and more."""
        self.table.source.fd, self.table.sink = pagemap, sink
        self._looked_at = pagemap, sink

    def _ranges(self, call: Any, start: int, end: int, pages: int) -> Iterator[RangePiece]:
        for first in range(start, end, pages):
            yield RangePiece(self, call, first, min(end, first + pages))


class SpansPiece(Piece):
    """A stretch of a target's spans, perhaps in several steps."""

    __slots__ = ("_job",)

    def __init__(self, job: Job, spans: Spans, at: Any, to: Any, pages: int) -> None:
        super().__init__(spans, at, to, pages)
        self._job = job

    def run(self, blocks: Blocks) -> Found:
        """A step."""
        job = self._job
        found = blocks.found(
            lambda block: lib.pm_types_of_spans(
                block.job_of(job.table, job.source), self._at, self._to, block.table
            )
        )
        self.work += found.looked
        return found


class RangePiece:
    """A range of frames, or of a file's pages."""

    __slots__ = ("_at", "_call", "_end", "_job", "work")

    def __init__(self, job: Job, call: Any, start: int, end: int) -> None:
        self._job, self._call, self._end = job, call, end
        self._at = ffi.new("uint64_t *", start)
        self.work = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left of this piece."""
        return bool(self._at[0] >= self._end)

    def run(self, blocks: Blocks) -> Found:
        """A step."""
        job = self._job
        found = blocks.found(lambda block: self._call(job.table, self._at, self._end, block.table))
        self.work += found.looked
        return found
