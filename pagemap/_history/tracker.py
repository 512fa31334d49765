"""Which pages are written, between now and later."""

from __future__ import annotations

import contextlib
import time
from _thread import allocate_lock

from pagemap import _native
from pagemap._errors import ClosedProcess, PagemapError, Unsupported, UsageError
from pagemap._history.protection import Protection
from pagemap._history.soft_dirty import SoftDirty
from pagemap._history.written import by_mapping, written_table
from pagemap._kernel import soft_dirty
from pagemap._kernel.injection import userfaultfd_in
from pagemap._kernel.userfaultfd import agree, busy, open_tracker, tracked_elsewhere
from pagemap._native.descriptors import CLOSED, Descriptor, Holder
from pagemap._space.about import about
from pagemap._space.address_space import AddressSpace
from pagemap._space.arguments import buffer_of, range_of
from pagemap._space.live_space import LiveSpace
from pagemap._vocabulary.units import page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    from pagemap._history.spans import Ranges
    from pagemap._native import Buffer
    from pagemap._space.arguments import Range
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.written import WritesRow, WrittenRow

    Where: TypeAlias = AddressSpace | Range | Buffer | None

__all__ = ["Tracker", "track"]


def track(where: Where = None, *, inject: bool = False) -> Tracker:
    """Track which pages are written, from now on.

    `where` is None for all memory of this process, an object with the buffer protocol for the pages
    that it lies in, a mapping or a range ``(start, end)`` in bytes of this process, or a `Process`.
    Use the result in a ``with`` statement.

    This process is tracked through userfaultfd (Linux 6.7), which needs no privileges, else by its
    soft-dirty bits. Another process is tracked by its soft-dirty bits, and stopped for a moment in
    each round; with `inject` by a userfaultfd that one of its threads is made to open, which takes
    some tenths of a millisecond, and 0.05 to 0.4 milliseconds in which the process may crash if the
    helper that does it is killed. Tracking ends with this process at the latest, and nothing is
    left of it.

    Raises Unsupported where the kernel has no such way, AccessDenied where it is forbidden,
    PagemapError where another userfaultfd has that memory, or none can be opened in the process;
    UsageError, TypeError, TargetVanished.

    >>> import mmap, pagemap
    >>> memory = mmap.mmap(-1, 1 << 20)
    >>> with pagemap.track(memory) as tracker:
    ...     memory[500_000] = 1
    >>> [row.pages for row in tracker.written]
    [1]
    """
    if isinstance(where, AddressSpace):
        if not isinstance(where, LiveSpace):
            raise UsageError("what is saved is not written any more: give a Process")
        return Tracker(where, None, inject=inject)
    if isinstance(where, int):
        raise TypeError(f"a process is tracked as pagemap.track(pagemap.Process({where}))")
    if inject:
        raise UsageError("inject is for another process: give a Process")
    held: memoryview | None = None
    process: LiveSpace | None = None
    ranges: Ranges | None = None
    if isinstance(where, (tuple, list)):
        ranges = [range_of(where)]  # type: ignore[arg-type] # it refuses a list of others
    elif where is not None:
        held = buffer_of("where", where, ", a mapping, (start, end) in bytes, or a Process")
    try:
        ranges = ranges if held is None else [_pages_of(held)]
        process = LiveSpace("self")
        return Tracker(process, ranges, held=held, owned=True)
    except BaseException:
        if process is not None:
            process.close()
        if held is not None:  # an error that somebody keeps has this frame, and would hold it
            held.release()
        raise


def _pages_of(view: memoryview) -> tuple[int, int]:
    if not view.contiguous:
        raise BufferError("the buffer is not contiguous")
    if not view.nbytes:
        raise UsageError("the buffer is empty: it has no page that could be written")
    start = _native.address_of(view)
    return page_range(start, start + view.nbytes)


class Tracker(Holder):
    """What `pagemap.track` gives: `written` is what was written, `collect` begins another round.

    In a ``with`` statement `written` is known afterwards as well, up to the end of the statement.
    One thread at a time collects; others wait. In a child of fork it is of no use.
    """

    __slots__ = ("_began", "_held", "_last", "_lock", "_method", "_owned", "_process", "_way")

    def __init__(
        self,
        process: AddressSpace,
        ranges: Ranges | None,
        *,
        inject: bool = False,
        held: object = None,
        owned: bool = False,
    ) -> None:
        self._lock = allocate_lock()
        self._last: Table[WrittenRow] | None = None
        self._process = process
        self._owned = owned
        self._held = held  # a buffer that must not move meanwhile
        process.check()
        with _errors_of(process):
            way = _way(process, ranges, inject=inject)
        self._method: str = way.method
        self._way: Protection | SoftDirty | None = way
        self._began = time.time()

    @property
    def method(self) -> str:
        """How writes are tracked, or were: "userfaultfd" or "soft-dirty"."""
        return self._method

    @property
    def written(self) -> Table[WrittenRow]:
        """The pages written in this round, which goes on; after the end, in the last one.

        Its `about` says by which `method`, and which writes are `unseen` by that. Raises
        TargetVanished when the process exited or called exec, ClosedProcess after `close`.
        """
        return self._last if self._last is not None else self._round(clear=False)

    def collect(self) -> Table[WrittenRow]:
        """The pages written in this round; a new one begins. No write is lost between the two.

        But of some pages that left the page table meanwhile, as `about` says: `unseen`.

        Raises as `written`.
        """
        return self._round(clear=True)

    def by_mapping(self, written: Table[WrittenRow]) -> Table[WritesRow]:
        """The same by mapping, with how much is there now: of what `written` or `collect` gave."""
        return by_mapping(self._process, written)

    def _round(self, *, clear: bool) -> Table[WrittenRow]:
        with self._lock:
            way = self._opened()
            began = self._began
            now = time.time()
            unseen = way.unseen  # of the round that ends
            with _errors_of(self._process):
                spans, found = way.round(clear=clear)
            self._process.check()
            self._began = now if clear else began
            told = about(began, self._process, method=way.method, unseen=unseen)
            return written_table(self._process.pid, spans, found, told)

    def _opened(self) -> Protection | SoftDirty:
        way = self._way
        if way is None:
            raise ClosedProcess(
                f"this tracker of process {self._process.pid} is closed; make another",
                pid=self._process.pid,
            )
        return way

    def __enter__(self) -> Tracker:
        self._opened()
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        try:
            if kind is None and self._way is not None:
                self._last = self._round(clear=False)
        finally:
            self.close()

    def __del__(self) -> None:
        if getattr(self, "_way", None) is not None:
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self._way is None else self._way.method
        return f"<Tracker of process {self._process.pid}: {state}>"

    def close(self) -> None:
        """End the tracking. May be called again."""
        way, self._way = self._way, None
        if way is not None:
            way.close()
        if self._owned:
            self._process.close()
        held: Any = self._held
        self._held = None
        if held is not None:
            held.release()


@contextlib.contextmanager
def _errors_of(process: AddressSpace) -> Iterator[None]:
    """What the kernel says in the midst of its exec or exit, as an error of this process."""
    try:
        yield
    except PagemapError:  # some are an OSError as well
        raise
    except OSError as error:
        raise process.read_error(error) from None


def _way(process: AddressSpace, ranges: Ranges | None, *, inject: bool) -> Protection | SoftDirty:
    if process.kernel_thread:
        raise UsageError(f"process {process.pid} is a kernel thread: it has no memory to track")
    if process.is_own:
        if inject:
            raise UsageError("inject is for another process, not for this one")
        try:
            return Protection(process, ranges, open_tracker())
        except Unsupported:
            if not soft_dirty.is_tracked():
                raise
            return SoftDirty(process, ranges)
    if inject:
        return Protection(process, ranges, _injected(process))
    return SoftDirty(process, ranges)


def _injected(process: AddressSpace) -> int:
    """A tracker of another process, opened in it."""
    open_tracker()  # what this kernel cannot do, no process is changed for
    if tracked_elsewhere(process.folder):
        raise busy(process.pid)
    fd: int = Descriptor(userfaultfd_in(process.folder))
    try:
        process.check()  # after an exec in between it is the new program's
        agree(int(fd))
    except BaseException:
        fd = CLOSED  # an error that somebody keeps has this frame, and would hold it
        raise
    return fd
