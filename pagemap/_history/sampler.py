"""Counts of one process, many times a second, for profilers.

Everything is opened and allocated once. A sample is one call into C, without the GIL, over the
whole address space: no maps are parsed, and nothing in Python grows.
"""

from __future__ import annotations

import os

from pagemap._errors import ClosedProcess, UsageError
from pagemap._history.counter import COUNTS, Counter
from pagemap._native.descriptors import Holder
from pagemap._native.threads import get_ident
from pagemap._vocabulary.checks import check_int, check_names, check_number
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._history.sample_stream import SampleStream
    from pagemap._space.arguments import Target

__all__ = ["COUNTS", "Sample", "Sampler"]


class Sample(Record):
    """What a process held at one moment, in bytes; None for what was not asked, or is not known.

    `Sampler.sample` gives it.
    `present` is `rss`, `zero` and `hugetlb` together, and `rss` is `file_or_shared` and `anon`.
    """

    rss: int | None = field("bytes", "in memory, as the kernel's own Rss")
    swap: int | None = field("bytes", "in swap, that of shared memory too")
    anon: int | None = field("bytes", "of rss: neither of a file nor shared")
    file_or_shared: int | None = field("bytes", "of rss: of a file or shared anonymous memory")
    huge: int | None = field("bytes", "in memory, mapped by huge entries; hugetlb too")
    uss: int | None = field("bytes", "of rss: mapped nowhere else")
    present: int | None = field("bytes", "in memory, zero pages and hugetlb too")
    zero: int | None = field("bytes", "read and never written: the kernel's page of zeros")
    hugetlb: int | None = field("bytes", "in memory, of hugetlb")
    partial: bool = field("", "whether it is of a part of the addresses alone")
    resume: int | None = field("bytes", "the address where a limit stopped; None: at the end")


_BUSY = Sample._make(name == "partial" or None for name in Sample._fields)

_YEAR = 366 * 86400


class Sampler(Holder):
    """Measures the memory of `target` repeatedly: by default of this process, without privileges.

    `counts` are amounts of `Sample`, by default all that this kernel can tell; fewer cost less. It
    costs in proportion to what is resident: for each GiB of base pages 13 ms, or 3 ms for rss,
    present, zero, hugetlb, swap and huge alone, which need a scan and no entries; for each GiB of
    huge pages 1 ms. `Sampler.rss` costs 3 us, whatever the size. Where anything lies in swap, swap
    costs a look at the mappings, and if shared memory may be among them the kernel's sum
    (smaps_rollup, 3 ms for each GiB).

    Where a PMD maps a huge page, `uss` uses map counts if PFNs and /proc/kpagecount can be read
    (`uss_by` is "map count"), which takes 23 ms for each GiB of huge pages. Otherwise it uses the
    page table ("page table"), which from Linux 6.15 on has the bit of the first page for all pages
    of a huge page.

    It may be called from any thread, and from a signal handler. If a handler, or a `__del__`,
    interrupts a sample of its own thread, it does not wait, because that would be a deadlock: it
    gets a Sample with all counts None, marked partial.

    After a fork, the child's Sampler of itself ("self", or its own pid) opens the child, so it
    never counts the parent; a Sampler of another process goes on with that process.

    Raises what `Process` raises, Unsupported for a count that this kernel cannot tell.

    >>> import pagemap
    >>> with pagemap.Sampler() as sampler:
    ...     sample = sampler.sample()
    >>> sample.rss > 0 and not sample.partial
    True
    """

    def __init__(
        self, target: Target = "self", counts: Sequence[str] | None = None, *, procfs: str = "/proc"
    ) -> None:
        if counts is not None:
            counts = check_names("counts", counts, COUNTS)
        self._target = target
        self._counts = counts
        self._procfs = procfs
        # who is in the midst of a sample, for handlers that interrupt it
        self._sampling: set[tuple[int, int]] = set()
        self._counter: Counter | None = Counter(target, counts, procfs)
        if self._counter.process.is_own:
            self._target = "self"

    @property
    def uss_by(self) -> str:
        """By what `uss` is counted where a PMD maps many pages: "map count" or "page table"."""
        return self._opened().uss_by

    def sample(
        self, *, max_pages: int = 0, max_seconds: float = 0, resume: int | None = None
    ) -> Sample:
        """Count now.

        With `max_pages` counting stops at so many pages found, of whatever kind; with `max_seconds`
        at about so much time, looked at between steps of up to 65,536 pages found, or 4,096 where
        entries are read: at most a few milliseconds. The counts are then of the
        lower addresses alone, marked partial, and `Sample.resume` is the address to go on at:
        given as `resume`, the next sample begins there. What only sums of the whole tell (swapped
        shared memory; all of swap where the kernel hides what an entry is) is None in a part. In a
        signal handler that interrupts a sample of this very Sampler there are none: all are None.

        Raises TargetVanished when the process is gone, ClosedProcess after `close`, UsageError.
        """
        check_int("max_pages", max_pages, 0, 1 << 63)
        wanted = "a time in seconds, 0 or more"
        max_seconds = check_number("max_seconds", max_seconds, wanted)
        if not max_seconds >= 0:  # nor NaN
            raise UsageError(f"max_seconds must be {wanted}, not {max_seconds}")
        if resume is not None:
            check_int("resume", resume, 0, 1 << 64, address=True)
        # 0 would mean no limit, and what is longer than a year might as well be
        max_ns = int(max_seconds * 1e9) + 1 if 0 < max_seconds < _YEAR else 0
        here = os.getpid(), get_ident()
        if here in self._sampling:
            return _BUSY._replace(resume=resume or 0)
        first = (resume or 0) & -PAGE_SIZE
        counter = self._opened()
        try:
            self._sampling.add(here)
            found, stopped = counter.take(max_pages, max_ns, first)
        finally:
            self._sampling.discard(here)
        return Sample(
            **found,
            partial=bool(first) or stopped is not None,
            resume=stopped,
        )

    def stream(self, every: float = 0.01, *, keep: int = 1 << 16) -> SampleStream:
        """Sample every `every` seconds from now on, in a thread of C that does without the GIL.

        The `keep` newest samples stay in a ring of 96 bytes each: read it at least as often as it
        is filled once, or the oldest are lost. The thread goes on when this Sampler is closed; it
        ends with `SampleStream.close`, with the target, and with this process.

        Raises ClosedProcess after `close`, NotMapped for a thread of the kernel, UsageError.

        >>> import pagemap, time
        >>> with pagemap.Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
        ...     while len(stream.table()) < 3:
        ...         time.sleep(0.001)
        """
        from pagemap._history.sample_stream import SampleStream

        return SampleStream(self._opened(), every, keep)

    def rss(self) -> int:
        """The resident set in bytes by the kernel's own counter (/proc/PID/statm), for 2 us.

        Before Linux 6.17 it may lag behind by some dozen pages for each processor, before 6.2 by
        those of the last 64 page faults of each thread. In a handler too. Raises as `sample`.
        """
        return self._opened().resident()

    def _opened(self) -> Counter:
        """What counts: of ourselves another one after a fork, for the old one counts the parent."""
        counter = self._counter
        if counter is None:
            raise ClosedProcess("this Sampler is closed; make another")
        if self._target == "self" and counter.owner != os.getpid():
            counter = self._counter = Counter("self", self._counts, self._procfs)
        return counter

    def __enter__(self) -> Sampler:
        self._opened()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptors. May be called again; a sample under way goes on to its end."""
        counter, self._counter = self._counter, None
        if counter is not None and not self._sampling:
            counter.close()  # else the last who samples lets go of it
