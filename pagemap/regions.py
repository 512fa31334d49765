"""Ranges of pages by what they are: present, swapped, huge, written, found without their entries.

The PAGEMAP_SCAN ioctl (since 6.7; do_pagemap_scan in fs/proc/task_mmu.c) skips empty page tables,
so the cost follows what is populated and not what is reserved. A kernel without it is answered from
entries read in bulk, for the categories that an entry can tell.
"""

from __future__ import annotations

import os
from enum import IntFlag
from errno import EINVAL, ENOTTY

from pagemap import _native, maps
from pagemap._native import scan
from pagemap.errors import Unsupported, UsageError
from pagemap.flags import SCAN_CATEGORIES
from pagemap.records import Record, field
from pagemap.units import ADDRESS_END, PAGE_SHIFT, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap.process import Process

    class Category(IntFlag):
        """What a page can be to PAGEMAP_SCAN; the names and the bits are the kernel's."""

        WPALLOWED = 1
        WRITTEN = 2
        FILE = 4
        PRESENT = 8
        SWAPPED = 16
        PFNZERO = 32
        HUGE = 64
        SOFT_DIRTY = 128
        GUARD = 256

else:
    Category = IntFlag("Category", {flag.name.upper(): 1 << flag.bit for flag in SCAN_CATEGORIES})
    Category.__doc__ = (
        "What a page can be to PAGEMAP_SCAN; the names and the bits are the kernel's."
    )

__all__ = ["Category", "Region", "regions"]


class Region(Record):
    """Neighbouring pages that are alike."""

    start: int = field("bytes", "address of the first page")
    end: int = field("bytes", "address past the last page")
    categories: Category = field("", "what all of them are, of what was asked for")


READABLE = (
    Category.FILE | Category.PRESENT | Category.SWAPPED | Category.SOFT_DIRTY | Category.GUARD
)
"""The categories that an entry tells as well: what a kernel without PAGEMAP_SCAN can answer."""

VECTOR = 512
"""Regions asked for at a time: as many as the kernel collects, and no more (see csrc/scan.c)."""

CHUNK = 1 << 15  # pages read at a time without PAGEMAP_SCAN


def regions(
    process: Process,
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
    if returned is None:
        returned = any_of | all_of or Category.PRESENT | Category.SWAPPED
    if max_pages is not None and max_pages < 1:
        raise UsageError(f"max_pages must be 1 or more, not {max_pages}")
    if vector < 1:
        raise UsageError(f"vector must be 1 or more, not {vector}")
    _require(process, any_of | all_of | none_of | returned)
    start, end = page_range(start, ADDRESS_END if end is None else end)
    bits = {"any_of": any_of, "all_of": all_of, "none_of": none_of, "returned": returned}
    walk = _scanned if process.can_scan else _read
    return _merged(walk(process, bits, start, end, max_pages, vector))


def _require(process: Process, wanted: int) -> None:
    """Raise Unsupported for a category that cannot be had here, and name the kernel that can."""
    for flag in SCAN_CATEGORIES:
        bit = 1 << flag.bit
        if not wanted & bit:
            continue
        if process.can_scan:
            error = _native.probe_scan(process.fileno(), bit)
        else:
            error = 0 if READABLE & bit else ENOTTY
        if error not in (0, EINVAL, ENOTTY):
            raise process.read_error(OSError(error, os.strerror(error)))
        if error:
            raise Unsupported(
                f"this kernel cannot find pages by the category {flag.name}: "
                f"PAGEMAP_SCAN has it since Linux {flag.since}",
                pid=process.pid,
                errno=error,
                operation="scan",
            )
        wanted &= ~bit
    if wanted:
        names = ", ".join(flag.name for flag in SCAN_CATEGORIES)
        raise UsageError(f"{wanted:#x} is no category; there are {names}")


def _scanned(
    process: Process, bits: dict[str, int], start: int, end: int, limit: int | None, vector: int
) -> Iterator[tuple[int, int, int]]:
    end = min(end, process.end_page() << PAGE_SHIFT)
    while start < end:
        query = scan.Query(**bits, max_pages=limit or 0)
        try:
            found, start = scan.scan(process.fileno(), query, start, end, vector)
        except OSError as error:
            raise process.read_error(error) from None
        yield from found
        if limit is not None:
            limit -= sum(last - first for first, last, _ in found) >> PAGE_SHIFT
            if limit <= 0:
                return
    process.require_alive()


def _read(
    process: Process, bits: dict[str, int], start: int, end: int, limit: int | None, vector: int
) -> Iterator[tuple[int, int, int]]:
    for ranges in _chunks(process, start >> PAGE_SHIFT, end >> PAGE_SHIFT):
        batch = _batch(process, ranges)
        while not batch.done:
            found = batch.regions(scan.Query(**bits, max_pages=limit or 0), vector)
            yield from found
            if limit is not None:
                limit -= sum(last - first for first, last, _ in found) >> PAGE_SHIFT
                if limit <= 0:
                    return


def _batch(process: Process, ranges: list[tuple[int, int]]) -> scan.Batch:
    try:
        entries, stored = _native.read_ranges(process.fileno(), ranges)
    except OSError as error:
        raise process.read_error(error) from None
    if len(entries) < sum(count for _, count in ranges):
        process.require_alive()  # else they lie past the end of the address space
        ranges = [(vpn, count) for (vpn, _), count in zip(ranges, stored, strict=True)]
    return scan.Batch(entries, ranges, PAGE_SHIFT)


def _chunks(process: Process, start: int, end: int) -> Iterator[list[tuple[int, int]]]:
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
