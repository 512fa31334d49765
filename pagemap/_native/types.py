"""Pages counted by their flags, or listed in rows: a step is one call into C, in pieces."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from pagemap._native.scan import Spans

__all__ = ["BLOCK_PAGES", "NO_WORD", "Blocks", "Found", "Job", "cacheable", "word_of"]

NO_WORD = 2**64 - 1
"""In a row: the kernel tells no map count, or no cgroup, of these frames."""

BLOCK_PAGES = 1 << 15
"""Pages of a step. The more, the more of their frames lie side by side; but memory new to us is
slow: its first touch takes 9 us a page on virtual machines."""


def word_of(word: int, entry: int, *, raw: bool) -> int:
    """The flags of a page as they are shown, of its word and its entry; 0 where there is none."""
    return int(lib.pm_types_word(word, entry, raw))


def cacheable(fd: int) -> bool:
    """Whether the page cache of a file can be looked at. Raises OSError."""
    return checked(lib.pm_types_cacheable(fd)) == 1


class Job:
    """Where to look, and for what. `filters` are ``(mask, bits, any)``, as in C."""

    __slots__ = ("_fds", "_filters", "_looked_at", "cgroups", "list", "mapcounts", "table")

    def __init__(
        self,
        *,
        page_shift: int,
        kpageflags: int,
        kpagecount: int = -1,
        kpagecgroup: int = -1,
        raw: bool = False,
        listed: bool = False,
        cgroup: int | None = None,
        filters: Sequence[tuple[int, int, bool]] = (),
    ) -> None:
        self._filters = ffi.new("struct pm_types_filter[]", list(filters))
        self.list = listed
        self._fds = kpageflags, kpagecount, kpagecgroup  # held for as long as C may read
        self.mapcounts = kpagecount >= 0
        self.cgroups = kpagecgroup >= 0
        self.table = ffi.new(
            "struct pm_types_job *",
            {
                "pagemap": -1,
                "kpageflags": kpageflags,
                "kpagecount": kpagecount,
                "kpagecgroup": kpagecgroup,
                "page_shift": page_shift,
                "raw": raw,
                "list": listed,
                "by_cgroup": cgroup is not None,
                "file": -1,
                "sink": -1,
                "cgroup": cgroup or 0,
                "filters": self._filters,
                "filters_count": len(filters),
            },
        )

    def blocks(self) -> Blocks:
        """What the threads of a walk need."""
        return Blocks(self)

    def of_spans(
        self, spans: Spans, fd: int, *, use_scan: bool, pages: Any
    ) -> Iterator[SpansPiece]:
        """Look at the populated pages of `spans` of the pagemap `fd`, `pages()` in a piece."""
        self.table.spans = spans.table
        self.table.pagemap = fd
        self._looked_at: tuple[int, ...] = (fd,)
        self.table.use_scan = use_scan
        for at, to, count in spans.stretches(pages):
            yield SpansPiece(self, spans, at, to, count)

    def of_memory(self, start: int, end: int, pages: int) -> Iterator[RangePiece]:
        """Look at the frames from `start` up to `end`, `pages` in a piece."""
        return self._ranges(lib.pm_types_of_memory, start, end, pages)

    def of_file(
        self, pagemap: int, file: int, sink: int, count: int, pages: int
    ) -> Iterator[RangePiece]:
        """Look at the first `count` pages of a file, by our own pagemap."""
        self.table.pagemap, self.table.file, self.table.sink = pagemap, file, sink
        self._looked_at = pagemap, file, sink
        return self._ranges(lib.pm_types_of_file, 0, count, pages)

    def _ranges(self, call: Any, start: int, end: int, pages: int) -> Iterator[RangePiece]:
        for first in range(start, end, pages):
            yield RangePiece(self, call, first, min(end, first + pages))


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
        checked(call(block.table))
        found = block.found(self._job.list)
        self._free.append(block)
        return found


class Block:
    """The columns of a step, and what it found."""

    __slots__ = ("_kept", "table")

    def __init__(self, job: Job) -> None:
        size = BLOCK_PAGES
        columns: dict[str, Any] = {
            name: allocate("uint64_t[]", size) for name in ("entries", "flags")
        }
        # only a list tells PFNs; else they lie where the flags will, since each page untouched
        # before costs time
        columns["pfns"] = allocate("uint64_t[]", size) if job.list else columns["flags"]
        if job.mapcounts:
            columns["mapcounts"] = allocate("uint64_t[]", size)
        if job.cgroups:
            columns["cgroups"] = allocate("uint64_t[]", size)
        columns["runs"] = allocate("struct pm_range[]", size)
        columns["wishes"] = allocate("struct pm_wish[]", size)
        columns["spare"] = allocate("struct pm_wish[]", size)
        columns["scratch"] = allocate("uint64_t[]", READ_BLOCK)
        columns["slots"] = allocate("uint32_t[]", 2 * size)
        if job.list:
            columns["rows"] = allocate("struct pm_types_run[]", size)
        else:
            columns["types"] = allocate("struct pm_type[]", size)
        self._kept = columns  # the table holds bare pointers
        self.table = ffi.new(
            "struct pm_types_block *", {"capacity": size, "slots_count": 2 * size, **columns}
        )

    def found(self, listed: bool) -> Found:
        """What the last step found, copied out."""
        table = self.table
        name, width = ("rows", 7) if listed else ("types", 2)
        words = view_of(self._kept[name], "Q")[: width * table.found].tolist()
        rows = list(zip(*(words[at::width] for at in range(width)), strict=True))
        return Found(rows, int(table.looked), int(table.unknown))


class Found:
    """`rows` of a step, the pages `looked` at, and those `unknown`, whose frames have no word.

    A row is ``(flags, pages)``, or in a list ``(place, pfn, swapped, pages, flags,
    mapcount, cgroup)``.
    """

    __slots__ = ("looked", "rows", "unknown")

    def __init__(self, rows: list[tuple[int, ...]], looked: int, unknown: int) -> None:
        self.rows = rows
        self.looked = looked
        self.unknown = unknown


class SpansPiece:
    """A stretch of a target's spans, perhaps in several steps."""

    __slots__ = ("_at", "_job", "_spans", "_to", "pages", "work")

    def __init__(self, job: Job, spans: Spans, at: Any, to: Any, pages: int) -> None:
        self._job, self._spans, self._at, self._to = job, spans, at, to
        self.pages = pages
        self.work = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left of this piece."""
        at, to = self._at, self._to
        return bool((at.span, at.page) >= (to.span, to.page))

    def run(self, blocks: Blocks) -> Found:
        """A step."""
        job = self._job
        found = blocks.found(
            lambda block: lib.pm_types_of_spans(job.table, self._at, self._to, block)
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
        found = blocks.found(lambda block: self._call(job.table, self._at, self._end, block))
        self.work += found.looked
        return found
