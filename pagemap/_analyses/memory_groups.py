"""What the frames are for that each group of processes maps, and alone.

One pass over the page tables of all processes fills a table from each frame to the group that maps
it, or to a number that stands for several. Then frames are counted as they are without groups, each
in the row of its group, so rows add up to what all frames are for.

Memory: 4 bytes for each frame that a process maps, of `WINDOW` frames at a time; a machine with
more is gone through once for each window.
"""

from __future__ import annotations

from contextlib import closing

from pagemap._analyses.group_members import Members
from pagemap._analyses.groups import check_group
from pagemap._analyses.memory_segments import Segment
from pagemap._analyses.memory_walk import count
from pagemap._kernel.frames import FrameReader
from pagemap._native.lines import Lines
from pagemap._native.memory_groups import (
    FIRST_GROUP,
    NO_GROUP,
    SEVERAL_GROUPS,
    ClaimingPiece,
    FrameGroups,
)
from pagemap._native.stretches import StretchBuffer
from pagemap._space.every_space import Spaces, require_pfns
from pagemap._vocabulary.frame_kinds import FRAME_KINDS, NOT_MANAGED
from pagemap._vocabulary.rows.memory import PARTS
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pagemap._analyses.memory_walk import Counted
    from pagemap._space.every_space import Seen

__all__ = ["WINDOW", "MemoryGroups"]

WINDOW = 1 << 28
"""Frames that the table holds at a time: a TiB of pages of 4 KiB, for at most 1 GiB."""

_PURPOSE = "tell which groups of processes map memory"
_NAMES = [kind.name for kind in FRAME_KINDS]
# Of these no process maps a frame: it was given back since a page table was read.
_UNMAPPED = [
    _NAMES.index(name)
    for name in ("swapcache", "hugetlb_idle", "slab", "pagetables", "offline", "poisoned", "free")
]


class MemoryGroups:
    """The groups of all processes, by what `by` says; and which frames are whose.

    Raises AccessDenied and PfnsHidden where that cannot be known.
    """

    def __init__(self, by: str, *, procfs: str, threads: int | None) -> None:
        check_group(by)
        with FrameReader(procfs=procfs, purpose=_PURPOSE) as reader:
            reader.fileno("flags")
        require_pfns(_PURPOSE)
        self._threads = threads
        self.spaces = Spaces(procfs=procfs)
        self._members = Members(self.spaces, by)

    def count(self, segments: Sequence[Segment], zones: int, **more: Any) -> Counted:
        """Count the frames, each in the group that maps it; the rest is as for `count`."""
        counted: Counted | None = None
        end = max((each.end for each in segments), default=0)
        for first in range(0, max(end, 1), WINDOW):
            here = [
                Segment(max(each.start, first), min(each.end, first + WINDOW), each.zone)
                for each in segments
                if each.start < first + WINDOW and first < each.end
            ]
            groups = FrameGroups(first, min(WINDOW, end - first))
            self._fill(groups)
            part = count(here, zones, groups=groups, **more)
            if counted is None:
                counted = part
            else:
                counted.add(part)
        assert counted is not None
        return counted

    def _fill(self, groups: FrameGroups) -> None:
        steps = self.spaces.go_through(
            _all_mappings, ClaimingPiece, StretchBuffer, threads=self._threads
        )
        with self.spaces, closing(steps):
            for piece, (buffer, stretches) in steps:
                seen: Seen = piece.visit.tag
                if stretches:
                    groups.claim(buffer, stretches, FIRST_GROUP + self._members.of[seen.number])

    def rows(self, counted: Counted) -> Iterator[list[object]]:
        """A row for each group, the largest first, then what several map, and what none does."""
        frames = {number: list(kinds) for number, kinds in counted.cgroups.items()}
        none = frames.setdefault(NO_GROUP, [0] * len(_NAMES))
        for kinds in frames.values():
            for kind in _UNMAPPED if kinds is not none else ():
                none[kind] += kinds[kind]
                kinds[kind] = 0
        members = self._members
        own = [
            (label, "one", processes, frames.get(FIRST_GROUP + number, [0] * len(_NAMES)), name)
            for number, (label, name, processes) in enumerate(
                zip(members.labels, members.names, members.processes(), strict=True)
            )
            if processes
        ]
        own.sort(key=lambda each: -sum(each[3]))
        several = frames.get(SEVERAL_GROUPS, [0] * len(_NAMES))
        of_no_group = (None, "several", 0, several, None), (None, "none", 0, none, None)
        for group, mapped_by, processes, kinds, name in (*own, *of_no_group):
            sizes = dict(zip(_NAMES, (each * PAGE_SIZE for each in kinds), strict=True))
            row: dict[str, object] = {
                "group": group,
                "mapped_by": mapped_by,
                "processes": processes,
                "size": sum(sizes[kind] for kind in _NAMES if kind not in NOT_MANAGED),
                "name": name,
                **sizes,
            }
            yield [row[column] for column in PARTS["groups"].names]


def _all_mappings(block: bytes, _process: object) -> tuple[list[tuple[int, int]], None]:
    return [
        (start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT)
        for start, end, _ in Lines(block).ranges()
    ], None
