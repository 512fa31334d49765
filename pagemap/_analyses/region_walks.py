"""Two ways to find regions: PAGEMAP_SCAN, and entries read in bulk.

Both give lists of ``(start, end, categories)`` in order of address. Neighbours alike may be two of
them, where one call ended and the next began.
"""

from __future__ import annotations

from pagemap import _native
from pagemap._analyses.categories import BITS
from pagemap._native import scan
from pagemap._native.lines import Lines
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._analyses.categories import Asked
    from pagemap._space.address_space import AddressSpace

__all__ = ["read", "scanned"]

CHUNK = 1 << 15  # pages read at a time
_SOFT_DIRTY = BITS["soft_dirty"]


def scanned(
    process: AddressSpace, asked: Asked, start: int, end: int, limit: int | None, vector: int
) -> Iterator[list[tuple[int, int, int]]]:
    """Regions from `start` up to `end`, some at a time: no more than `limit` pages, where given."""
    end = min(end, process.end_page() << PAGE_SHIFT)
    for first, last in _to_scan(process, asked, start, end):
        at = first
        while at < last:
            query = asked.query(limit, exactly=False)
            try:
                found, at = scan.scan(process.source, query, at, last, vector)
            except OSError as error:
                raise process.read_error(error) from None
            if asked.by_swap or asked.by_huge:
                found = list(_judged(process, asked, found, vector))
            yield found
            if limit is not None:
                limit -= _pages(found)
                if limit <= 0:
                    return
    process.require_alive()


def _to_scan(
    process: AddressSpace, asked: Asked, start: int, end: int
) -> Iterator[tuple[int, int]]:
    """What a scan is to go through: all of it, since the kernel keeps to what is mapped.

    A snapshot knows what is populated, and takes all else for untouched. So where untouched pages
    are asked for, soft-dirty ones too, its mappings are gone through, but for those that a scan
    passes over.
    """
    of_others = asked.any_of and not asked.any_of & _SOFT_DIRTY
    if process.live or of_others or asked.all_of & ~_SOFT_DIRTY:
        yield start, end
        return
    passed_over = process.passed_over()
    first = last = 0
    for block in process.maps_blocks():
        for begin, stop, path in Lines(block).ranges():
            if path.startswith("[vvar") or begin in passed_over:
                continue
            if begin != last:
                if first < last:
                    yield first, last
                first = max(begin, start)
            last = min(stop, end)
    if first < last:
        yield first, last


def _pages(found: list[tuple[int, int, int]]) -> int:
    return sum(end - start for start, end, _ in found) >> PAGE_SHIFT


def _judged(
    process: AddressSpace, asked: Asked, found: list[tuple[int, int, int]], vector: int
) -> Iterator[tuple[int, int, int]]:
    """Those of the regions of a scan that are asked for, in order, and what to tell of them."""
    ranges: list[tuple[int, int]] = []  # what a scan calls swapped, until it is read,
    scanned: list[int] = []  # and what else it says of that
    waiting: list[tuple[int, int, int]] = []  # regions between these, or after them
    room = CHUNK
    swapped = BITS["swap"] if asked.by_swap else 0
    for start, end, categories in found:
        if not categories & swapped:
            told = asked.told(categories)
            if told is not None:
                waiting.append((start, end, told))
            continue
        at = start
        while at < end:
            count = min((end - at) >> PAGE_SHIFT, room)
            ranges.append((at >> PAGE_SHIFT, count))
            scanned.append(asked.not_told(categories))
            at += count << PAGE_SHIFT
            room -= count
            if not room:
                yield from _by_entries(process, asked, ranges, scanned, waiting, vector)
                ranges, scanned, waiting, room = [], [], [], CHUNK
    yield from _by_entries(process, asked, ranges, scanned, waiting, vector)


def _by_entries(
    process: AddressSpace,
    asked: Asked,
    ranges: list[tuple[int, int]],
    scanned: list[int],
    waiting: list[tuple[int, int, int]],
    vector: int,
) -> list[tuple[int, int, int]]:
    """`waiting`, and what is asked for of these ranges by their entries, in order."""
    if not ranges:
        return waiting
    batch = _batch(process, ranges, scanned)
    query = asked.query(None)
    while not batch.done:
        waiting += batch.regions(query, vector)
    return sorted(waiting)


def read(
    process: AddressSpace, asked: Asked, start: int, end: int, limit: int | None, vector: int
) -> Iterator[list[tuple[int, int, int]]]:
    """The same out of entries."""
    for ranges in _chunks(process, start >> PAGE_SHIFT, end >> PAGE_SHIFT):
        batch = _batch(process, ranges)
        while not batch.done:
            found = batch.regions(asked.query(limit), vector)
            yield found
            if limit is not None:
                limit -= _pages(found)
                if limit <= 0:
                    return


def _batch(
    process: AddressSpace, ranges: list[tuple[int, int]], scanned: list[int] | None = None
) -> scan.Batch:
    try:
        entries, stored = _native.read_ranges(process.source, ranges)
    except OSError as error:
        raise process.read_error(error) from None
    if len(entries) < sum(count for _, count in ranges):
        process.require_alive()  # else they lie past the end of the address space
        ranges = [(vpn, count) for (vpn, _), count in zip(ranges, stored, strict=True)]
    return scan.Batch(
        entries,
        ranges,
        PAGE_SHIFT,
        kinds=process.machine.swap_kinds(),
        hidden_is_swap=process.pfns_visible or process.machine.swaps_in_use() is not False,
        scanned=scanned,
    )


def _chunks(process: AddressSpace, start: int, end: int) -> Iterator[list[tuple[int, int]]]:
    """What is mapped between two pages: ranges ``(vpn, count)`` of up to CHUNK pages together.

    A mapping may be smaller than what a call costs, or larger than what memory should hold.
    """
    ranges: list[tuple[int, int]] = []
    room = CHUNK
    for block in process.maps_blocks():
        for first, last, path in Lines(block).ranges():
            # a scan passes over memory that has no struct page; entries show it as untouched
            if path.startswith("[vvar"):
                continue
            at, stop = max(first >> PAGE_SHIFT, start), min(last >> PAGE_SHIFT, end)
            while at < stop:
                count = min(stop - at, room)
                ranges.append((at, count))
                at += count
                room -= count
                if not room:
                    yield ranges
                    ranges, room = [], CHUNK
        if ranges:
            yield ranges
            ranges, room = [], CHUNK
