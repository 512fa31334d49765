"""The rows of a diff: what C counted of pairs, and what became of mappings, added up."""

from __future__ import annotations

from pagemap._native.counting import BACKINGS, FILE, SHMEM
from pagemap._native.diffing import SUM_FIELDS
from pagemap._vocabulary.page_changes import MAPPING_CHANGES, PAGE_CHANGES
from pagemap._vocabulary.rows.diff import COUNTS
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from pagemap._history.diff_mappings import Layout, Row
    from pagemap._history.diff_sides import Side
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Sums"]

_ORDER = {each.name: number for number, each in enumerate((*MAPPING_CHANGES, *PAGE_CHANGES))}
_FIELD = {name: number for number, name in enumerate(SUM_FIELDS)}
_HIDDEN = ("swap", "marker", "migrating", "poisoned", "device")
_BY_ZERO = ("rss", "anon", "file", "shmem", "zero")
_AMOUNT = "amount"


class Sums:
    """Sums by mapping and kind of change, in bytes; None where one of both looks cannot tell it."""

    def __init__(self, layout: Layout, before: Side, after: Side) -> None:
        self._layout = layout
        self._before, self._after = before, after
        self._pid = after.process.pid
        self._unknown = _unknown(before, after)
        self._swap_used = before.swap_used or after.swap_used
        self._sums: dict[tuple[int, str], dict[str, int | None]] = {}
        nothing: dict[str, int | None] = {
            name: None if name in self._unknown else 0 for name in COUNTS
        }
        self._nothing = {_AMOUNT: 0, **nothing}
        for event in layout.events:
            sums = self._of(event.row, event.kind)
            sums[_AMOUNT] = event.amount
            sums["size"] = event.size

    def _of(self, row: int, kind: str) -> dict[str, int | None]:
        sums = self._sums.get((row, kind))
        if sums is None:
            sums = self._sums[row, kind] = dict(self._nothing)
        return sums

    def add(self, found: Iterable[tuple[int, ...]]) -> None:
        """Take rows of SUM_FIELDS."""
        for row in found:
            pair = self._layout.pairs[row[0]]
            sums = self._of(pair.row, PAGE_CHANGES[row[1]].name)
            changes: dict[str, int | None] = {
                name: row[_FIELD[name]] for name in COUNTS if name in _FIELD
            }
            changes[_AMOUNT] = row[_FIELD["pages"]]
            self._divide(changes, pair.mapping_before, pair.mapping_after, row)
            for name, change in changes.items():
                known = sums[name]
                sums[name] = (
                    None if known is None or change is None else known + (change << PAGE_SHIFT)
                )

    def _divide(
        self,
        changes: dict[str, int | None],
        before: Mapping | None,
        after: Mapping | None,
        row: tuple[int, ...],
    ) -> None:
        """Say whose pages of files or shared memory are, and what is not known of these pages."""
        backings = {
            side.backing(mapping) & BACKINGS
            for side, mapping in ((self._before, before), (self._after, after))
            if mapping is not None
        }
        others = row[_FIELD["file_or_shared"]]
        mapped = row[_FIELD["mapped"]]
        for name, kind in (("file", FILE), ("shmem", SHMEM)):
            changes[name] = others if backings == {kind} else 0
            if mapped and backings not in ({FILE}, {SHMEM}):
                changes[name] = None
        if row[_FIELD["hidden"]]:
            for name in _HIDDEN:
                changes[name] = None
            if not self._swap_used:
                changes["swap"] = 0

    def add_unseen(
        self, before: Iterable[tuple[int, int | None]], after: Iterable[tuple[int, int | None]]
    ) -> None:
        """Take what is in swap, by the first address of each mapping, where no entry tells it.

        No page table has swapped pages of shared memory: they look like untouched ones.
        """
        changes: dict[int, int | None] = {}
        for sign, swaps, homes in zip((-1, 1), (before, after), self._layout.homes, strict=True):
            for start, swap in swaps:
                known = changes.get(homes[start], 0)
                if known is None or swap is None:
                    changes[homes[start]] = None
                else:
                    changes[homes[start]] = known + sign * swap
        seen: dict[int, int | None] = {}
        for (row, _), sums in self._sums.items():
            known, swap = seen.get(row, 0), sums["swap"]
            seen[row] = None if known is None or swap is None else known + swap
        for row, change in changes.items():
            found = seen.get(row, 0)
            if change is None or found is None:
                for (number, _), sums in self._sums.items():
                    sums["swap"] = None if number == row else sums["swap"]
            elif change != found:
                sums = self._of(row, "swapped out" if change > found else "swapped in")
                sums[_AMOUNT] = (sums[_AMOUNT] or 0) + abs(change - found)
                sums["swap"] = (sums["swap"] or 0) + change - found

    def rows(self, by: str) -> Iterator[tuple[Any, ...]]:
        """The rows of `diff`, in order of address or path, and of kinds."""
        sums = sorted(self._sums.items(), key=lambda item: (item[0][0], _ORDER[item[0][1]]))
        if by == "mapping":
            for (number, kind), each in sums:
                yield self._mapping_row(self._layout.rows[number], kind, each)
            return
        groups = _grouped(
            sums, lambda number: self._layout.rows[number].mapping.path if by == "path" else ""
        )
        for (path, kind), (each, mappings) in sorted(
            groups.items(), key=lambda item: (item[0][0], _ORDER[item[0][1]])
        ):
            counts = [each[name] for name in COUNTS]
            tail = [path] if by == "path" else []
            yield (kind, each[_AMOUNT], mappings, *counts, *tail)

    def _mapping_row(self, row: Row, kind: str, sums: dict[str, int | None]) -> tuple[Any, ...]:
        mapping, was = row
        return (
            self._pid,
            mapping.start,
            mapping.end,
            mapping.perms,
            None if was is None else was.start,
            None if was is None else was.perms,
            kind,
            sums[_AMOUNT],
            *(sums[name] for name in COUNTS),
            mapping.path,
        )


def _grouped(
    sums: Iterable[tuple[tuple[int, str], dict[str, int | None]]], group: Callable[[int], str]
) -> dict[tuple[str, str], tuple[dict[str, int | None], int]]:
    groups: dict[tuple[str, str], tuple[dict[str, int | None], int]] = {}
    for (number, kind), each in sums:
        key = group(number), kind
        if key not in groups:
            groups[key] = dict(each), 1
            continue
        total, mappings = groups[key]
        for name, value in each.items():
            known = total[name]
            total[name] = None if known is None or value is None else known + value
        groups[key] = total, mappings + 1
    return groups


def _unknown(before: Side, after: Side) -> set[str]:
    """The counts that one of both looks cannot tell at all."""
    found = set(before.found) & set(after.found)
    unknown = {name for name in ("huge", "soft_dirty") if name not in found}
    if not before.tells_zero or not after.tells_zero:
        unknown.update(_BY_ZERO)
    told = before.told & after.told
    for name, bit in (("uss", 56), ("uffd_wp", 57), ("guard", 58)):
        if not told >> bit & 1:
            unknown.add(name)
    return unknown
