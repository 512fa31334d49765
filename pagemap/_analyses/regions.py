"""Ranges of pages by what they are: present, in swap, huge, written, found without their entries.

The PAGEMAP_SCAN ioctl (since 6.7; do_pagemap_scan in fs/proc/task_mmu.c) skips empty page tables,
so the cost follows what is populated and not what is reserved. A kernel without it is answered from
entries read in bulk, for the categories that an entry can tell.
"""

from __future__ import annotations

from pagemap import _native
from pagemap._analyses.categories import Asked, Category, require
from pagemap._errors import UsageError
from pagemap._kernel import maps, swap_types
from pagemap._native import scan
from pagemap._vocabulary.checks import check_int
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import ADDRESS_END, PAGE_SHIFT, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._space.address_space import AddressSpace

__all__ = ["Category", "Region", "regions"]


class Region(Record):
    """Neighbouring pages that are alike."""

    start: int = field("bytes", "address of the first page")
    end: int = field("bytes", "address past the last page")
    categories: Category = field("", "what all of them are, of what was asked for")


VECTOR = 512
"""Regions asked for at a time: as many as the kernel collects, and no more (see
csrc/kernel/scan.c)."""

CHUNK = 1 << 15  # pages read at a time


def regions(
    process: AddressSpace,
    *,
    any_of: int,
    all_of: int,
    none_of: int,
    returned: int | None,
    start: int,
    end: int | None,
    max_pages: int | None,
    vector: int = VECTOR,
) -> Iterator[Region]:
    """See `Process.regions`; `vector` is how many regions are asked for at a time."""
    categories = {"any_of": any_of, "all_of": all_of, "none_of": none_of, "returned": returned or 0}
    for name, value in {**categories, "start": start}.items():
        check_int(name, value, 0, 1 << 64)
    if end is not None:
        check_int("end", end, 1, (1 << 64) + 1)
    if max_pages is not None:
        check_int("max_pages", max_pages, 1, 1 << 64)
    if returned is None:
        returned = any_of | all_of or Category.PRESENT | Category.SWAP
    if vector < 1:
        raise UsageError(f"vector must be 1 or more, not {vector}")
    require(process, any_of | all_of | none_of | returned)
    start, end = page_range(start, ADDRESS_END if end is None else end)
    asked = Asked(any_of, all_of, none_of, returned)
    walk = _scanned if process.can_scan else _read
    return _merged(walk(process, asked, start, end, max_pages, vector))


def _scanned(
    process: AddressSpace, asked: Asked, start: int, end: int, limit: int | None, vector: int
) -> Iterator[tuple[int, int, int]]:
    end = min(end, process.end_page() << PAGE_SHIFT)
    while start < end:
        query = asked.query(limit, exactly=False)
        try:
            found, start = scan.scan(process.fileno(), query, start, end, vector)
        except OSError as error:
            raise process.read_error(error) from None
        if asked.by_swap or asked.by_huge:
            for region in _judged(process, asked, found, vector):
                yield region
                if limit is not None:
                    limit -= (region[1] - region[0]) >> PAGE_SHIFT
        else:
            yield from found
            if limit is not None:
                limit -= sum(last - first for first, last, _ in found) >> PAGE_SHIFT
        if limit is not None and limit <= 0:
            return
    process.require_alive()


def _judged(
    process: AddressSpace, asked: Asked, found: list[tuple[int, int, int]], vector: int
) -> Iterator[tuple[int, int, int]]:
    """Those of the regions of a scan that are asked for, in order, and what to tell of them."""
    ranges: list[tuple[int, int]] = []  # what a scan calls swapped, until it is read,
    scanned: list[int] = []  # and what else it says of that
    waiting: list[tuple[int, int, int]] = []  # regions between these, or after them
    room = CHUNK
    for start, end, categories in found:
        if not (asked.by_swap and categories & Category.SWAP):
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


def _read(
    process: AddressSpace, asked: Asked, start: int, end: int, limit: int | None, vector: int
) -> Iterator[tuple[int, int, int]]:
    for ranges in _chunks(process, start >> PAGE_SHIFT, end >> PAGE_SHIFT):
        batch = _batch(process, ranges)
        while not batch.done:
            found = batch.regions(asked.query(limit), vector)
            yield from found
            if limit is not None:
                limit -= sum(last - first for first, last, _ in found) >> PAGE_SHIFT
                if limit <= 0:
                    return


def _batch(
    process: AddressSpace, ranges: list[tuple[int, int]], scanned: list[int] | None = None
) -> scan.Batch:
    try:
        entries, stored = _native.read_ranges(process.fileno(), ranges)
    except OSError as error:
        raise process.read_error(error) from None
    if len(entries) < sum(count for _, count in ranges):
        process.require_alive()  # else they lie past the end of the address space
        ranges = [(vpn, count) for (vpn, _), count in zip(ranges, stored, strict=True)]
    return scan.Batch(
        entries,
        ranges,
        PAGE_SHIFT,
        kinds=swap_types.kinds(),
        hidden_is_swap=process.pfns_visible or swap_types.in_use(process.procfs) is not False,
        scanned=scanned,
    )


def _chunks(process: AddressSpace, start: int, end: int) -> Iterator[list[tuple[int, int]]]:
    """What is mapped between two pages: ranges ``(vpn, count)`` of up to CHUNK pages together.

    A mapping may be smaller than what a call costs, or larger than what memory should hold.
    """
    ranges: list[tuple[int, int]] = []
    room = CHUNK
    for block in process.maps_blocks():
        for first, last, label in maps.parse_labels(block):
            # a scan passes over memory that has no struct page; entries show it as untouched
            if label.startswith(b"[vvar"):
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


def _merged(found: Iterator[tuple[int, int, int]]) -> Iterator[Region]:
    """Neighbours alike as one region, wherever one call ended and the next began."""
    start = end = categories = 0
    for first, last, what in found:
        if first == end and what == categories:
            end = last
            continue
        if end:
            yield Region(start, end, Category(categories))
        start, end, categories = first, last, what
    if end:
        yield Region(start, end, Category(categories))
