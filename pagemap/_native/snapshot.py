"""Page tables taken into blocks of a snapshot file, and read from there."""

from __future__ import annotations

from errno import EBADMSG

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, view_of
from pagemap._native.scan import Spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

__all__ = [
    "BLOCK_WORDS",
    "HEADER_SIZE",
    "MARK",
    "MOST_BLOCK",
    "MOST_LAYERS",
    "PAGES_KIND",
    "WITHIN_KIND",
    "BlockTrial",
    "FrameGroups",
    "SavedTable",
    "TakeBuffer",
    "Taking",
    "TakingPiece",
    "chunk_sum",
    "joined",
    "skipped_by_scans",
]

HEADER_SIZE: int = lib.PM_CHUNK_HEADER
MARK: int = lib.PM_CHUNK_MARK
PAGES_KIND: int = lib.PM_CHUNK_PAGES
WITHIN_KIND: int = lib.PM_CHUNK_WITHIN
MOST_BLOCK: int = lib.PM_BLOCK_BYTES
MOST_LAYERS: int = lib.PM_SAVED_LAYERS
BLOCK_WORDS = 4
"""Numbers of a block: first page, page past the last, offset, and size with whose << 32."""


def chunk_sum(data: bytes | memoryview) -> int:
    """CRC-32, as all sums of a file are."""
    return int(lib.pm_chunk_sum(ffi.from_buffer("uint8_t[]", data), len(data)))


def _scratch(size: int) -> Any:
    """Zeroed memory that begins at a multiple of 8 bytes."""
    words = ffi.new("uint64_t[]", (size + 7) // 8)
    return words, ffi.cast("uint8_t *", words)


def joined(spans: Spans) -> Spans:
    """The same, where those that touch are one."""
    spans.count = int(lib.pm_take_join(spans.table, spans.count))
    return spans


def skipped_by_scans(fd: int, bounds: array[int], page_shift: int) -> Spans:
    """Those of the mappings with these bounds that are soft-dirty, which no scan tells.

    Raises OSError.
    """
    spans = Spans.of_bounds(memoryview(bounds), page_shift)
    spans.count = checked(lib.pm_take_skipped(fd, page_shift, spans.table, spans.count))
    return spans


class TakeBuffer:
    """What one step of taking needs: its blocks lie in here until the next step."""

    __slots__ = ("blocks", "ended", "looked", "memory", "out", "scratch", "stored", "words")

    def __init__(self) -> None:
        self.memory, self.scratch = _scratch(lib.pm_take_scratch())
        self.out = allocate("uint8_t[]", lib.PM_TAKE_BYTES)
        self.blocks = allocate("struct pm_saved_block[]", lib.PM_TAKE_BLOCKS)
        self.words = view_of(self.blocks, "Q")
        self.stored = ffi.new("uint64_t *")
        self.looked = ffi.new("uint64_t *")
        self.ended = ffi.new("uint64_t *")


class FrameGroups:
    """Marks of `count` groups, each of 1 << `shift` frames: those that pages lie in."""

    __slots__ = ("_marks", "count", "frames", "shift", "table")

    def __init__(self, count: int, shift: int) -> None:
        self.count = count
        self.shift = shift
        self._marks = bytearray(count)
        self.table = ffi.from_buffer("uint8_t[]", self._marks, require_writable=True)
        self.frames = ffi.new("uint8_t[]", count << shift - 3)

    def read(self, group: int, count: int, fds: tuple[int, int]) -> list[bytearray]:
        """The words of frames in `count` groups, of each of these files; 0 where no page lies.

        Of a huge page there are all. Raises OSError.
        """
        words = [bytearray(count * 8 << self.shift) for _ in fds]
        columns = [ffi.from_buffer("uint64_t[]", each, require_writable=True) for each in words]
        files = ffi.new("struct pm_frame_files *", (*fds, self.shift))
        checked(lib.pm_take_frames(files, self.frames, group, count, *columns))
        return words

    def runs(self, most: int) -> Iterator[tuple[int, int]]:
        """The marked ones: the first of some in a row, and how many, at most `most`."""
        at = self._marks.find(1)
        while at >= 0:
            end = self._marks.find(0, at, at + most)
            end = min(at + most, self.count) if end < 0 else end
            yield at, end - at
            at = self._marks.find(1, end)


class Taking:
    """The taking of one page table."""

    __slots__ = ("_keep", "_spans", "table")

    def __init__(
        self,
        spans: Spans,
        fd: int,
        page_shift: int,
        *,
        use_scan: bool,
        categories: int,
        places: bool,
        whose: int,
        groups: FrameGroups | None = None,
        skipped: Spans | None = None,
    ) -> None:
        self._spans = joined(spans)
        self._keep = fd, groups, skipped  # open for as long as somebody holds it
        self.table = ffi.new(
            "struct pm_taking *",
            {
                "spans": spans.table,
                "spans_count": spans.count,
                "fd": fd,
                "page_shift": page_shift,
                "use_scan": use_scan,
                "categories": categories,
                "places": places,
                "whose": whose,
                "groups": ffi.NULL if groups is None else groups.table,
                "frames": ffi.NULL if groups is None else groups.frames,
                "groups_count": 0 if groups is None else groups.count,
                "group_shift": 0 if groups is None else groups.shift,
                "skipped": ffi.NULL if skipped is None else skipped.table,
                "skipped_count": 0 if skipped is None else skipped.count,
            },
        )

    def pieces(self, pages: Callable[[], int]) -> Iterator[TakingPiece]:
        """Pieces of `pages()` pages each, in order."""
        for at, to, count in self._spans.stretches(pages):
            yield TakingPiece(self, at, to, count)


class TakingPiece:
    """A stretch that is to be taken, perhaps in several steps; `ended` is where entries end."""

    __slots__ = ("_at", "_taking", "_to", "done", "ended", "looked", "pages", "work")

    def __init__(self, taking: Taking, at: Any, to: Any, pages: int) -> None:
        self._taking = taking
        self._at = at
        self._to = to
        self.pages = pages
        self.work = 0
        self.looked = 0
        self.ended: int | None = None
        self.done = False

    def run(self, buffer: TakeBuffer) -> tuple[memoryview, memoryview]:
        """Some more blocks, as bytes, and BLOCK_WORDS numbers for each, offsets from the first."""
        buffer.ended[0] = 0
        size = checked(
            lib.pm_take_step(
                self._taking.table,
                self._at,
                self._to,
                buffer.scratch,
                buffer.out,
                buffer.blocks,
                buffer.stored,
                buffer.looked,
                buffer.ended,
            )
        )
        self.looked = int(buffer.looked[0])
        self.work += self.looked
        self.ended = int(buffer.ended[0]) or None
        at, to = self._at, self._to
        self.done = bool((at.span, at.page) >= (to.span, to.page))
        words = buffer.words[: BLOCK_WORDS * int(buffer.stored[0])]
        return view_of(buffer.out, "B")[:size], words


class SavedTable:
    """The page table of one process at one moment, in a file.

    `layers` are arrays of blocks, BLOCK_WORDS numbers each, and `within` the mappings at the moment
    of the first one. Raises OSError (EBADMSG) where blocks are not in order, or reach past the
    file.
    """

    __slots__ = ("_blocks", "_fd", "_layers", "_within", "end_page", "page_shift")

    def __init__(
        self,
        fd: int,
        layers: Sequence[memoryview],
        *,
        within: Spans | None = None,
        page_shift: int,
        end_page: int,
        file_size: int,
    ) -> None:
        if not 0 < len(layers) <= MOST_LAYERS:
            raise OSError(EBADMSG, "no page table has so many layers")
        self._fd = fd
        self.page_shift = page_shift
        self.end_page = end_page
        # The views and no cdata of from_buffer: when the garbage collector finds both in a cycle it
        # clears the view while the cdata exports it, and CPython ends with a segmentation fault.
        self._blocks = list(layers)
        self._layers = ffi.new("struct pm_layer[]", len(layers))
        for number, layer in enumerate(layers):
            count = len(layer) // BLOCK_WORDS
            blocks = ffi.cast("struct pm_saved_block *", ffi.from_buffer(layer))
            checked(lib.pm_saved_check(blocks, count, file_size))
            self._layers[number].blocks = blocks
            self._layers[number].blocks_count = count
        self._within = within
        if within is not None:
            self._layers[0].spans, self._layers[0].spans_count = within.table, within.count

    def reader(self, *, counted: bool = False) -> Any:
        """A struct pm_saved for one thread at a time; whoever holds it holds this table too.

        Bit 56 of its entries is as the page table had it, or `counted`: by map counts.
        """
        count = len(self._blocks)
        memory, scratch = _scratch(lib.pm_saved_scratch(count))
        fields = {
            "fd": self._fd,
            "page_shift": self.page_shift,
            "layers": self._layers,
            "layers_count": count,
            "end_page": self.end_page,
            "counted": counted,
            "scratch": scratch,
        }
        saved = ffi.new("struct pm_saved *", fields)
        return ffi.gc(saved, _Kept(self, memory, saved))

    def read(self, vpn: int, count: int) -> memoryview:
        """The entries of `count` pages from `vpn` on; fewer where the address space ends."""
        out = allocate("uint64_t[]", count)
        got = checked(lib.pm_saved_read(self.reader(), vpn, count, out))
        return view_of(out, "Q")[:got].toreadonly()

    def groups(self, count: int, shift: int) -> bytearray:
        """A byte for each of `count` groups of 1 << `shift` frames: 1 where one has a page."""
        marks = bytearray(count)
        checked(lib.pm_saved_groups(self.reader(), shift, ffi.from_buffer(marks), count))
        return marks


class _Kept:
    """Holds what a struct points to for as long as that is there."""

    __slots__ = ("_things",)

    def __init__(self, *things: object) -> None:
        self._things = things

    def __call__(self, _: object) -> None:
        """Do nothing: it goes."""


class BlockTrial:
    """Decodes blocks one after another, to see whether they are whole."""

    __slots__ = ("_memory", "_scratch")

    def __init__(self) -> None:
        self._memory, self._scratch = _scratch(lib.pm_saved_scratch(1))

    def __call__(self, chunk: bytes, within: Spans) -> tuple[int, int]:
        """The first page of a block, and that past its last. Raises OSError where it is not whole.

        Pages may be numbered in the mappings `within`.
        """
        found = ffi.new("struct pm_saved_block *")
        data = ffi.from_buffer("uint8_t[]", chunk)
        checked(
            lib.pm_saved_try(data, len(chunk), within.table, within.count, self._scratch, found)
        )
        return int(found.vpn), int(found.end)
