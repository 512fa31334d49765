"""How broken up free memory is: aligned blocks, what is in them, and free frames in a row."""

from __future__ import annotations

from pagemap._native.memory import ORDERS
from pagemap._vocabulary.frame_kinds import FRAME_KINDS, MOVABLE
from pagemap._vocabulary.rows.memory import PARTS
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE, compact_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap._analyses.memory_walk import Counted
    from pagemap._kernel.zones import Zone

__all__ = ["blockers", "blocks", "runs"]

_NAMES = [kind.name for kind in FRAME_KINDS]
_STAY = [name for name in PARTS["blocks"].names if name in _NAMES and name != "free"]


def blocks(zones: Sequence[Zone], counted: Counted) -> Iterator[list[object]]:
    """A row for each size of aligned blocks of each zone."""
    for zone, sums in zip(zones, counted.zones, strict=True):
        every, free, opened, with_kind = sums.blocks()
        for order in range(1, ORDERS):
            if not every[order]:
                continue
            movable, blocked = opened[order] - free[order], every[order] - opened[order]
            kinds = [with_kind[order][_NAMES.index(name)] for name in _STAY]
            head = [zone.node, zone.name, PAGE_SIZE << order, every[order], free[order]]
            yield [*head, movable, blocked, *kinds]


def blockers(zones: Sequence[Zone], counted: Counted, order: int) -> Iterator[list[object]]:
    """A row for each listed block of 2^order frames."""
    for block in counted.blocks:
        zone = zones[block.zone]
        yield [
            block.pfn,
            zone.node,
            zone.name,
            PAGE_SIZE << order,
            "blocked" if block.stays else "movable",
            block.gain * PAGE_SIZE,
            block.stays * PAGE_SIZE,
            block.movable * PAGE_SIZE,
            _contents(block.frames),
        ]


def _contents(frames: Sequence[int]) -> str:
    """The kinds and their amounts: first those that stay, and of these the largest."""
    there = [(name, each) for name, each in zip(_NAMES, frames, strict=True) if each]
    there.sort(key=lambda kind: (kind[0] in MOVABLE or kind[0] == "free", -kind[1]))
    return ", ".join(f"{name} {compact_size(each * PAGE_SIZE)}" for name, each in there)


def runs(zones: Sequence[Zone], counted: Counted) -> Iterator[list[object]]:
    """A row for each listed run of free frames."""
    for pfn, frames, zone in counted.runs:
        yield [pfn, frames << PAGE_SHIFT, zones[zone].node, zones[zone].name]
