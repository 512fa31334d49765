"""A thread of C that samples into a ring, and what others read of that."""

from __future__ import annotations

import os

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked, view_of
from pagemap._native.sample import AMOUNTS, SCRATCH
from pagemap._native.threads import at_exit, forget_at_exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._native.sample import SampleJob

__all__ = ["COLUMNS", "Ring"]

COLUMNS = ("time", "took", *AMOUNTS)
"""The columns, in the order of enum pm_sampled_column."""

assert len(COLUMNS) == lib.PM_SAMPLED_COLUMNS


class Ring:
    """The `capacity` newest samples, one each `every` nanoseconds, while the thread runs.

    It runs until `end`, until the target is gone, or until the interpreter exits. It is no thread
    of Python: it has neither a name nor the GIL, and no signal is delivered to it.
    """

    __slots__ = ("__weakref__", "_job", "_pid", "_runs", "_scratch", "_table", "_words", "capacity")

    def __init__(self, job: SampleJob, every: int, capacity: int) -> None:
        self._runs = False
        self._pid = os.getpid()
        self.capacity = capacity
        self._job: SampleJob | None = job  # which holds the descriptors
        self._words = allocate("uint64_t[]", capacity * lib.PM_SAMPLED_WORDS)
        self._scratch = allocate("uint64_t[]", SCRATCH)
        self._table = table = ffi.new("struct pm_sampled *")
        table.job = job.table[0]
        table.every, table.capacity = every, capacity
        table.words, table.scratch = self._words, self._scratch
        checked(lib.pm_sampled_begin(table))
        self._runs = True
        at_exit(self, Ring.end)

    @property
    def began(self) -> int:
        """When it began, as `time.monotonic_ns` has it."""
        return int(self._table.began)

    @property
    def lost(self) -> bool:
        """Whether this is a child of fork(), in which there is no such thread."""
        return os.getpid() != self._pid

    def look(self) -> tuple[int, int, int | None]:
        """How many samples were taken, how many moments missed, and why it ended: an errno.

        None while it goes on, 0 where it was told to end. It takes no samples after it has ended.
        """
        state = ffi.new("struct pm_sampled_state *")
        lib.pm_sampled_look(self._table, state)
        return state.taken, state.missed, state.error if state.ended else None

    def copy(
        self, first: int, count: int
    ) -> tuple[int, dict[str, tuple[memoryview[int], memoryview[bool]]]]:
        """Columns of samples from number `first` on: how many are there, values, what is known.

        Those that were overwritten meanwhile are left out.
        """
        values = allocate("int64_t[]", count * len(COLUMNS))
        known = allocate("uint8_t[]", count * len(COLUMNS))
        gone = checked(lib.pm_sampled_copy(self._table, first, count, values, known))
        numbers: Any = view_of(values, "q").toreadonly()
        bits: Any = view_of(known, "?").toreadonly()
        return count - gone, {
            name: (
                numbers[column * count + gone : (column + 1) * count],
                bits[column * count + gone : (column + 1) * count],
            )
            for column, name in enumerate(COLUMNS)
        }

    def end(self) -> None:
        """Stop the thread and wait until it has: some milliseconds. What was taken stays."""
        runs, self._runs = self._runs, False
        if runs and not self.lost:
            lib.pm_sampled_end(self._table)
        self._job = None
        forget_at_exit(self)

    def __del__(self) -> None:
        if self._runs:  # before its memory is freed
            self.end()
