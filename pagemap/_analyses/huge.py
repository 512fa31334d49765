"""How much of each mapping lies in transparent huge pages: counted in C, out of entries and flags.

The entries of what is populated give the frames, /proc/kpageflags what they are: for large folios a
few words tell where one ends, so memory in huge pages costs little more than its entries; and where
the kernel says that no anonymous THP is small, few words tell that small pages are of none. What
the columns mean, `pagemap._vocabulary.rows.huge` says.
"""

from __future__ import annotations

from array import array
from errno import ENODATA
from time import time

from pagemap._analyses.backing import Backing
from pagemap._errors import AccessDenied, PagemapError, PfnsHidden, UsageError
from pagemap._kernel import maps
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.thp import least_anon_order, pmd_order
from pagemap._kernel.zero_frames import zero_frames
from pagemap._kernel.zones import memory_end
from pagemap._native import huge as native
from pagemap._native import pipeline
from pagemap._native.frames import frames_end
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._space.about import about
from pagemap._space.mapping_columns import mapping_columns
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_int
from pagemap._vocabulary.rows.huge import HUGE, LARGEST, size_word, with_sizes
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE, format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.huge import HugeRow
    from pagemap._vocabulary.rows.mapping import Mapping
    from pagemap._vocabulary.schema import Schema

__all__ = ["Counts", "huge", "orders_of"]


def orders_of(sizes: Iterable[int]) -> list[int]:
    """The orders of blocks of these sizes in bytes, ascending, each once.

    Raises UsageError for what is no power of two of pages, less than two pages, or more than a PMD
    maps; TypeError for what are no integers.
    """
    try:
        several = [check_int("cont", size, 1, 1 << 64) for size in sizes]
    except TypeError:
        raise TypeError(f"cont is a sequence of sizes in bytes, of int, not {sizes!r}") from None
    for size in several:
        if size not in [PAGE_SIZE << order for order in range(1, LARGEST + 1)]:
            raise UsageError(
                f"a block of {size} bytes cannot be: its size is a power of two, "
                f"from {format_size(2 * PAGE_SIZE)} to {format_size(PAGE_SIZE << LARGEST)}"
            )
    return sorted({size.bit_length() - 1 - PAGE_SHIFT for size in several})


def huge(
    process: AddressSpace, *, sizes: bool, conts: Sequence[int], threads: int | None
) -> Table[HugeRow]:
    """See `Process.huge`; `conts` are orders of blocks."""
    begin = time()
    schema = with_sizes(HUGE, sizes=sizes, conts=conts)
    parts = [Table.of_rows(schema, ())]
    if not process.kernel_thread:
        _require_pfns(process)
        counts = Counts(schema, conts, told=process.can_find("huge"))
        with FrameReader(procfs=process.procfs) as frames:
            walk = _Walk(process, _flags(frames, process), conts, threads)
            for block in process.maps_blocks():
                lines = Lines(block)
                mappings = list(maps.mappings_of(lines))
                hugetlb = walk.backing.hugetlb(block, mappings)
                least = least_anon_order() or 0
                sums = walk.count(mappings, lines.bounds, hugetlb, least)
                # some came meanwhile; or they moved between processors, whose counts the kernel
                # adds up
                if (least_anon_order() or 0) < least:
                    sums = walk.count(mappings, lines.bounds, hugetlb, 0)
                parts.append(counts.table(process.pid, lines, sums.words()))
        process.check()
    table = Table.joined(parts)
    table.about = about(begin, process)
    return table


class Counts:
    """Makes columns of what C counted: of each, the places of the numbers that it is the sum of."""

    def __init__(self, schema: Schema[Any], conts: Sequence[int], *, told: bool) -> None:
        self._schema = schema
        self._told = told
        at, both = native.place, ("anon", "file")
        orders = range(1, native.ORDERS)
        self._places: dict[str, list[int]] = {}
        for what in ("pmd", "partial"):
            self._places[what] = [at(kind, what) for kind in both]
        for what in ("aligned", "unaligned"):
            self._places[what] = [at(kind, what, order) for kind in both for order in orders]
        for order in conts:
            self._places[f"cont_{size_word(order)}"] = [at(kind, "cont", order) for kind in both]
        for order in orders:
            word = size_word(order)
            whole = [at(kind, what, order) for kind in both for what in ("aligned", "unaligned")]
            self._places[f"thp_{word}"] = whole + (self._places["pmd"] if order == LARGEST else [])
            for kind in both:
                for what in ("aligned", "unaligned", "cont"):
                    self._places[f"{kind}_{what}_{word}"] = [at(kind, what, order)]
        for kind in both:
            for what in ("pmd", "partial"):
                self._places[f"{kind}_{what}"] = [at(kind, what)]
        self._places = {name: places for name, places in self._places.items() if name in schema}

    def table(self, pid: int, lines: Lines, words: memoryview) -> Table[HugeRow]:
        """The rows of these mappings, out of native.WORDS counts for each."""
        rows, width, bounds = len(lines), native.WORDS, lines.bounds.tolist()
        present, anonymous, zero, hugetlb, thp = (
            words[number::width].tolist() for number in range(len(native.COUNTS))
        )
        # what changes while it is counted may be looked at twice, and C wraps around 0
        rss = [
            max(all_ - none - pool, 0)
            for all_, none, pool in zip(present, zero, hugetlb, strict=True)
        ]
        columns = {
            "size": [
                (end - start) >> PAGE_SHIFT
                for start, end in zip(bounds[::2], bounds[1::2], strict=True)
            ],
            "present": present,
            "rss": rss,
            "anon": [own if own <= most else 0 for own, most in zip(anonymous, rss, strict=True)],
            "zero": zero,
            "hugetlb": hugetlb,
            "thp": thp,
        }
        parts = {name: [0] * rows for name in self._places}
        for row in [number for number, pages in enumerate(thp) if pages]:  # few have any
            counts = words[row * width : (row + 1) * width].tolist()
            for name, places in self._places.items():
                parts[name][row] = sum(map(counts.__getitem__, places))
        unknown = memoryview(bytes(rows)).cast("?")
        return Table(
            self._schema,
            {
                **mapping_columns(lines),
                "pid": _view([pid] * rows),
                **{
                    name: _view([n << PAGE_SHIFT for n in c])
                    for name, c in (columns | parts).items()
                },
            },
            valid={} if self._told else {n: unknown for n in parts if n.endswith("pmd")},
        )


def _view(numbers: list[int]) -> memoryview:
    return memoryview(array("q", numbers)).toreadonly()


class _Walk:
    """What all blocks of the maps of a process are counted with."""

    def __init__(
        self, process: AddressSpace, flags_fd: int, conts: Sequence[int], threads: int | None
    ) -> None:
        self.backing = Backing(process)
        self._process = process
        self._flags_fd = flags_fd
        self._conts = sum(1 << order for order in conts)
        self._threads = threads
        self._zeros = zero_frames(flags_fd)

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
            process.fileno(),
            self._flags_fd,
            PAGE_SHIFT,
            use_scan=process.can_scan,
            pmd_order=pmd_order() or 0,
            anon_order=anon_order,
            shared=bytes([m.perms[3] == "s" for m in mappings]),
            hugetlb=hugetlb,
            zeros=self._zeros,
            conts=self._conts,
            frames_end=memory_end(process.procfs),
            pages=_piece_pages(spans.pages),
        )
        with pipeline.run(pieces, native.HugeBuffer, self._threads) as results:
            try:
                for piece, _ in process.reading(results):
                    piece.add_to(sums)
            except PagemapError as error:
                if error.errno != ENODATA:
                    raise
                raise _cut_short(process, self._flags_fd) from None
        return sums


def _cut_short(process: AddressSpace, flags_fd: int) -> PagemapError:
    """The error of a frame that is mapped and has no word."""
    path = f"{process.procfs}/kpageflags"
    return PagemapError(
        f"cannot tell the huge pages of process {process.pid}: {path} ends at frame "
        f"{frames_end(flags_fd):#x}, before the word of a frame that the process maps: it is not "
        "what a kernel shows of a whole machine",
        pid=process.pid,
        errno=ENODATA,
        operation="count huge pages",
        path=path,
    )


def _piece_pages(pages: int) -> int:
    """Pieces small enough that threads share evenly, and few enough where all is reserved."""
    return max(1 << 15, pages >> 7)


def _require_pfns(process: AddressSpace) -> None:
    if not process.pfns_visible:
        raise PfnsHidden(
            f"cannot tell the huge pages of process {process.pid}: /proc/{process.pid}/pagemap "
            "hides PFNs from who opens it without CAP_SYS_ADMIN (in the initial user namespace); "
            "run with sudo",
            pid=process.pid,
            operation="count huge pages",
            path=f"/proc/{process.pid}/pagemap",
        )


def _flags(frames: FrameReader, process: AddressSpace) -> int:
    try:
        return frames.fileno("flags")
    except AccessDenied as error:
        raise AccessDenied(
            f"cannot tell the huge pages of process {process.pid}: {error.message}",
            pid=process.pid,
            errno=error.errno,
            operation="count huge pages",
            path=error.path,
        ) from None
