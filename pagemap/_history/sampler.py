"""Counts of one process, many times a second, for profilers.

Everything is opened and allocated once. A sample is one call into C, without the GIL, over the
whole address space: no maps are parsed, and nothing in Python grows.
"""

from __future__ import annotations

import math
import os
from weakref import WeakSet

from pagemap._analyses import backing
from pagemap._analyses.tally_plan import Plan, tellable
from pagemap._errors import ClosedProcess, UsageError
from pagemap._kernel import maps
from pagemap._kernel import smaps_accounts as accounts
from pagemap._native import counting, procmap
from pagemap._native.descriptors import CLOSED, Descriptor, Holder
from pagemap._native.threads import RLock
from pagemap._space.address_space import AddressSpace
from pagemap._space.arguments import is_own
from pagemap._vocabulary.checks import check_int, check_names
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pagemap._kernel.smaps_accounts import Account
    from pagemap._space.arguments import Target

__all__ = ["COUNTS", "FIELDS", "Sample", "Sampler"]


class Sample(Record):
    """What a process held at one moment, in bytes; None for what was not asked, or is not known.

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

FIELDS = {
    "rss": "rss",
    "swap": "swap",
    "anon": "anonymous",
    "file_or_shared": "file_or_shared",
    "huge": "huge",
    "uss": "exclusive",
    "present": "present",
    "zero": "zero",
    "hugetlb": "hugetlb",
}
"""The counts, and the fields of a Tally that they are."""

COUNTS = tuple(FIELDS)

_YEAR = 366 * 86400
_STATUS = 1 << 14  # bytes: more than /proc/PID/status mostly has
_NOWHERE = accounts.Account(0)


class Sampler(Holder):
    """What `target` holds, again and again: by default this process itself, without any privilege.

    `counts` are of `COUNTS`, by default all that this kernel can tell; fewer cost less. A sample
    costs in proportion to what is resident: for each GiB of base pages 13 ms, or 3 ms for rss,
    present, zero, hugetlb, swap and huge alone, which need a scan and no entries; for each GiB of
    huge pages 1 ms. `Sampler.rss` costs 3 us, whatever the size. Where anything lies in swap, swap
    costs a look at the mappings, and if shared memory may be among them the kernel's sum
    (smaps_rollup, 3 ms for each GiB).

    `uss` is by map counts where a PMD maps many pages, if PFNs and /proc/kpagecount can be read
    (`uss_by` is "map count"): 23 ms for each GiB of huge pages. Else it is the page table's word
    ("page table"), which is that of a huge page's first page for all of it on Linux 6.15 and later.

    May be called from any thread, and from a signal handler. Where a handler, or a `__del__`, finds
    its own thread in the midst of a sample, it is not made to wait for what only it holds up: it
    gets a Sample of which all counts are None, marked partial.

    After a fork the child's Sampler of itself ("self", or its own pid) opens itself anew, so it
    counts the child, never the parent; one of another process goes on with that.

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
        self._target: Target = "self" if is_own(target, procfs) else target
        self._counts = counts
        self._procfs = procfs
        self._lock = RLock()
        self._busy = False  # of the thread that has the lock: whether it is in a sample already
        self._closed = False
        self._open()
        _samplers.add(self)

    def _open(self) -> None:
        self._process = AddressSpace(self._target, procfs=self._procfs)
        try:
            self._open_files()
        except BaseException:
            self._process.close()
            raise
        self._owner = os.getpid()

    def _open_files(self) -> None:
        process = self._process
        asked = [FIELDS[name] for name in (COUNTS if self._counts is None else self._counts)]
        if self._counts is None:
            asked = tellable(process, asked)
        self._plan = Plan(process, asked, lasting=True)
        self._asked = {name for name, told in FIELDS.items() if told in asked}
        self._sample = counting.Sample(process.fileno(), PAGE_SHIFT, self._plan.way)
        self._files: dict[str, int] = {name: _open(process, name) for name in ("status", "statm")}

    @property
    def uss_by(self) -> str:
        """By what `uss` is counted where a PMD maps many pages: "map count" or "page table"."""
        return self._plan.exclusive_by

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
        if isinstance(max_seconds, bool) or not max_seconds >= 0:  # nor what is no number
            raise UsageError(f"max_seconds is a time, 0 or more, not {max_seconds}")
        if resume is not None:
            check_int("resume", resume, 0, 1 << 64)
        # 0 would mean no limit, and what is longer than a year might as well be
        max_ns = math.ceil(max_seconds * 1e9) if max_seconds < _YEAR else 0
        with self._lock:
            if self._busy:
                return _BUSY._replace(resume=resume or 0)
            self._require_open()
            try:
                self._busy = True
                return self._take(max_pages, max_ns, (resume or 0) >> PAGE_SHIFT)
            except OSError as error:
                raise self._process.read_error(error) from None
            finally:
                self._busy = False
                self._settle()

    def rss(self) -> int:
        """The resident set in bytes by the kernel's own counter (/proc/PID/statm), for 2 us.

        Before Linux 6.17 it may lag behind by some dozen pages for each processor. In a handler
        too. Raises as `sample`.
        """
        with self._lock:
            self._require_open()
            if not self._busy:
                self._follow_fork()
            process, statm = self._process, self._files["statm"]
            try:
                text = os.pread(statm, 256, 0)
            except OSError as error:
                raise process.read_error(error) from None
            process.require_alive()
            return int(text.split()[1]) * PAGE_SIZE

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedProcess("this Sampler is closed; make another")

    def _follow_fork(self) -> None:
        if self._owner != os.getpid() and self._target == "self":
            self._release()
            self._open()

    def _take(self, max_pages: int, max_ns: int, first: int) -> Sample:
        self._follow_fork()
        process = self._process
        status = self._status()
        hugetlb = backing.status(status, b"HugetlbPages") > 0
        ranges = _ranges(process) if hugetlb or not process.can_scan else None
        swap_used = "swap" in self._asked and procmap.swap_in_use()
        tally, stopped = self._sample.take(max_pages, max_ns, ranges, first=first, kinds=swap_used)
        if not tally.present:
            process.require_alive()
        partial = bool(first) or stopped is not None
        # C counts for the next one into the same memory
        found: dict[str, Any] = {
            name: getattr(tally, FIELDS[name]) << PAGE_SHIFT if name in self._asked else None
            for name in COUNTS
        }
        if "swap" in self._asked:
            found["swap"] = self._swap(tally, status, partial=partial) if swap_used else 0
        if self._plan.by_smaps:
            whole = _NOWHERE if partial else self._rollup()
            for name in self._asked.intersection(("rss", "anon", "file_or_shared")):
                found[name] = getattr(whole, FIELDS[name])
        return Sample(
            **found, partial=partial, resume=None if stopped is None else stopped << PAGE_SHIFT
        )

    def _swap(self, tally: Any, status: bytes, *, partial: bool) -> int | None:
        """What lies in swap, in bytes; None in a part where only the whole is told."""
        known = backing.Backing(self._process)
        text = b"".join(self._process.maps_blocks())
        if known.only_disks(text) or not any(map(known.may_be_shared, maps.parse(text))):
            if not tally.hidden:
                swap: int = tally.swap << PAGE_SHIFT
                return swap
            return None if partial else backing.status(status, b"VmSwap")
        return None if partial else self._rollup().swap

    def _rollup(self) -> Account:
        """The kernel's sums."""
        try:
            with open(self._process.folder.open("smaps_rollup"), "rb") as file:
                return accounts.parse_rollup(file)
        except OSError:
            return _NOWHERE

    def _status(self) -> bytes:
        fd, size = self._files["status"], _STATUS
        if fd < 0:
            return b""
        while len(text := os.pread(fd, size, 0)) == size:
            size *= 4
        return text

    def __enter__(self) -> Sampler:
        self._require_open()
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
            self._release()

    def _release(self) -> None:
        self._files = dict.fromkeys(self._files, CLOSED)
        self._sample.close()
        self._plan.close()
        self._process.close()


_samplers: WeakSet[Sampler] = WeakSet()


def _after_fork() -> None:
    """A fork takes no thread along: whoever holds a lock will not give it back in the child."""
    for sampler in _samplers:
        if not sampler._lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - ours
            sampler._lock = RLock()  # noqa: SLF001
            sampler._busy = False  # noqa: SLF001


os.register_at_fork(after_in_child=_after_fork)


def _open(process: AddressSpace, name: str) -> int:
    """A file of the target's folder, to read again and again; CLOSED where there is none."""
    try:
        return Descriptor(process.folder.open(name))
    except OSError:
        return CLOSED


def _ranges(process: AddressSpace) -> Iterator[tuple[int, int, bool]]:
    """The first and the last page, without, of mappings that touch, and whether of hugetlb."""
    known = backing.Backing(process)
    begin = stop = 0
    before = 0
    for block in process.maps_blocks():
        mappings, _ = maps.parse_bounds(block)
        marks = known.hugetlb(block, mappings) or bytes(len(mappings))
        for mapping, mark in zip(mappings, marks, strict=True):
            if mapping.start != stop or mark != before:
                if stop:
                    yield begin >> PAGE_SHIFT, stop >> PAGE_SHIFT, bool(before)
                begin, before = mapping.start, mark
            stop = mapping.end
    if stop:
        yield begin >> PAGE_SHIFT, stop >> PAGE_SHIFT, bool(before)
