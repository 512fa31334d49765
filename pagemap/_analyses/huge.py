"""How much of each mapping lies in transparent huge pages: counted in C, out of entries and flags.

The entries of what is populated give the frames, /proc/kpageflags what they are: for large folios a
few words tell where one ends, so memory in huge pages costs little more than its entries; and where
the kernel says that no anonymous THP is small, few words tell that small pages are of none. What
the columns mean, `pagemap._vocabulary.rows.huge` says.
"""

from __future__ import annotations

from errno import ENODATA, ENOTSUP
from sys import intern
from time import time

from pagemap._analyses.backing import Backing
from pagemap._analyses.huge_columns import Counts
from pagemap._errors import AccessDenied, PagemapError, PfnsHidden, Unsupported, UsageError
from pagemap._kernel import maps
from pagemap._native import huge as native
from pagemap._native import pipeline
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._space.about import about
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_int
from pagemap._vocabulary.rows.huge import HUGE, LARGEST, with_sizes
from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE, format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._kernel.frames import FrameReader
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.huge import HugeRow
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["huge", "orders_of"]

_PURPOSE = "count huge pages"


def orders_of(sizes: Iterable[int]) -> list[int]:
    """The orders of blocks of these sizes in bytes, ascending, each once.

    Raises UsageError for what is no power of two of pages, less than two pages, or more than a PMD
    maps; TypeError for what are no integers.
    """
    try:
        several = [check_int("cont", size, 1, 1 << 64) for size in sizes]
    except TypeError:
        raise TypeError(
            f"cont must be a sequence of sizes in bytes, of int, not {sizes!r}"
        ) from None
    for size in several:
        if size not in [PAGE_SIZE << order for order in range(1, LARGEST + 1)]:
            raise UsageError(
                f"invalid block size {size}: it must be a power of two, "
                f"from {format_size(2 * PAGE_SIZE)} to {format_size(PAGE_SIZE << LARGEST)}"
            )
    return sorted({size.bit_length() - 1 - PAGE_SHIFT for size in several})


def huge(
    process: AddressSpace, *, sizes: bool, conts: Sequence[int], threads: int | None
) -> Table[HugeRow]:
    """See `Process.huge`; `conts` are orders of blocks."""
    begin = time()
    machine = process.machine
    schema = with_sizes(HUGE, sizes=sizes, conts=conts)
    parts = [Table.of_rows(schema, ())]
    unknown = 0
    if not process.kernel_thread:
        _require_pfns(process)
        _require_zeros(process)
        counts = Counts(schema, conts, told=process.can_find("huge"))
        with process.frame_reader(_PURPOSE) as frames:
            walk = _Walk(process, frames, conts, threads)
            for block in process.maps_blocks():
                lines = Lines(block)
                # the tables of all blocks are held: a path of many mappings once
                lines.paths.words = list(map(intern, lines.paths.words))
                mappings = list(maps.mappings_of(lines))
                hugetlb = walk.backing.hugetlb(lines)
                least = machine.least_anon_order() or 0
                sums = walk.count(mappings, lines.bounds, hugetlb, least)
                # some came meanwhile; or they moved between processors, whose counts the kernel
                # adds up
                if (machine.least_anon_order() or 0) < least:
                    sums = walk.count(mappings, lines.bounds, hugetlb, 0)
                parts.append(counts.table(process.pid, lines, sums.words()))
        unknown = counts.unknown
        process.check()
    table = Table.joined(parts)
    table.about = about(begin, process)
    if process.frames_lost:
        table.about["unknown"] = unknown
    return table


class _Walk:
    """What all blocks of the maps of a process are counted with."""

    def __init__(
        self, process: AddressSpace, frames: FrameReader, conts: Sequence[int], threads: int | None
    ) -> None:
        flags_fd = _flags(frames, process)
        self.backing = Backing(process)
        self._process = process
        self._frames = frames
        self._flags_fd = flags_fd
        self._conts = sum(1 << order for order in conts)
        self._threads = threads
        self._zeros = process.machine.zero_frames(flags_fd)

    def count(
        self,
        mappings: Sequence[Mapping],
        bounds: memoryview,
        hugetlb: bytes | None,
        anon_order: int,
    ) -> native.HugeSums:
        """The counts of these mappings; `anon_order` as of `native.pieces`."""
        process = self._process
        spans = Spans.of_bounds(bounds, PAGE_SHIFT)
        sums = native.HugeSums(spans.count)
        pieces = native.pieces(
            spans,
            process.source,
            self._flags_fd,
            PAGE_SHIFT,
            use_scan=process.can_scan,
            pmd_order=process.machine.pmd_order() or 0,
            anon_order=anon_order,
            shared=bytes([m.perms[3] == "s" for m in mappings]),
            hugetlb=hugetlb,
            zeros=self._zeros,
            conts=self._conts,
            frames_end=process.machine.memory_end(),
            lossy=process.frames_lost,
            pages=_piece_pages(spans.pages),
        )
        with pipeline.run(pieces, native.HugeBuffer, self._threads) as results:
            try:
                for piece, _ in process.reading(results):
                    piece.add_to(sums)
            except PagemapError as error:
                if error.errno != ENODATA:
                    raise
                raise _cut_short(process, self._frames) from None
        return sums


def _cut_short(process: AddressSpace, frames: FrameReader) -> PagemapError:
    """The error of a frame that is mapped and has no word."""
    path = frames.path("flags")
    return PagemapError(
        f"cannot tell the huge pages of process {process.pid}: {printable(path)} ends at frame "
        f"{frames.end:#x}, but the process maps frames past that: the file does not "
        "cover this machine's memory",
        pid=process.pid,
        errno=ENODATA,
        operation=_PURPOSE,
        path=path,
    )


def _piece_pages(pages: int) -> int:
    """Pieces small enough that threads share evenly, and few enough where all is reserved."""
    return max(1 << 15, pages >> 7)


def _require_pfns(process: AddressSpace) -> None:
    if not process.pfns_visible:
        raise PfnsHidden(
            f"cannot tell the huge pages of process {process.pid}: PFNs are not visible; "
            f"{process.machine.why_hidden}",
            pid=process.pid,
            operation=_PURPOSE,
        )


def _require_zeros(process: AddressSpace) -> None:
    """What is resident is known only without the huge page of zeros."""
    if process.frames_lost and not (process.can_find("huge") and process.can_find("pfnzero")):
        raise Unsupported(
            f"cannot tell the huge pages of process {process.pid}: the flags of some of its frames "
            "were lost where the file was damaged, and nothing else tells its pages of zeros",
            pid=process.pid,
            errno=ENOTSUP,
            operation=_PURPOSE,
        )


def _flags(frames: FrameReader, process: AddressSpace) -> int:
    try:
        return frames.fileno("flags")
    except AccessDenied as error:
        raise AccessDenied(
            f"cannot tell the huge pages of process {process.pid}: {error.message}",
            pid=process.pid,
            errno=error.errno,
            operation=_PURPOSE,
            path=error.path,
        ) from None
