"""What is shared, summed up: sets of processes, and frames by kind, as rows of tables."""

from __future__ import annotations

from array import array

from pagemap._native.sharing import KINDS
from pagemap._native.sharing_sums import NO_RANK
from pagemap._vocabulary.rows.sharing import SharedFrameRow
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pagemap._kernel.frames import FrameReader
    from pagemap._native.heaviest import Heaviest
    from pagemap._native.sharing import FrameSets
    from pagemap._space.every_space import Spaces
    from pagemap._space.saved_processes import SavedProcesses

__all__ = ["Sums", "by_kind", "shared_of"]

MOST_PAIRED = 1024
"""Processes whose pairs are told: of more, those that share most. Pairs take 48 bytes each."""

_ORDER = ("anon", "file", "shmem", "ksm", "other", "zero")  # of columns
_ZERO = KINDS.index("zero")


class Sums:
    """Rows of what a table of frames holds, when all `spaces` were gone through.

    `paths` are the names by the numbers of labels; `targets` are how many processes at the
    beginning were asked for, 0 for none. Where `ksm_told` is False nothing is known of merged ones,
    and without `kinds_told` of no frame what it is.
    """

    __slots__ = ("_kinds_told", "_ksm_told", "_paths", "_spaces", "_table", "_targets")

    def __init__(
        self,
        table: FrameSets,
        spaces: Spaces | SavedProcesses,
        paths: list[str],
        targets: int,
        ksm_told: bool | None,
        *,
        kinds_told: bool,
    ) -> None:
        self._table = table
        self._spaces = spaces
        self._paths = paths
        self._targets = targets
        self._ksm_told = ksm_told
        self._kinds_told = kinds_told

    def frames(self, reader: FrameReader, heaviest: Heaviest) -> list[SharedFrameRow]:
        """The rows of the frames that most processes map."""
        items = heaviest.items()
        pfns = [pfn for _, pfn, _ in items]
        if not self._kinds_told:
            return [
                SharedFrameRow(
                    pfn,
                    processes,
                    None,
                    "zero" if extra >> 32 == _ZERO else None,
                    self._label_of(extra),
                )
                for processes, pfn, extra in items
            ]
        counts = reader.read(pfns, ("mapcounts",))
        return [
            SharedFrameRow(
                pfn,
                processes,
                frame.mapcount,
                KINDS[extra >> 32],
                self._label_of(extra),
            )
            for (processes, pfn, extra), frame in zip(items, counts, strict=True)
        ]

    def _label_of(self, extra: int) -> str:
        return self._paths[self._table.label(extra & NO_RANK)]

    def _amounts(self, pages: Sequence[int]) -> tuple[int | None, ...]:
        """The columns from `shared` to `zero`, of pages by kind."""
        sizes: dict[str, int | None] = {
            kind: count << PAGE_SHIFT for kind, count in zip(KINDS, pages, strict=True)
        }
        if not self._kinds_told:
            sizes = {**dict.fromkeys(sizes), "zero": sizes["zero"]}
        elif self._ksm_told is False:
            sizes["ksm"] = None
        return (shared_of(pages) << PAGE_SHIFT, *(sizes[kind] for kind in _ORDER))

    def rows(self, top: int) -> dict[str, Sequence[Any]]:
        """The rows of all tables but that of frames; of most of them the `top` heaviest. Once."""
        table, pids, names = self._table, self._spaces.pids, self._spaces.names
        groups = []
        for each, counts in table.heaviest_sets(top):
            members = tuple(pids[number] for number in table.members(each))
            path = self._paths[table.label(each)]
            groups.append((len(members), *self._amounts(counts), members, path))
        total, saved, paths = self._by_path(top)
        table.accumulate()
        amounts = by_kind(table.by_member(len(pids)))
        processes = [
            (pid, names.get(pid, ""), *self._amounts(pages))
            for pid, pages in zip(pids, amounts, strict=True)
            if shared_of(pages)
        ]
        processes.sort(key=lambda row: -row[2])  # type: ignore[operator] # never None
        pairs = [
            (pids[one], names.get(pids[one], ""), pids[other], names.get(pids[other], ""),
             *self._amounts(counts))
            for one, other, counts in self._pairs(amounts, top)
        ]  # fmt: skip
        return {
            "total": [(*self._amounts(total), saved << PAGE_SHIFT)],
            "processes": processes,
            "pairs": pairs,
            "groups": groups,
            "paths": paths,
        }

    def about(self) -> dict[str, object]:
        """What the tables do not hold."""
        untold = self._amounts(self._table.untold)
        return {
            "processes": len(self._spaces.pids),
            "sets": self._table.sets,
            "beyond": self._table.beyond << PAGE_SHIFT,
            "untold": dict(zip(("shared", *_ORDER), untold, strict=True)),
            "ksm_told": self._ksm_told,
            "kinds_told": self._kinds_told,
            **self._spaces.about(),
        }

    def _by_path(self, top: int) -> tuple[list[int], int, list[tuple[Any, ...]]]:
        """Pages by kind of all that is shared, how many are saved, and the heaviest paths."""
        words, saved = self._table.by_label(len(self._paths))
        counts = by_kind(words)
        total = [sum(kind) for kind in zip(*counts, self._table.untold, strict=True)]
        found = [
            (*self._amounts(pages), more << PAGE_SHIFT, path)
            for path, pages, more in zip(self._paths, counts, saved, strict=True)
            if shared_of(pages)
        ]
        found.sort(key=lambda row: -row[0])  # type: ignore[operator] # never None
        return total, sum(saved), found[:top]

    def _pairs(self, amounts: list[tuple[int, ...]], top: int) -> list[tuple[int, int, list[int]]]:
        """The heaviest, of which one is a target where there are any: two numbers, and pages."""
        below = self._targets or NO_RANK
        sharers = [number for number, pages in enumerate(amounts) if shared_of(pages)]
        sharers.sort(key=lambda n: (n >= self._targets, -shared_of(amounts[n])))
        chosen = sorted(sharers[:MOST_PAIRED])
        ranks = array("I", [NO_RANK]) * len(amounts)
        for rank, number in enumerate(chosen):
            ranks[number] = rank
        return [
            (chosen[one], chosen[other], counts)
            for one, other, counts in self._table.heaviest_pairs(
                ranks, len(chosen), top, below=below
            )
        ]


def shared_of(pages: Sequence[int]) -> int:
    """All of these pages by kind but those of zeros."""
    return sum(pages) - pages[_ZERO]


def by_kind(words: Iterable[int]) -> list[tuple[int, ...]]:
    """Numbers of pages by kind, of each thing that `words` has some of."""
    return list(zip(*[iter(words)] * len(KINDS), strict=True))
