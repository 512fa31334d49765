"""What groups of processes share with each other, and what each has alone.

The sets of processes, once the frames are counted, are made sets of groups
(csrc/analyses/sharing_groups.c): so what groups share, and what processes of one group share, add
up to what processes share.
"""

from __future__ import annotations

from array import array

from pagemap._analyses.groups import UNKNOWN, group_of
from pagemap._analyses.shared_sums import Sums, by_kind, shared_of
from pagemap._errors import UsageError
from pagemap._space.every_process import EveryProcess
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pagemap._native.sharing import FrameSets
    from pagemap._space.every_space import Spaces
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.sharing import (
        GroupPairRow,
        GroupPathRow,
        GroupSetRow,
        GroupShareRow,
        GroupTotalRow,
    )

__all__ = ["GroupSharing", "GroupSums", "Grouped"]


class GroupSharing(Record):
    """What groups of processes share: the tables that `pagemap.sharing` returns with `by`.

    `pairs`, `sets` and `paths` have the largest, `groups` has all groups. `total` is one row:
    frames that two groups or more map, each counted once; and `within`, what several processes of
    one group map and no other group does.
    """

    total: Table[GroupTotalRow] = field("", "what groups share at all")
    groups: Table[GroupShareRow] = field("", "what each group shares, and has alone")
    pairs: Table[GroupPairRow] = field("", "what two groups share")
    sets: Table[GroupSetRow] = field("", "what just these groups share, by path")
    paths: Table[GroupPathRow] = field("", "what groups share of a path")

    @property
    def about(self) -> dict[str, object]:
        """What holds for all of them: see `sharing`."""
        return self.total.about


class Grouped:
    """The groups of the processes `spaces`, which are numbered in order; `targets` come first.

    Raises UsageError where a snapshot has nothing that tells groups.
    """

    def __init__(self, spaces: Spaces | SavedProcesses, by: str, targets: int) -> None:
        numbers: dict[str, int] = {}
        self.of = array("I")  # the group's number, by that of the process
        for pid in spaces.pids:
            self.of.append(numbers.setdefault(_label(spaces, pid, by), len(numbers)))
        self.names = list(numbers)
        self.targets = len(set(self.of[:targets]))
        self._asked = targets
        self._exclusive = [0] * len(self.names)

    def add_exclusive(self, process: int, pages: int) -> None:
        """Count pages that one process alone maps, by its number."""
        self._exclusive[self.of[process]] += pages

    def alone(self, table: FrameSets, within: Sequence[int]) -> list[int | None]:
        """The pages that each group alone maps; None where that is not known.

        With targets only what they map is counted; where there was no room for sets, not all is.
        """
        if table.full:
            return [None] * len(self.names)
        found = [sum(pages) for pages in zip(self._exclusive, within, strict=True)]
        for process, pages in enumerate(table.alone[: len(self.of)]):
            found[self.of[process]] += pages
        return [
            pages if number < self.targets or not self._asked else None
            for number, pages in enumerate(found)
        ]

    def tables(
        self,
        table: FrameSets,
        make: Callable[[type[GroupSums], FrameSets, int], GroupSums],
        top: int,
        size: int,
    ) -> tuple[GroupSums, dict[str, Sequence[Any]]]:
        """The sums of groups, out of the sets of processes in `table`, and the rows of them."""
        sets, words = table.of_groups(self.of, len(self.names), size)
        within = by_kind(words)[: len(self.names)]
        alone = self.alone(table, [shared_of(pages) for pages in within])
        sums = make(GroupSums, sets, self.targets)
        return sums, sums.group_rows(self, within, alone, top)


class GroupSums(Sums):
    """The same sums, of sets of groups."""

    __slots__ = ()

    def group_rows(
        self,
        grouped: Grouped,
        within: Sequence[Sequence[int]],
        alone: Sequence[int | None],
        top: int,
    ) -> dict[str, Sequence[Any]]:
        """The rows of all tables. Once."""
        table, names = self._table, grouped.names
        sets = []
        for each, counts in table.heaviest_sets(top):
            members = table.members(each)
            words = ", ".join(names[number] for number in members)
            path = self._paths[table.label(each)]
            sets.append((len(members), *self._amounts(counts), words, path))
        total, saved, paths = self._by_path(top)
        table.accumulate()
        amounts = by_kind(table.by_member(len(names)))
        processes = [0] * len(names)
        for number, pid in zip(grouped.of, self._spaces.pids, strict=True):
            processes[number] += pid in self._spaces.names
        own = [shared_of(pages) << PAGE_SHIFT for pages in within]
        groups = [
            (
                name,
                processes[number],
                *self._amounts(amounts[number]),
                own[number],
                None if alone[number] is None else alone[number] << PAGE_SHIFT,  # type: ignore[operator]
            )
            for number, name in enumerate(names)
            if processes[number]
        ]
        groups.sort(key=lambda row: -row[2])  # type: ignore[operator] # never None
        return {
            "total": [(*self._amounts(total), sum(own), saved << PAGE_SHIFT)],
            "groups": groups,
            "pairs": [
                (names[one], names[other], *self._amounts(counts))
                for one, other, counts in self._pairs(amounts, top)
            ],
            "sets": sets,
            "paths": paths,
        }


def _label(spaces: Spaces | SavedProcesses, pid: int, by: str) -> str:
    if isinstance(spaces, EveryProcess):
        return group_of(spaces, pid, by) or UNKNOWN
    if by == "process":
        return str(pid)
    if by != "name":
        raise UsageError(f"by is name for a snapshot, which does not have the {by} of processes")
    return spaces.names[pid] or UNKNOWN
