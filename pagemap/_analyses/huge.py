"""How much of each mapping lies in transparent huge pages: counted in C, out of entries and flags.

The entries of what is populated give the frames, /proc/kpageflags what they are: for large folios a
few words tell where one ends, so memory in huge pages costs little more than its entries; and where
the kernel says that no anonymous THP is small, few words tell that small pages are of none. What
the counts mean, `pagemap._analyses.huge_counts` says.
"""

from __future__ import annotations

from errno import ENODATA

from pagemap._analyses.backing import Backing
from pagemap._analyses.huge_counts import (
    ORDERS,
    HugeKind,
    HugeTally,
    least_anon_order,
    order_of,
    pmd_order,
)
from pagemap._errors import AccessDenied, PagemapError, PfnsHidden
from pagemap._kernel import maps
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.zero_frames import zero_frames
from pagemap._kernel.zones import memory_end
from pagemap._native import huge as native
from pagemap._native import pipeline
from pagemap._native.frames import frames_end
from pagemap._native.scan import Spans
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Reader", "huge"]

_KINDS_AT = (len(native.COUNTS), len(native.COUNTS) + 2 + 3 * ORDERS)


class Reader:
    """Makes tallies of what C counted."""

    def __init__(self, *, told: bool, conts: Iterable[int]) -> None:
        self._told = told
        self._conts = tuple(order in conts for order in range(ORDERS))
        # most mappings have no THP at all, and share this
        self._none = self._kind((0,) * (2 + 3 * ORDERS))

    def _kind(self, words: Sequence[int]) -> HugeKind:
        counts = words[2 + 2 * ORDERS :]
        return HugeKind(
            words[0] if self._told else None,
            words[1],
            tuple(words[2 : 2 + ORDERS]),
            tuple(words[2 + ORDERS : 2 + 2 * ORDERS]),
            tuple([n if asked else None for n, asked in zip(counts, self._conts, strict=True)]),
        )

    def tallies(self, mappings: Sequence[Mapping], words: memoryview) -> Iterator[HugeTally]:
        """A tally for each mapping, out of native.WORDS counts for each."""
        columns = [words[i :: native.WORDS].tolist() for i in range(len(native.COUNTS))]
        rows = zip(mappings, *columns, strict=True)
        for number, (mapping, present, anonymous, zero, hugetlb, thp) in enumerate(rows):
            anon = file = self._none
            if thp:
                at = number * native.WORDS
                first, second = (at + offset for offset in _KINDS_AT)
                anon = self._kind(words[first:second].tolist())
                file = self._kind(words[second : at + native.WORDS].tolist())
            rss = max(present - zero - hugetlb, 0)
            # what changes while it is counted may be looked at twice, and C wraps around 0
            own = anonymous if anonymous <= rss else 0
            yield HugeTally(
                mapping.size >> PAGE_SHIFT, present, rss, own, zero, hugetlb, anon, file
            )


def huge(
    process: AddressSpace, cont: Iterable[int], threads: int | None
) -> Iterator[tuple[Mapping, HugeTally]]:
    """See `Process.huge`."""
    conts = {order_of(size) for size in cont}
    if process.kernel_thread:
        return
    _require_pfns(process)
    reader = Reader(told=process.can_find("huge"), conts=conts)
    with FrameReader(procfs=process.procfs) as frames:
        walk = _Walk(process, _flags(frames, process), conts, threads)
        for block in process.maps_blocks():
            mappings, bounds = maps.parse_bounds(block)
            hugetlb = walk.backing.hugetlb(block, mappings)
            least = least_anon_order() or 0
            sums = walk.count(mappings, bounds, hugetlb, least)
            # some came meanwhile; or they moved between processors, whose counts the kernel adds up
            if (least_anon_order() or 0) < least:
                sums = walk.count(mappings, bounds, hugetlb, 0)
            yield from zip(mappings, reader.tallies(mappings, sums.words()), strict=True)
    process.check()


class _Walk:
    """What all blocks of the maps of a process are counted with."""

    def __init__(
        self, process: AddressSpace, flags_fd: int, conts: set[int], threads: int | None
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
