"""The mappings of a dump, in batches that C can plan: spans of pages, and how their rows end."""

from __future__ import annotations

import struct
from array import array

from pagemap._analyses.tally_plan import open_frames
from pagemap._kernel import features
from pagemap._kernel.maps import decode_path
from pagemap._native.descriptors import CLOSED
from pagemap._native.lines import Lines
from pagemap._native.rows import Rows
from pagemap._native.scan import Spans
from pagemap._vocabulary.flags import entry_flag
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pagemap._analyses.page_filter import Choice
    from pagemap._process import Process

__all__ = ["batches", "selected"]

_EXCLUSIVE = 1 << entry_flag("exclusive").bit


def batches(
    process: Process,
    form: str,
    label: Callable[[bytes], bytes],
    select: Callable[[str], bool] | None,
    ranges: list[tuple[int, int]] | None,
    choice: Choice,
) -> Iterator[Rows]:
    """The mappings to dump, in order, a block of maps at a time."""
    # the table of text has no column of it, and may be chosen by it
    told_of = form != "text" or (choice.all_of | choice.none_of) & _EXCLUSIVE
    mapcounts = open_frames(process, "kpagecount") if told_of else CLOSED
    untold = 0 if form == "text" else features.ALL & ~features.bits(process.procfs)
    at = 0
    for block in process.maps_blocks():
        lines = Lines(block)
        words = lines.paths.words
        bounds, codes = lines.bounds, lines.paths.codes
        wanted = [select is None or select(decode_path(word)) for word in words]
        if ranges is not None or not all(wanted):
            bounds, codes, at = _chosen(lines, wanted, ranges, at)
        if not codes:
            continue
        places, label_bytes = [], bytearray()
        for word in words:
            quoted = label(word)
            places.append(struct.pack("=2Q", len(label_bytes), len(quoted)))
            label_bytes += quoted
        yield Rows(
            process.fileno(),
            Spans.of_bounds(bounds, PAGE_SHIFT).table,
            b"".join(map(places.__getitem__, codes)),
            bytes(label_bytes),
            form=form,
            page_shift=PAGE_SHIFT,
            hidden=not process.pfns_visible,
            all_of=choice.all_of,
            none_of=choice.none_of,
            kinds=choice.kinds,
            kinds_wanted=choice.wanted,
            untold=untold,
            use_scan=process.can_scan,
            mapcounts=mapcounts,
        )


def _chosen(
    lines: Lines, wanted: list[bool], ranges: list[tuple[int, int]] | None, at: int
) -> tuple[memoryview, memoryview, int]:
    """What of the mappings whose paths are wanted lies in the ranges from number `at` on.

    Returns the addresses where each part begins and ends, the numbers of their paths, and the first
    range that goes on.
    """
    bounds, codes = array("Q"), array("i")
    parts: list[tuple[int, int]]
    spans = zip(lines.bounds[::2], lines.bounds[1::2], lines.paths.codes, strict=True)
    for start, end, code in spans:
        if not wanted[code]:
            continue
        if ranges is None:
            parts = [(start, end)]
        else:
            parts, at = _clipped(start, end, ranges, at)
        for part in parts:
            bounds.extend(part)
            codes.append(code)
    return memoryview(bounds), memoryview(codes), at


def selected(
    process: Process, select: Callable[[str], bool], ranges: list[tuple[int, int]] | None
) -> list[tuple[int, int]]:
    """The ranges of addresses of the mappings to dump, and of these what lies in `ranges`."""
    found: list[tuple[int, int]] = []
    at = 0
    for mapping in process.maps():
        if not select(mapping.path):
            continue
        if ranges is None:
            found.append((mapping.start, mapping.end))
            continue
        parts, at = _clipped(mapping.start, mapping.end, ranges, at)
        found += parts
    return found


def _clipped(
    start: int, end: int, ranges: list[tuple[int, int]], at: int
) -> tuple[list[tuple[int, int]], int]:
    """What of a mapping lies in the ranges from number `at` on, and the first that goes past it.

    Mappings come in order as the ranges do, so each range is looked at once, and once more for
    each further mapping that it reaches into.
    """
    found = []
    while at < len(ranges):
        first, last = ranges[at]
        if first >= end:
            break
        if start < last:
            found.append((max(start, first), min(end, last)))
        if last > end:
            break
        at += 1
    return found, at
