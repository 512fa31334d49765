"""Where the entries of a target are read from: its live pagemap, or what was kept of it.

A live source is the descriptor of a pagemap, which any number of threads may read at once. A
`Saved` one is read through a `Reader`, which unpacks into memory of its own: each thread has one.
"""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native.descriptors import CLOSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeAlias

    class Kept(Protocol):
        """What a `Saved` is to those who read it."""

        def make(self) -> Reader:
            """Another reader."""

        def read(self, vpn: int, count: int, out: Any, /) -> int: ...
        def read_ranges(self, ranges: Any, out: Any, stored: Any, /) -> int: ...
        def scan(
            self, query: Any, start: int, end: int, out: Any, capacity: int, resume: Any, /
        ) -> int: ...

    class SavedTable(Protocol):
        """The page table of a process in a file (`pagemap._native.snapshot`)."""

        def reader(self, *, counted: bool) -> Any: ...

    Source: TypeAlias = int | Kept

__all__ = ["Reader", "Saved", "Scratch", "fd_of", "saved_in"]

_SOURCE = ffi.typeof("struct pm_source *")


class Reader:
    """A struct pm_reader, which is its `table`, and whatever has to live as long."""

    __slots__ = ("_kept", "table")

    def __init__(self, functions: dict[str, Any], *kept: object) -> None:
        self.table: Any = ffi.new("struct pm_reader *", functions)
        self._kept = kept


class Saved:
    """Entries that were kept; `make` makes another `Reader` of them."""

    __slots__ = ("_free", "_make")

    def __init__(self, make: Callable[[], Reader]) -> None:
        self._make = make
        self._free: list[Reader] = []  # those that no call has now

    def make(self) -> Reader:
        """Another reader."""
        return self._make()

    def read(self, vpn: int, count: int, out: Any) -> int:
        """As pm_read."""
        reader = self._take()
        try:
            return int(reader.table.read(reader.table.saved, vpn, count, out))
        finally:
            self._free.append(reader)

    def read_ranges(self, ranges: Any, out: Any, stored: Any) -> int:
        """As pm_read_ranges."""
        total = 0
        for number, each in enumerate(ranges):
            got = self.read(each.vpn, each.count, out + total)
            if got < 0:
                return got
            stored[number] = got
            total += got
        return total

    def scan(self, query: Any, start: int, end: int, out: Any, capacity: int, resume: Any) -> int:
        """As pm_scan."""
        reader = self._take()
        try:
            return int(
                reader.table.scan(reader.table.saved, query, start, end, out, capacity, resume)
            )
        finally:
            self._free.append(reader)

    def _take(self) -> Reader:
        try:
            return self._free.pop()
        except IndexError:
            return self.make()


def saved_in(table: SavedTable, *, counted: bool) -> Saved:
    """The entries of a table in a file; bit 56 is by map counts where `counted`."""
    names = ("read", "scan", "empty", "copy", "drop")
    functions = {name: ffi.addressof(lib, f"pm_saved_{name}") for name in names}

    def make() -> Reader:
        saved = table.reader(counted=counted)
        return Reader({**functions, "saved": saved}, saved, table)

    return Saved(make)


class Scratch:
    """Memory for the steps of one thread at a time, and with it a reader of what was kept."""

    __slots__ = ("_job", "_reader", "_source", "_table")

    def __init__(self) -> None:
        self._job: Any = None
        self._table: Any = None
        self._source: Kept | None = None
        self._reader: Reader | None = None

    def job_of(self, job: Any, source: Source) -> Any:
        """`job`, a struct that is or has the struct pm_source of `source`, to be used with this."""
        if isinstance(source, int):
            return job
        if self._job is not job:
            if self._source is not source or self._reader is None:
                self._source, self._reader = source, source.make()
            self._table = ffi.new(ffi.typeof(job), job[0])
            of = self._table if ffi.typeof(job) is _SOURCE else self._table.source
            of.reader = self._reader.table
            self._job = job
        return self._table


def fd_of(source: Source) -> int:
    """What struct pm_source has as `fd`."""
    return source if isinstance(source, int) else CLOSED
