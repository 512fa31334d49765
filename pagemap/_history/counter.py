"""What repeated counts of a target need, opened once."""

from __future__ import annotations

import os
from errno import ENOENT

from pagemap._analyses.tally_plan import (
    BY_PAGE_TABLE,
    exclusive_by,
    open_frames,
    required,
    tellable,
)
from pagemap._kernel import statm
from pagemap._native import procmap
from pagemap._native.descriptors import CLOSED, Descriptor
from pagemap._native.sample import AMOUNTS, Sample, SampleJob
from pagemap._space.live_space import LiveSpace
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._space.arguments import Target

__all__ = ["COUNTS", "Counter"]

COUNTS = AMOUNTS
"""The counts: fields of Sample."""


class Counter:
    """Counts `counts`, of COUNTS, of a target; None: all that can be told.

    `owner` is the process that opened it. Any number of threads may count at once. `uss_by` says
    by what `uss` is counted where a PMD maps many pages.
    """

    def __init__(self, target: Target, counts: Sequence[str] | None, procfs: str) -> None:
        self.owner = os.getpid()
        self.process = process = LiveSpace(target, procfs=procfs)
        try:
            self.asked = tellable(process, COUNTS) if counts is None else required(process, counts)
            self.uss_by = BY_PAGE_TABLE
            self.job: SampleJob | None = None if process.kernel_thread else self._planned()
        except BaseException:
            process.close()
            raise
        self._idle: list[Sample] = []
        self._statm_fd = _open(process, "statm")

    def _planned(self) -> SampleJob:
        """How to count."""
        process, asked = self.process, self.asked
        if not _tells_of_mappings(process):
            from pagemap._history import hugetlb_devices  # noqa: F401 - now, not in a handler
        mapcounts, scan = CLOSED, process.can_scan
        if "uss" in asked:
            mapcounts, self.uss_by = exclusive_by(process)
        return SampleJob(
            asked,
            pagemap=process.fileno(),
            folder=process.folder.fd,
            maps=process.folder.inner("maps"),
            status=_open(process, "status"),
            rollup=_open(process, "smaps_rollup"),
            mapcounts=mapcounts,
            flags=CLOSED if scan else open_frames(process, "kpageflags"),
            kinds=process.machine.swap_kinds() if process.pfns_visible else b"",
            page_shift=PAGE_SHIFT,
            end=process.end_page(),
            use_scan=scan,
            guards=process.can_find("guard"),
        )

    def take(self, max_pages: int, max_ns: int, first: int) -> tuple[dict[str, Any], int | None]:
        """Count from address `first` on: each of COUNTS, and the address where a limit stopped."""
        process, job = self.process, self.job
        process.require_open()
        if job is None:  # a kernel thread has no pages, whatever their kind
            return {name: 0 if name in self.asked else None for name in COUNTS}, None
        try:
            memory = self._memory()
            try:
                return self._take(job, memory, max_pages, max_ns, first)
            finally:
                self._idle.append(memory)
        except OSError as error:
            raise process.read_error(error) from None

    def _take(
        self, job: SampleJob, memory: Sample, max_pages: int, max_ns: int, first: int
    ) -> tuple[dict[str, Any], int | None]:
        used = "swap" in self.asked and procmap.swap_in_use()
        out = memory.take(job, first, max_pages, max_ns, swap_used=used)
        if out.untold:
            from pagemap._history.hugetlb_devices import hugetlb_devices

            devices = hugetlb_devices(self.process)
            if devices != job.devices:
                self.job = job = job.with_hugetlb(devices)
                out = memory.take(job, first, max_pages, max_ns, swap_used=used)
        known = out.known
        # C counts for the next one into the same memory
        found: dict[str, Any] = {
            name: amount if known >> number & 1 else None
            for number, (name, amount) in enumerate(zip(COUNTS, out.amounts, strict=True))
        }
        return found, out.resume or None

    def _memory(self) -> Sample:
        """What one count needs, for nobody else meanwhile."""
        try:
            return self._idle.pop()
        except IndexError:
            return Sample()

    def resident(self) -> int:
        """The resident set in bytes (statm)."""
        process = self.process
        try:
            pages = statm.count_in(os.pread(self._statm_fd, 256, 0), statm.RESIDENT)
        except OSError as error:
            raise process.read_error(error) from None
        process.require_alive()
        return pages * PAGE_SIZE

    def close(self) -> None:
        """Close the descriptors; whoever is counting holds them until the end."""
        self.process.close()
        self._statm_fd = CLOSED
        self.job = None
        self._idle.clear()


def _open(process: LiveSpace, name: str) -> int:
    """A file of the target's folder, to read again and again; CLOSED where there is none."""
    try:
        return Descriptor(process.folder.open(name))
    except OSError:
        return CLOSED


def _tells_of_mappings(process: LiveSpace) -> bool:
    """Whether this kernel tells of one mapping by its address (6.11)."""
    fd = _open(process, "maps")
    try:
        procmap.vma_at(fd, 0)
    except OSError as error:
        return error.errno == ENOENT  # nothing is there
    return True
