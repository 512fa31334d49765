"""Counts of one process, many times a second, for profilers.

Everything is opened and allocated once. A sample is one call into C, without the GIL, over the
whole address space: no maps are parsed, and nothing in Python grows.
"""

from __future__ import annotations

import math
import os
from weakref import WeakSet

from pagemap import maps
from pagemap._native import counting
from pagemap._native.threads import RLock
from pagemap.descriptors import Holder
from pagemap.errors import ClosedProcess, UsageError
from pagemap.process import Process
from pagemap.records import Record, field
from pagemap.tally import Plan
from pagemap.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap.arguments import Target

__all__ = ["COUNTS", "Sample", "Sampler"]


class Sample(Record):
    """Counts of pages at one moment; None for what was not asked, or cannot be told here."""

    rss: int | None = field("pages", "in memory")
    swapped: int | None = field("pages", "marked as swapped")
    anonymous: int | None = field("pages", "in memory, neither of a file nor shared")
    file: int | None = field("pages", "in memory, of a file or shared anonymous memory")
    huge: int | None = field("pages", "mapped by huge entries")
    exclusive: int | None = field("pages", "in memory, and mapped nowhere else (USS)")
    partial: bool = field("", "whether a limit cut the counting short")


_BUSY = Sample._make(name == "partial" or None for name in Sample._fields)

_FIELDS = {
    "rss": "present",
    "swapped": "swapped",
    "anonymous": "anonymous",
    "file": "file_or_shared",
    "huge": "huge",
    "exclusive": "exclusive",
}
COUNTS = tuple(_FIELDS)

_YEAR = 366 * 86400


class Sampler(Holder):
    """Counts of `target` again and again: by default this process itself, without any privilege.

    `counts` are of `COUNTS`, by default all that this kernel can tell; fewer cost less: "rss" and
    "swapped" alone are counted by a scan, which costs less than half of reading entries.

    May be called from any thread, and from a signal handler. Where a handler, or a `__del__`, finds
    its own thread in the midst of a sample, it is not made to wait for what only it holds up: it
    gets a Sample of which all counts are None, marked partial.

    After a fork the child's Sampler of "self" opens itself anew, so it counts the child, never the
    parent; one of another process goes on with that.

    Raises what `Process` raises.

    >>> import pagemap
    >>> with pagemap.Sampler() as sampler:
    ...     sample = sampler.sample()
    >>> sample.rss > 0 and not sample.partial
    True
    """

    def __init__(
        self, target: Target = "self", counts: Sequence[str] | None = None, *, procfs: str = "/proc"
    ) -> None:
        if unknown := set(counts or ()).difference(COUNTS):
            raise UsageError(f"no count is called {min(unknown)!r}; there are {', '.join(COUNTS)}")
        self._target = target
        self._counts = counts
        self._procfs = procfs
        self._lock = RLock()
        self._busy = False  # of the thread that has the lock: whether it is in a sample already
        self._closed = False
        self._open()
        _samplers.add(self)

    def _open(self) -> None:
        self._process = Process(self._target, procfs=self._procfs)
        asked = None if self._counts is None else [_FIELDS[name] for name in self._counts]
        if asked is None:
            asked = list(_FIELDS.values())
            if not self._process.can_scan:
                asked.remove("huge")
        plan = Plan(self._process, asked)
        self._told = tuple(field in asked for field in _FIELDS.values())
        self._sample = counting.Sample(
            self._process.fileno(),
            PAGE_SHIFT,
            ways=plan.ways,
            use_scan=plan.use_scan,
            categories=plan.categories,
        )
        self._owner = os.getpid()

    def sample(self, *, max_pages: int = 0, max_seconds: float = 0) -> Sample:
        """Count now; in pages.

        With `max_pages` or `max_seconds` counting stops at about so many pages found or so much
        time, looked at between steps of at most a few milliseconds; the counts are then of the
        lower addresses alone, and marked partial. In a signal handler that interrupts a sample of
        this very Sampler there are none: all are None.

        Raises TargetVanished when the process is gone, ClosedProcess after `close`.
        """
        if max_pages < 0 or max_seconds < 0:
            raise UsageError("max_pages and max_seconds cannot be negative")
        # 0 would mean no limit, and what is longer than a year might as well be
        max_ns = math.ceil(max_seconds * 1e9) if max_seconds < _YEAR else 0
        with self._lock:
            if self._busy:
                return _BUSY
            if self._closed:
                raise ClosedProcess("this Sampler is closed; make another")
            try:
                self._busy = True
                return self._take(max_pages, max_ns)
            finally:
                self._busy = False
                self._settle()

    def _take(self, max_pages: int, max_ns: int) -> Sample:
        if self._owner != os.getpid() and self._target == "self":
            self._process.close()
            self._open()
        try:
            tally, whole = self._sample.take(max_pages, max_ns, self._mapped())
        except OSError as error:
            raise self._process.read_error(error) from None
        if not tally.present:
            self._process.require_alive()
        rss, swapped, anonymous, file, huge, exclusive = self._told
        return Sample(
            tally.present if rss else None,
            tally.swapped if swapped else None,
            tally.anonymous if anonymous else None,
            tally.file_or_shared if file else None,
            tally.huge if huge else None,
            tally.exclusive if exclusive else None,
            not whole,
        )

    def _mapped(self) -> Iterator[tuple[int, int]] | None:
        """Without PAGEMAP_SCAN, which skips the rest: the pages that are mapped, in stretches."""
        process = self._process
        if process.can_scan:
            return None
        return _stretches(process)

    def __enter__(self) -> Sampler:
        if self._closed:
            raise ClosedProcess("this Sampler is closed; make another")
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptors. May be called again."""
        with self._lock:
            self._closed = True
            self._settle()

    def _settle(self) -> None:
        """Give back what a closed Sampler holds, once no sample is under way."""
        if self._closed and not self._busy:
            self._sample.close()
            self._process.close()


_samplers: WeakSet[Sampler] = WeakSet()


def _after_fork() -> None:
    """A fork takes no thread along: whoever holds a lock will not give it back in the child."""
    for sampler in _samplers:
        if not sampler._lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - ours
            sampler._lock = RLock()  # noqa: SLF001
            sampler._busy = False  # noqa: SLF001


os.register_at_fork(after_in_child=_after_fork)


def _stretches(process: Process) -> Iterator[tuple[int, int]]:
    """The first and the last page, without, of each stretch of mappings that touch."""
    begin = stop = 0
    for block in process.maps_blocks():
        for start, end, _ in maps.parse_labels(block):
            if start != stop:
                if stop:
                    yield begin >> PAGE_SHIFT, stop >> PAGE_SHIFT
                begin = start
            stop = end
    if stop:
        yield begin >> PAGE_SHIFT, stop >> PAGE_SHIFT
