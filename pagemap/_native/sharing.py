"""The table from frames to the sets of processes that map them: its memory, and its filling."""

from __future__ import annotations

import mmap

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, view_of
from pagemap._native.sharing_sums import RESERVED, SetSums

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator
    from typing import Any

    from pagemap._native.heaviest import Heaviest
    from pagemap._native.stretches import StretchBuffer

__all__ = ["KINDS", "FrameSets"]

KINDS = ("anon", "file", "shmem", "ksm", "zero", "other")
"""What a shared frame is, in the order of enum pm_kind."""

_KINDS: int = lib.PM_KINDS
_FIRST_SETS = 1 << 12
_MOST_SETS = 1 << 31
_SET_BYTES = 108  # one while the table grows: its room before and after, and of its hash
_TOUCHED: int = lib.PM_TOUCHED
_SETTLED_AT_ONCE = 1 << 22  # frames of the table that one call goes through


class FrameSets(SetSums):
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
        self._most = min(max(size // _SET_BYTES, RESERVED + 1), _MOST_SETS)
        self._state.sets_count = RESERVED
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
