"""Footprints read in small chunks with pauses, so that the target's lock is never held for long.

The kernel's own sums (smaps, smaps_rollup) hold the target's mmap_lock, for reading, while a whole
mapping is walked, and mmap and munmap in the target wait. Here its page table is read 512 pages at
a time, which takes 20 to 40 us; the frames are then looked up in /proc/kpagecount and kpageflags,
which need no lock of a process.

A thread that is preempted keeps the lock that it holds: at a load of 9 on two cores a chunk took up
to 78 ms. So a step, of a few milliseconds, runs before all ordinary threads (SCHED_FIFO) where that
is allowed; at the same load no chunk took more than 0.22 ms.

A page that is being migrated, or that a device holds, has an entry that is not present for so long:
smaps counts it as resident, here it is not (nor in the other words).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from errno import EACCES, ENODATA

from pagemap._analyses.gentle_sums import sums_of
from pagemap._analyses.swapped_shmem import SwappedShmem
from pagemap._errors import AccessDenied, PfnsHidden, Unsupported, UsageError
from pagemap._kernel import maps, swap_types
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.zones import memory_end
from pagemap._native import footprint as native
from pagemap._native.descriptors import CLOSED, Holder
from pagemap._native.frames import frames_end
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._vocabulary.checks import check_number
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.footprint import FootprintSums
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Gentle"]

_SLICE = 0.001  # seconds of work between two pauses; shorter ones would mostly oversleep
_FILES = ("mapcounts", "flags")
_HUGETLB = (native.HELD.index("shared_hugetlb"), native.HELD.index("private_hugetlb"))
_SWAP = native.HELD.index("swap")
_SWAP_UNTOLD = native.HELD.index("swap_untold")
_ORDINARY = (os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE)


class Gentle(Holder):
    """Reads footprints without holding a lock for long; `Process.footprint` takes it, repeatedly.

    `budget` is the share of one core that the walk may use, above 0 and up to 1; the rest of the
    time it pauses (`paused` seconds so far). It is a context manager that holds /proc/kpagecount
    and kpageflags open. `chunks` counts the calls that may have held the mmap_lock of a target,
    `longest` is the longest of them and `held` their sum, in seconds. These are upper bounds,
    because time in which the thread was preempted counts too. With CAP_SYS_NICE the thread is not
    preempted during a step.

    Raises AccessDenied without CAP_DAC_READ_SEARCH (the files are root's), Unsupported where the
    kernel lacks them, UsageError for another budget.
    """

    __slots__ = ("_budget", "_chunks", "_fds", "_procfs", "_reader", "_room", "_worked", "paused")

    def __init__(self, budget: float = 0.25, *, procfs: str = "/proc") -> None:
        wanted = "a share of a core, above 0 and up to 1"
        budget = check_number("budget", budget, wanted)
        if not 0 < budget <= 1:
            raise UsageError(f"budget must be {wanted}, not {budget}")
        self._budget = budget
        self._procfs = procfs
        self._reader = FrameReader(procfs=procfs)
        try:
            self._fds: tuple[int, int] = (
                self._reader.fileno("mapcounts"),
                self._reader.fileno("flags"),
            )
        except AccessDenied as error:
            self._reader.close()
            raise AccessDenied(
                error.message,
                errno=error.errno,
                operation="walk gently",
                path=error.path,
            ) from None
        self._room = native.Room()
        self._chunks = native.Chunks()
        self._worked = 0.0
        self.paused: float = 0.0

    def __enter__(self) -> Gentle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. May be called again."""
        self._fds = CLOSED, CLOSED
        self._reader.close()

    @property
    def chunks(self) -> int:
        """The number of calls that may have held a target's lock."""
        return self._chunks.count

    @property
    def longest(self) -> float:
        """The longest of them, in seconds."""
        return self._chunks.longest

    @property
    def held(self) -> float:
        """All of them together, in seconds."""
        return self._chunks.total

    def walk(self, process: AddressSpace) -> Iterator[tuple[Mapping, FootprintSums]]:
        """Each mapping with what it holds. Raises PfnsHidden, TargetVanished."""
        for mapping, sums in self._walk(process):
            yield mapping, sums_of(sums)

    def total(self, process: AddressSpace) -> FootprintSums:
        """What the whole process holds: PSS is rounded once. Raises as `walk`."""
        sums = (0,) * len(native.HELD)
        for _, held in self._walk(process):
            sums = tuple(one + other for one, other in zip(sums, held, strict=True))
        return sums_of(sums)

    def _walk(self, process: AddressSpace) -> Iterator[tuple[Mapping, tuple[int, ...]]]:
        if process.kernel_thread:
            return
        if not process.pfns_visible:
            raise PfnsHidden(
                f"cannot walk process {process.pid} gently: the kernel hides the PFNs in "
                f"/proc/{process.pid}/pagemap without CAP_SYS_ADMIN (in the initial user "
                f"namespace); run with sudo",
                pid=process.pid,
                errno=EACCES,
                operation="walk gently",
                path=f"/proc/{process.pid}/pagemap",
            )
        for block in process.maps_blocks():
            lines = Lines(block)
            mappings = list(maps.mappings_of(lines))
            spans = Spans.of_bounds(lines.bounds, PAGE_SHIFT)
            shared = [mapping.perms[3] == "s" for mapping in mappings]
            walk = native.Walk(
                spans,
                process.fileno(),
                *self._fds,
                PAGE_SHIFT,
                use_scan=process.can_scan,
                frames_end=memory_end(self._procfs),
                shared=bytes(shared),
                kinds=process.machine.swap_kinds(),
                came_back=swap_types.came_back(self._procfs),
            )
            for _ in process.reading(self._steps(walk, process)):
                pass
            shmem = SwappedShmem(process)
            for mapping, sums in zip(mappings, walk.sums(), strict=True):
                if any(map(sums.__getitem__, _HUGETLB)):
                    yield mapping, sums
                    continue
                began = time.monotonic()
                pages = shmem.pages(mapping)
                self._has_worked(began)
                at, more = (_SWAP, pages) if pages is not None else (_SWAP_UNTOLD, 1)
                yield mapping, (*sums[:at], sums[at] + more, *sums[at + 1 :])
        process.check()

    def _steps(self, walk: native.Walk, process: AddressSpace) -> Iterator[int]:
        while not walk.done:
            began = time.monotonic()
            try:
                found = self._step(walk)
            except OSError as error:
                if error.errno != ENODATA:
                    raise
                raise self._cut_short(process) from None
            self._has_worked(began)
            yield found

    def _step(self, walk: native.Walk) -> int:
        before = os.sched_getscheduler(0)
        if before not in _ORDINARY:
            return walk.step(self._room, self._chunks)
        try:
            with suppress(PermissionError):
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            return walk.step(self._room, self._chunks)
        finally:
            # the priority of an ordinary thread is its niceness, which it has kept
            if os.sched_getscheduler(0) != before:
                os.sched_setscheduler(0, before, os.sched_param(0))

    def _cut_short(self, process: AddressSpace) -> Unsupported:
        """The error of a frame that is mapped and has no word in one of the files."""
        ends = {self._reader.path(name): frames_end(self._reader.fileno(name)) for name in _FILES}
        path = min(ends, key=ends.__getitem__)
        return Unsupported(
            f"cannot walk process {process.pid} gently: {path} ends at frame {ends[path]:#x}, "
            "but the process maps frames past that: the file does not cover this machine's memory",
            pid=process.pid,
            errno=ENODATA,
            operation="walk gently",
            path=path,
        )

    def _has_worked(self, began: float) -> None:
        """Keep to the budget, after work from `began` until now."""
        self._worked += time.monotonic() - began
        if self._worked >= _SLICE:
            self._pause()

    def _pause(self) -> None:
        seconds = self._worked * (1 / self._budget - 1)
        self._worked = 0.0
        self.paused += seconds
        if seconds:
            time.sleep(seconds)
        else:
            os.sched_yield()
