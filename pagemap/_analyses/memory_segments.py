"""Which frames there are: memory by the firmware, divided by the zones that it is in."""

from __future__ import annotations

from itertools import pairwise

from pagemap._kernel import nodes
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap._kernel.zones import Zone

__all__ = ["Segment", "segments"]


class Segment(Record):
    """Frames in a row, of one zone."""

    start: int = field("pfn", "the first")
    end: int = field("pfn", "the first that is not of it")
    zone: int = field("", "the place of its zone among all")


def segments(
    zones: Sequence[Zone], ram: Sequence[tuple[int, int]] | None, sysfs: str = "/sys"
) -> list[Segment]:
    """All memory that is in a zone, in order; where `ram` is not known, all that zones span.

    Zones of several nodes may lie inside each other's spans. Then sysfs tells which memory is on
    which node; where it does not, the zone that spans less has it.
    """
    bounds = sorted({edge for zone in zones for edge in (zone.start, zone.end)})
    memory: dict[int, list[tuple[int, int]]] | None = None
    found: list[Segment] = []
    for start, end in pairwise(bounds):
        here = [at for at, zone in enumerate(zones) if zone.start <= start and end <= zone.end]
        if len(here) > 1:
            memory = nodes.memory_of(sysfs) if memory is None else memory
            parts = list(_divided(start, end, here, zones, memory))
        else:
            parts = [Segment(start, end, at) for at in here]
        for part in parts:
            for first, last in _common(part, ram):
                found.append(Segment(first, last, part.zone))
    return found


def _divided(
    start: int,
    end: int,
    here: Sequence[int],
    zones: Sequence[Zone],
    memory: dict[int, list[tuple[int, int]]],
) -> Iterator[Segment]:
    """A stretch that several zones span, each part with the zone of its node."""
    inner = min(here, key=lambda at: zones[at].spanned)
    edges = {start, end}
    for ranges in memory.values():
        edges |= {edge for each in ranges for edge in each if start < edge < end}
    bounds = sorted(edges)
    for first, last in pairwise(bounds):
        owners = {
            node
            for node, ranges in memory.items()
            if any(begin <= first and last <= stop for begin, stop in ranges)
        }
        fitting = [at for at in here if zones[at].node in owners]
        zone = fitting[0] if len(fitting) == 1 else inner
        yield Segment(first, last, zone)


def _common(part: Segment, ram: Sequence[tuple[int, int]] | None) -> Iterator[tuple[int, int]]:
    if ram is None:
        yield part.start, part.end
        return
    for start, end in ram:
        if max(start, part.start) < min(end, part.end):
            yield max(start, part.start), min(end, part.end)
