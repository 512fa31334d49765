"""Sums over sets of processes, when all frames were counted."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import allocate, view_of
from pagemap._native.heaviest import Heaviest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from typing import Any

__all__ = ["NO_RANK", "RESERVED", "SetSums"]

NO_RANK = 2**32 - 1
"""A process whose pairs are not asked for."""

RESERVED: int = lib.PM_FIRST_SET
"""Sets that name nobody: the empty one, and two untold."""

_KINDS: int = lib.PM_KINDS
_SET_WORDS = 8  # a set has 64 bytes, and its counts begin at the third word
_COUNTS_AT = 2


class SetSums:
    """Sets of processes, and the frames of each by kind; `FrameSets` fills them."""

    _state: Any
    _sets: Any

    @property
    def sets(self) -> int:
        """How many sets there are, those included that no frame has any more."""
        return int(self._state.sets_count) - RESERVED

    def by_label(self, labels: int) -> tuple[memoryview, memoryview]:
        """Frames by label and kind, and the frames that sharing saves by label."""
        counts = ffi.new("uint64_t[]", labels * _KINDS)
        saved = ffi.new("uint64_t[]", labels)
        lib.pm_sharing_labels(self._state, counts, saved)
        return view_of(counts, "Q"), view_of(saved, "Q")

    def heaviest_sets(self, most: int) -> list[tuple[int, list[int]]]:
        """The sets with the most frames: the number of each, and its frames by kind."""
        top = Heaviest(most)
        words = view_of(self._sets, "Q")
        counts = ffi.cast("uint64_t *", self._sets) + RESERVED * _SET_WORDS + _COUNTS_AT
        found = lib.pm_heaviest(counts, self.sets, _SET_WORDS, top.table, len(top.table))
        at = [top.table[i].index + RESERVED for i in range(found)]
        return [
            (
                each,
                words[each * _SET_WORDS + _COUNTS_AT : (each + 1) * _SET_WORDS].tolist(),
            )
            for each in at
        ]

    def members(self, each: int) -> list[int]:
        """The numbers of the processes in a set, ascending."""
        found = []
        while each:
            found.append(self._sets[each].member)
            each = self._sets[each].parent
        return found[::-1]

    def label(self, each: int) -> int:
        """The label of a set."""
        return int(self._sets[each].label)

    def accumulate(self) -> None:
        """Make the counts of each set those of all that begin with it: last, and once."""
        lib.pm_sharing_accumulate(self._state)

    def by_member(self, members: int) -> memoryview:
        """After `accumulate`: the frames that each process shares with others, by kind."""
        counts = ffi.new("uint64_t[]", max(members, 1) * _KINDS)
        lib.pm_sharing_members(self._state, counts)
        return view_of(counts, "Q")[: members * _KINDS]

    def heaviest_pairs(
        self, ranks: array[int], count: int, most: int, *, below: int = NO_RANK
    ) -> list[tuple[int, int, list[int]]]:
        """After `accumulate`: two ranks below `count` each, and the frames that they share.

        `ranks` has one for each process, or `NO_RANK`. One of the two has a number below `below`.
        """
        pairs = count * (count - 1) // 2
        if not pairs:
            return []
        counts = ffi.new("uint64_t[]", pairs * _KINDS)
        scratch = allocate("uint32_t[]", 2 * self._state.sets_count)
        lib.pm_sharing_pairs(
            self._state, ffi.from_buffer("uint32_t[]", ranks), below, scratch, counts
        )
        top = Heaviest(min(most, pairs))
        found = lib.pm_heaviest(counts, pairs, _KINDS, top.table, len(top.table))
        words = view_of(counts, "Q")
        result = []
        for i in range(found):
            at = top.table[i].index
            # the pairs of 1 begin at 0, those of 2 at 1, of 3 at 3, of 4 at 6
            other = (1 + _root(1 + 8 * at)) // 2
            kinds = words[at * _KINDS : (at + 1) * _KINDS].tolist()
            result.append((at - other * (other - 1) // 2, other, kinds))
        return result


def _root(number: int) -> int:
    from math import isqrt

    return isqrt(number)
