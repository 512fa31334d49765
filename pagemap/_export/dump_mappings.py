"""The mappings of a dump, in batches that C can plan: spans of pages, and how their rows end."""

from __future__ import annotations

from pagemap._analyses.tally_plan import open_frames
from pagemap._kernel import features
from pagemap._kernel.maps import decode_path, parse_labels
from pagemap._native.descriptors import CLOSED
from pagemap._native.rows import Rows
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
    seen = at = 0
    # label as maps wrote it -> where it lies in the batch's labels, and its size; None: not
    # selected
    known: dict[bytes, tuple[int, int] | None]
    for block in process.maps_blocks():
        spans: list[int] = []  # flat: (vpn, count) of each
        labels: list[int] = []  # flat: where in label_bytes, and the size, of each
        label_bytes = bytearray()
        known = {}
        for begin, end, raw in parse_labels(block):
            start = begin
            if start < seen:
                # Between two reads of maps mappings may merge, and one come again, begun earlier.
                start = seen
                if start >= end:
                    continue
            seen = end
            if raw not in known:
                known[raw] = None
                if select is None or select(decode_path(raw)):
                    quoted = label(raw)
                    known[raw] = len(label_bytes), len(quoted)
                    label_bytes += quoted
            place = known[raw]
            if place is None:
                continue
            if ranges is None:
                spans += (start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT)
                labels += place
                continue
            parts, at = _clipped(start, end, ranges, at)
            for first, last in parts:
                spans += (first >> PAGE_SHIFT, (last - first) >> PAGE_SHIFT)
                labels += place
        if spans:
            yield Rows(
                process.fileno(),
                spans,
                labels,
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
