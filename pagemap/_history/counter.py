"""What repeated counts of a target need, opened once."""

from __future__ import annotations

import os

from pagemap._analyses import backing
from pagemap._analyses.tally_plan import Plan, tellable
from pagemap._native import procmap
from pagemap._native.descriptors import CLOSED, Descriptor
from pagemap._native.lines import Lines
from pagemap._native.sample import Sample
from pagemap._space.live_space import LiveSpace
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pagemap._kernel.smaps_accounts import Account
    from pagemap._space.arguments import Target

__all__ = ["COUNTS", "Counter"]

COUNTS = (*("rss", "swap", "anon", "file_or_shared", "huge", "uss", "present", "zero", "hugetlb"),)
"""The counts: fields of struct pm_counts."""

_STATUS = 1 << 14  # bytes: more than /proc/PID/status mostly has


class Counter:
    """Counts `counts`, of COUNTS, of a target; None: all that can be told.

    `owner` is the process that opened it. Any number of threads may count at once.
    """

    def __init__(self, target: Target, counts: Sequence[str] | None, procfs: str) -> None:
        # all that a sample may need: a handler that interrupted an import would get half of it
        from pagemap._kernel import maps_blocks, smaps_accounts  # noqa: F401

        self.owner = os.getpid()
        self._process = process = LiveSpace(target, procfs=procfs)
        try:
            asked = tellable(process, COUNTS) if counts is None else counts
            self._plan = Plan(process, asked, lasting=True)
        except BaseException:
            process.close()
            raise
        self._asked = set(asked)
        self._idle: list[Sample] = []
        self._status_fd = _open(process, "status")
        self._statm_fd = _open(process, "statm")

    @property
    def uss_by(self) -> str:
        """By what `uss` is counted where a PMD maps many pages."""
        return self._plan.uss_by

    def take(self, max_pages: int, max_ns: int, first: int) -> tuple[dict[str, Any], int | None]:
        """Count from page `first` on: each of COUNTS, and the page where a limit stopped."""
        try:
            memory = self._memory()
            try:
                return self._take(memory, max_pages, max_ns, first)
            finally:
                self._idle.append(memory)
        except OSError as error:
            raise self._process.read_error(error) from None

    def _memory(self) -> Sample:
        """What one count needs, for nobody else meanwhile."""
        try:
            return self._idle.pop()
        except IndexError:
            return Sample(self._process.fileno(), PAGE_SHIFT, self._plan.way)

    def _take(
        self, memory: Sample, max_pages: int, max_ns: int, first: int
    ) -> tuple[dict[str, Any], int | None]:
        process = self._process
        status = self._status()
        hugetlb = backing.status(status, b"HugetlbPages") > 0
        ranges = _ranges(process) if hugetlb or not process.can_scan else None
        swap_used = "swap" in self._asked and procmap.swap_in_use()
        tally, stopped = memory.take(max_pages, max_ns, ranges, first=first, kinds=swap_used)
        if not tally.present:
            process.require_alive()
        partial = bool(first) or stopped is not None
        # C counts for the next one into the same memory
        found: dict[str, Any] = {
            name: getattr(tally, name) << PAGE_SHIFT if name in self._asked else None
            for name in COUNTS
        }
        if "swap" in self._asked:
            found["swap"] = self._swap(tally, status, partial=partial) if swap_used else 0
        if self._plan.by_smaps:
            whole = None if partial else self._rollup()
            for name in self._asked.intersection(("rss", "anon", "file_or_shared")):
                found[name] = getattr(whole, name, None)
        return found, stopped

    def resident(self) -> int:
        """The resident set in bytes (statm)."""
        process = self._process
        try:
            text = os.pread(self._statm_fd, 256, 0)
        except OSError as error:
            raise process.read_error(error) from None
        process.require_alive()
        return int(text.split()[1]) * PAGE_SIZE

    def _swap(self, tally: Any, status: bytes, *, partial: bool) -> int | None:
        """What lies in swap, in bytes; None in a part where only the whole is told."""
        lines = Lines.of_blocks(self._process.maps_blocks())
        if not any(map(backing.may_be_shared, backing.Backing(self._process).of(lines))):
            if not tally.hidden:
                swap: int = tally.swap << PAGE_SHIFT
                return swap
            return None if partial else backing.status(status, b"VmSwap")
        return None if partial else self._rollup().swap

    def _rollup(self) -> Account:
        """The kernel's sums; None of each where they cannot be read."""
        from pagemap._kernel import smaps_accounts as accounts

        try:
            with open(self._process.folder.open("smaps_rollup"), "rb") as file:
                return accounts.parse_rollup(file)
        except OSError:
            return accounts.Account(0)

    def _status(self) -> bytes:
        fd, size = self._status_fd, _STATUS
        if fd < 0:
            return b""
        while len(text := os.pread(fd, size, 0)) == size:
            size *= 4
        return text

    def close(self) -> None:
        """Close the descriptors; whoever is counting holds them until the end."""
        self._status_fd = self._statm_fd = CLOSED
        self._idle.clear()
        self._plan.close()
        self._process.close()


def _open(process: LiveSpace, name: str) -> int:
    """A file of the target's folder, to read again and again; CLOSED where there is none."""
    try:
        return Descriptor(process.folder.open(name))
    except OSError:
        return CLOSED


def _ranges(process: LiveSpace) -> Iterator[tuple[int, int, bool]]:
    """The first and the last page, without, of mappings that touch, and whether of hugetlb."""
    begin = stop = 0
    before = 0
    lines = Lines.of_blocks(process.maps_blocks())
    marks = backing.Backing(process).hugetlb(lines) or bytes(len(lines))
    for start, end, mark in zip(lines.bounds[::2], lines.bounds[1::2], marks, strict=True):
        if start != stop or mark != before:
            if stop:
                yield begin >> PAGE_SHIFT, stop >> PAGE_SHIFT, bool(before)
            begin, before = start, mark
        stop = end
    if stop:
        yield begin >> PAGE_SHIFT, stop >> PAGE_SHIFT, bool(before)
