"""The table from frames to the sets of processes that map them: its memory, and its sums."""

from __future__ import annotations

import mmap

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator
    from typing import Any

    from pagemap._native.stretches import StretchBuffer

__all__ = ["KINDS", "NO_RANK", "FrameSets", "Heaviest"]

KINDS = ("anon", "file", "shmem", "ksm", "zero", "other")
"""What a shared frame is, in the order of enum pm_kind."""

NO_RANK = 2**32 - 1
"""A process whose pairs are not asked for."""

_KINDS: int = lib.PM_KINDS
_FIRST_SETS = 1 << 12
_MOST_SETS = 1 << 31
_RESERVED: int = lib.PM_FIRST_SET  # sets that name nobody: the empty one, and two untold
_SET_BYTES = 108  # one while the table grows: its room before and after, and of its hash
_SET_WORDS = 8  # a set has 64 bytes, and its counts begin at the third word
_COUNTS_AT = 2
_TOUCHED: int = lib.PM_TOUCHED
_SETTLED_AT_ONCE = 1 << 22  # frames of the table that one call goes through


class FrameSets:
    """Sets of processes, and for each frame of a window the number of its set.

    The window takes 4 bytes for each of its frames, of which the kernel gives those that are
    touched, and each set 72 bytes to 144 (64 and its part of the hash). Processes are numbered in
    the order in which they are added. There are never more sets than fit into `size` bytes: of
    frames that need one more it is only counted how many they are (`untold`).
    """

    def __init__(self, size: int) -> None:
        self._state = ffi.new("struct pm_sharing *")
        self._memory: mmap.mmap | None = None
        self._window: Any = None
        self._touched: Any = None
        self._sets: Any = None
        self._buckets: Any = None
        self._merged: Any = ffi.new("uint64_t[]", 1)
        self._alone: Any = None
        self._most = min(max(size // _SET_BYTES, _RESERVED + 1), _MOST_SETS)
        self._state.sets_count = _RESERVED
        self._grow(min(_FIRST_SETS, 1 << (self._most - 1).bit_length()))
        sets: Any = self._sets
        sets[lib.PM_UNTOLD_ONE].size = 1
        sets[lib.PM_UNTOLD_SEVERAL].size = 2

    def _grow(self, capacity: int) -> None:
        state, before = self._state, self._sets
        if before is not None and capacity > self._most:
            state.full = True
            return
        self._sets = ffi.new("struct pm_set[]", capacity)
        if before is not None:
            ffi.memmove(self._sets, before, ffi.sizeof("struct pm_set") * state.sets_count)
        self._buckets = ffi.new("uint32_t[]", 2 * capacity)
        state.sets = self._sets
        state.sets_capacity = min(capacity, self._most)
        state.buckets = self._buckets
        state.buckets_mask = 2 * capacity - 1
        lib.pm_sharing_rehash(state)

    @property
    def beyond(self) -> int:
        """Pages that were added, of frames past the last one that the kernel tells of."""
        return int(self._state.beyond)

    def ignore(self, bits: int) -> None:
        """Do not believe these bits of /proc/kpageflags."""
        self._state.ignored = bits

    def assume(self, bits: int) -> None:
        """Take these bits of /proc/kpageflags for granted, of all frames."""
        self._state.assumed = bits

    def count_alone(self, members: int) -> None:
        """Count from now on what each of so many processes alone maps, for `alone`."""
        self._alone = self._state.alone = ffi.new("uint64_t[]", max(members, 1))

    @property
    def alone(self) -> memoryview:
        """The frames that were added and are of one process alone, by its number.

        After `count_alone`. Where there was no room for sets, some are missing.
        """
        return view_of(self._alone, "Q")

    def open_window(self, first: int, count: int, end: int) -> None:
        """Begin with the frames from PFN `first` on, none of which has a set yet.

        `end` is the first that the kernel tells nothing of.
        """
        self.close_window()
        # not ffi.new, which would write to it, and so have all of it
        self._memory = mmap.mmap(-1, max(4 * count, 1))
        self._window = ffi.from_buffer("uint32_t[]", self._memory, require_writable=True)
        self._touched = ffi.new("uint8_t[]", count // _TOUCHED + 1)
        self._state.table = self._window
        self._state.touched = self._touched
        self._state.first = first
        self._state.count = count
        self._state.end = end
        self._state.beyond = 0

    def close_window(self) -> None:
        """Give the memory of the window back; the sets stay."""
        self._state.table = self._state.touched = ffi.NULL
        self._state.count = 0
        self._window = self._memory = self._touched = None

    @property
    def sets(self) -> int:
        """How many sets there are, those included that no frame has any more."""
        return int(self._state.sets_count) - _RESERVED

    @property
    def full(self) -> bool:
        """Whether there was no room for more sets."""
        return bool(self._state.full)

    @property
    def untold(self) -> list[int]:
        """Frames by kind that are mapped more than once, and of which no set tells by whom."""
        return [int(count) for count in self._sets[lib.PM_UNTOLD_SEVERAL].pages]

    def add(
        self, buffer: StretchBuffer, count: int, labels: array[int], member: int, *, join: bool
    ) -> None:
        """Add process number `member` to the sets of the frames that were collected.

        `labels` has a number for each of its spans. With `join` it is added only to frames that
        others have mapped before.
        """
        at = ffi.new("struct pm_place *")
        table = ffi.from_buffer("uint32_t[]", labels)
        while lib.pm_sharing_add(self._state, buffer.out, count, table, member, join, at):
            self._grow(2 * len(self._sets))

    def settle(self, flags: int, counts: int, labels: int, top: Heaviest) -> Iterator[int]:
        """Count the shared frames of the window by kind, for all sets.

        `flags` is /proc/kpageflags, `counts` /proc/kpagecount, `labels` how many labels there are
        by now. Those that most processes map go into `top`. Gives the number counted, some at a
        time. Raises OSError, ENODATA where one of the files ends too early.
        """
        scratch = allocate("uint64_t[]", 2 * READ_BLOCK)
        merged = ffi.new("uint64_t[]", max(labels, 1))
        ffi.memmove(merged, self._merged, 8 * min(len(self._merged), len(merged)))
        self._merged = merged
        self._state.merged, self._state.labels = merged, labels
        for first in range(0, self._state.count, _SETTLED_AT_ONCE):
            end = min(first + _SETTLED_AT_ONCE, self._state.count)
            yield checked(
                lib.pm_sharing_settle(
                    self._state,
                    flags,
                    counts,
                    first,
                    end,
                    scratch,
                    top.table,
                    len(top.table),
                    top.count,
                )
            )

    def of_groups(self, groups: array[int], count: int, size: int) -> tuple[FrameSets, memoryview]:
        """Before `accumulate`: the same for groups of processes, as many as `count`.

        ``groups[number]`` is the group of a process. The sets are those of groups; and what one
        group alone has is in the second, by group and kind. `size` is as for the sets themselves.
        """
        sets = FrameSets(size)
        within = ffi.new("uint64_t[]", max(count, 1) * _KINDS)
        at = ffi.new("uint32_t *")
        found = ffi.new("uint32_t[]", self._state.sets_count)
        numbers = ffi.from_buffer("uint32_t[]", groups)
        scratch = allocate("uint32_t[]", max(count, 1))
        while lib.pm_sharing_groups(self._state, numbers, at, found, scratch, sets._state, within):
            sets._grow(2 * len(sets._sets))
        return sets, view_of(within, "Q")

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
        counts = ffi.cast("uint64_t *", self._sets) + _RESERVED * _SET_WORDS + _COUNTS_AT
        found = lib.pm_heaviest(counts, self.sets, _SET_WORDS, top.table, len(top.table))
        at = [top.table[i].index + _RESERVED for i in range(found)]
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


class Heaviest:
    """Room for the heaviest `most`."""

    __slots__ = ("count", "table")

    def __init__(self, most: int) -> None:
        self.table = ffi.new("struct pm_heavy[]", max(most, 1))
        self.count = ffi.new("uint64_t *")

    def items(self) -> list[tuple[int, int, int]]:
        """What was put: ``(weight, index, extra)``, from the heaviest on."""
        lib.pm_heaviest_sort(self.table, self.count[0])
        words = view_of(self.table, "Q")[: 3 * self.count[0]].tolist()
        return list(zip(words[::3], words[1::3], words[2::3], strict=True))
