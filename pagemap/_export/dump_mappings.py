"""The mappings of a dump, in batches that C can plan: spans of pages, and how their rows end."""

from __future__ import annotations

import struct

from pagemap._kernel import features
from pagemap._native.descriptors import CLOSED
from pagemap._native.lines import Lines
from pagemap._native.rows import Rows
from pagemap._native.scan import Spans
from pagemap._vocabulary.flags import entry_flag
from pagemap._vocabulary.units import PAGE_SHIFT, clipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pagemap._analyses.page_filter import Choice
    from pagemap._methods import ProcessMethods

__all__ = ["batches", "selected"]

_EXCLUSIVE = 1 << entry_flag("exclusive").bit


def batches(
    process: ProcessMethods,
    form: str,
    label: Callable[[str], bytes],
    select: Callable[[str], bool] | None,
    ranges: list[tuple[int, int]] | None,
    choice: Choice,
) -> Iterator[Rows]:
    """The mappings to dump, in order, a block of maps at a time."""
    # the table of text has no column of it, and may be chosen by it
    told_of = form != "text" or (choice.all_of | choice.none_of) & _EXCLUSIVE
    source, mapcounts = process.source, CLOSED
    if told_of:
        from pagemap._analyses.tally_plan import exclusive_by

        source, (mapcounts, _) = process.counted_source, exclusive_by(process)
    untold = 0 if form == "text" else features.ALL & ~process.machine.told()
    for block in process.maps_blocks():
        lines = Lines(block)
        words = lines.paths.words
        bounds, codes = lines.bounds, lines.paths.codes
        wanted = [select is None or select(word) for word in words]
        if ranges is not None or not all(wanted):
            bounds, codes = _chosen(lines, wanted, ranges)
        if not codes:
            continue
        places, label_bytes = [], bytearray()
        for word in words:
            quoted = label(word)
            places.append(struct.pack("=2Q", len(label_bytes), len(quoted)))
            label_bytes += quoted
        yield Rows(
            source,
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
    lines: Lines, wanted: list[bool], ranges: list[tuple[int, int]] | None
) -> tuple[memoryview, memoryview]:
    """What of the mappings whose paths are wanted lies in the ranges.

    Returns the addresses where each part begins and ends, and the numbers of their paths.
    """
    from array import array

    bounds, codes = array("Q"), array("i")
    spans = zip(lines.bounds[::2], lines.bounds[1::2], lines.paths.codes, strict=True)
    for start, end, code in spans:
        if wanted[code]:
            for part in clipped(start, end, ranges):
                bounds.extend(part)
                codes.append(code)
    return memoryview(bounds), memoryview(codes)


def selected(
    process: ProcessMethods, select: Callable[[str], bool], ranges: list[tuple[int, int]] | None
) -> list[tuple[int, int]]:
    """The ranges of addresses of the mappings to dump, and of these what lies in `ranges`."""
    return [
        part
        for mapping in process.maps()
        if select(mapping.path)
        for part in clipped(mapping.start, mapping.end, ranges)
    ]
