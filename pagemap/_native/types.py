"""Pages counted by their flags, or listed in rows: a step is one call into C, in pieces."""

from __future__ import annotations

import mmap
import os

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, view_of
from pagemap._native.scan import Piece
from pagemap._native.source import Scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from pagemap._native.scan import Spans
    from pagemap._native.source import Source

__all__ = [
    "ALIKE",
    "BLOCK_PAGES",
    "COUNTS",
    "EACH",
    "HITS",
    "MINCORE_TELLS",
    "NOT_CACHED",
    "SHARES",
    "SWAP_IS_CACHED",
    "Blocks",
    "FilesPiece",
    "Found",
    "Job",
    "SeenFrames",
    "cacheable",
    "next_cached",
    "word_of",
]

MINCORE_TELLS: int = lib.PM_MINCORE_TELLS
NOT_CACHED: int = lib.PM_NOT_CACHED
SWAP_IS_CACHED: int = lib.PM_SWAP_IS_CACHED
"""What `cacheable` gives, as enum pm_cacheable has it."""

COUNTS: int = lib.PM_TYPES_COUNTS
ALIKE: int = lib.PM_TYPES_ALIKE
EACH: int = lib.PM_TYPES_EACH
SHARES: int = lib.PM_TYPES_SHARES
HITS: int = lib.PM_TYPES_HITS
"""What a job is for: counts by flags, a list of pages alike in a row, or of each page. Of ranges of
files alone: how much of each is charged to which cgroup, or pages in frames that are sought."""

BLOCK_PAGES = 1 << 15
"""Pages of a step. The more, the more of their frames lie side by side; but memory new to us is
slow: its first touch takes 9 us a page on virtual machines."""


def word_of(word: int, entry: int, *, raw: bool) -> int:
    """The flags of a page as they are shown, of its word and its entry; 0 where there is none."""
    return int(lib.pm_types_word(word, entry, raw))


def cacheable(fd: int, page_shift: int, pages: int) -> int:
    """Who tells what is cached of a file of `pages` pages: a PM_* of enum pm_cacheable.

    Raises OSError: EPERM where the kernel was seen to tell us that all is cached.
    """
    return checked(lib.pm_types_cacheable(fd, page_shift, pages))


def next_cached(fd: int, page_shift: int, page: int, end: int) -> int | None:
    """The first page from `page` on at which cached ones may begin; None: there are no more.

    Raises OSError where the kernel does not tell by itself (cachestat, since 6.5).
    """
    at = ffi.new("uint64_t *", page)
    some = checked(lib.pm_types_next_cached(fd, page_shift, BLOCK_PAGES, at, end))
    return int(at[0]) if some else None


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
        return Blocks(self)

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


_FOUND = {
    COUNTS: ("types", "struct pm_type"),
    EACH: ("rows", "struct pm_types_run"),
    SHARES: ("shares", "struct pm_types_share"),
    HITS: ("hits", "struct pm_types_hit"),
}
"""The column of a block for what is found; of ALIKE it is that of EACH."""


class Blocks:
    """Blocks that threads take for a step, as many as there are steps at a time.

    What a step found is copied out of its block, so results may wait without one.
    """

    __slots__ = ("_free", "_job")

    def __init__(self, job: Job) -> None:
        self._job = job
        self._free: list[Block] = []

    def found(self, call: Callable[[Any], int]) -> Found:
        """What a step finds, which is ``call(block)``."""
        try:
            block = self._free.pop()
        except IndexError:
            block = Block(self._job)
        checked(call(block))
        found = block.found(listed=self._job.wanted != COUNTS)
        self._free.append(block)
        return found


class Block(Scratch):
    """The columns of a step, and what it found."""

    __slots__ = ("_kept", "_listed", "table")

    def __init__(self, job: Job) -> None:
        super().__init__()
        size = BLOCK_PAGES
        columns: dict[str, Any] = {
            name: allocate("uint64_t[]", size) for name in ("entries", "flags")
        }
        # only a list tells PFNs; else they lie where the flags will, since each page untouched
        # before costs time
        columns["pfns"] = allocate("uint64_t[]", size) if job.wanted else columns["flags"]
        if job.mapcounts:
            columns["mapcounts"] = allocate("uint64_t[]", size)
        if job.cgroups:
            columns["cgroups"] = allocate("uint64_t[]", size)
        columns["runs"] = allocate("struct pm_range[]", size)
        columns["wishes"] = allocate("struct pm_wish[]", size)
        columns["spare"] = allocate("struct pm_wish[]", size)
        columns["scratch"] = allocate("uint64_t[]", READ_BLOCK)
        columns["slots"] = allocate("uint32_t[]", 2 * size)
        name, kind = _FOUND.get(job.wanted, _FOUND[EACH])
        columns[name] = allocate(f"{kind}[]", size)
        self._listed = columns[name], ffi.sizeof(kind)
        self._kept = columns  # the table holds bare pointers
        self.table = ffi.new(
            "struct pm_types_block *", {"capacity": size, "slots_count": 2 * size, **columns}
        )

    def found(self, *, listed: bool) -> Found:
        """What the last step found, copied out."""
        table = self.table
        looked, unknown = int(table.looked), int(table.unknown)
        if listed:
            rows, size = self._listed
            return Found((), ffi.buffer(rows)[: size * table.found], looked, unknown)
        words = view_of(self._kept["types"], "Q")[: 4 * table.found].tolist()
        types = zip(words[::4], words[1::4], words[2::4], strict=True)
        return Found(tuple(types), b"", looked, unknown)


class Found:
    """What a step found: `types`, ``(flags, pages, frames)`` each, or `rows` of a list, as in C.

    Of the pages `looked` at, those are `unknown` whose frames have no word.
    """

    __slots__ = ("looked", "rows", "types", "unknown")

    def __init__(
        self, types: tuple[tuple[int, ...], ...], rows: bytes, looked: int, unknown: int
    ) -> None:
        self.types = types
        self.rows = rows
        self.looked = looked
        self.unknown = unknown


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


class FilesPiece:
    """Some pages of a file, or of several small ones: ``(file, ask_again, page, count)`` of each.

    `errors` are those of single files, by their place among them.
    """

    __slots__ = ("_job", "_kept", "_table", "done", "errors", "work")

    def __init__(self, job: Job, ranges: list[tuple[int, bool, int, int]]) -> None:
        self._job = job
        self._kept = ranges  # their descriptors stay open for as long
        self._table = ffi.new(
            "struct pm_types_range[]",
            [(page, count, int(fd), ask_again, 0) for fd, ask_again, page, count in ranges],
        )
        self.errors: dict[int, OSError] = {}
        self.work = 0
        self.done = False

    def run(self, blocks: Blocks) -> Found:
        """A step, which is all of it."""
        job, table = self._job, self._table
        found = blocks.found(
            lambda block: lib.pm_types_of_files(job.table, table, len(table), block.table)
        )
        self.work = found.looked
        self.done = True
        for at in range(len(table)):
            if table[at].failed:
                code = -table[at].failed
                self.errors[at] = OSError(code, os.strerror(code))
        return found
