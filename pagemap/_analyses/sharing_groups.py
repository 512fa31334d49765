"""What groups of processes share with each other, and what each has alone.

The sets of processes, once the frames are counted, are made sets of groups
(csrc/analyses/sharing_groups.c): so what groups share, and what processes of one group share, add
up to what processes share.
"""

from __future__ import annotations

from pagemap._analyses.group_members import Members
from pagemap._analyses.shared_sums import Sums, by_kind, shared_of
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
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


class Grouped(Members):
    """The groups of the processes `spaces`, which are numbered in order; `targets` come first.

    Raises UsageError where a snapshot has nothing that tells groups.
    """

    def __init__(self, spaces: Spaces | SavedProcesses, by: str, targets: int) -> None:
        super().__init__(spaces, by)
        self.targets = len(set(self.of[:targets]))
        self._asked = targets
        self._exclusive = [0] * len(self.labels)

    def add_exclusive(self, process: int, pages: int) -> None:
        """Count pages that one process alone maps, by its number."""
        self._exclusive[self.of[process]] += pages

    def alone(self, table: FrameSets, within: Sequence[int]) -> list[int | None]:
        """The pages that each group alone maps; None where that is not known.

        With targets only what they map is counted; where there was no room for sets, not all is.
        """
        if table.full:
            return [None] * len(self.labels)
        found = [sum(pages) for pages in zip(self._exclusive, within, strict=True)]
        for process, pages in enumerate(table.alone[: len(self.of)]):
            found[self.of[process]] += pages
        return self.known(found)

    def known(self, pages: Sequence[int]) -> list[int | None]:
        """What was counted of each group by itself: with targets, of their groups alone."""
        return [
            each if number < self.targets or not self._asked else None
            for number, each in enumerate(pages)
        ]

    def tables(
        self,
        table: FrameSets,
        make: Callable[[type[GroupSums], FrameSets, int], GroupSums],
        top: int,
        size: int,
    ) -> tuple[GroupSums, dict[str, Sequence[Any]]]:
        """The sums of groups, out of the sets of processes in `table`, and the rows of them."""
        sets, words = table.of_groups(self.of, len(self.labels), size)
        within = [shared_of(pages) for pages in by_kind(words)[: len(self.labels)]]
        alone = self.alone(table, within)
        sums = make(GroupSums, sets, self.targets)
        return sums, sums.group_rows(self, within, alone, top)


class GroupSums(Sums):
    """The same sums, of sets of groups."""

    __slots__ = ()

    def group_rows(
        self,
        grouped: Grouped,
        within: Sequence[int],
        alone: Sequence[int | None],
        top: int,
    ) -> dict[str, Sequence[Any]]:
        """The rows of all tables. Once."""
        table, labels, names = self._table, grouped.labels, grouped.names
        sets = []
        for each, counts in table.heaviest_sets(top):
            members = table.members(each)
            words = _listed(labels[number] for number in members)
            path = self._paths[table.label(each)]
            sets.append((len(members), *self._amounts(counts), words, path))
        total, saved, paths = self._by_path(top)
        table.accumulate()
        amounts = by_kind(table.by_member(len(labels)))
        processes = grouped.processes()
        groups = [
            (
                label,
                processes[number],
                *self._amounts(amounts[number]),
                _bytes(own),
                _bytes(alone[number]),
                names[number],
            )
            for number, (label, own) in enumerate(zip(labels, grouped.known(within), strict=True))
            if processes[number]
        ]
        groups.sort(key=lambda row: -row[2])  # type: ignore[operator] # never None
        return {
            "total": [(*self._amounts(total), sum(within) << PAGE_SHIFT, saved << PAGE_SHIFT)],
            "groups": groups,
            "pairs": [
                (labels[one], labels[other], *self._amounts(counts), names[one], names[other])
                for one, other, counts in self._pairs(amounts, top)
            ],
            "sets": sets,
            "paths": paths,
        }


def _bytes(pages: int | None) -> int | None:
    return None if pages is None else pages << PAGE_SHIFT


def _listed(labels: Iterable[str | None]) -> str:
    """What these groups are called, between commas; quoted what would not stand apart else."""
    return ", ".join(
        "-" if label is None else _quoted(label) if label == "-" or {*label} & {*',"'} else label
        for label in labels
    )


def _quoted(label: str) -> str:
    doubled = label.replace('"', '""')
    return f'"{doubled}"'
