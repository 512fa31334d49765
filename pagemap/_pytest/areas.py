"""The memory that a check is about: a buffer, a range, or mappings of a name; else all of it."""

from __future__ import annotations

import os

from pagemap import _native
from pagemap._errors import UsageError
from pagemap._space.arguments import buffer_of, range_of
from pagemap._vocabulary.rows.mapping import is_deleted
from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from pagemap._native import Buffer
    from pagemap._space.address_space import AddressSpace
    from pagemap._space.arguments import Range
    from pagemap._vocabulary.rows.mapping import Mapping

    Of: TypeAlias = Buffer | Range | str

__all__ = ["ANONYMOUS", "Area", "pages_of", "plural"]

ANONYMOUS = "[anon]"
"""The name of mappings that have none."""

_DELETED = " (deleted)"


class Area:
    """What `of` refers to; None is the whole process if that `may_be_all`. `what` is its name.

    `start` and `end` are the bytes of a buffer or a range, None of what is known by name, of which
    mappings may come and go.
    """

    def __init__(self, of: Any, what: str = "", *, may_be_all: bool = False) -> None:
        self.name: str | None = None
        self.start: int | None = None
        self.end: int | None = None
        self.whole = of is None and may_be_all
        self._label = what
        if self.whole:
            self._label = "the process"
        elif isinstance(of, str):
            if not of:
                raise UsageError(f"'' names no memory: mappings without a name are {ANONYMOUS}")
            self.name = of
            self._label = f"mappings {printable(of)!r}"
        elif isinstance(of, (tuple, list)):
            self.start, self.end = range_of(of)  # type: ignore[arg-type] # it refuses other lists
            self._label = f"{what}, range" if what else "range"
        else:
            self._begin_buffer(of, what)

    def _begin_buffer(self, of: Any, what: str) -> None:
        others = ", a mapping, (start, end) in bytes, or the name of mappings"
        with buffer_of("memory", of, others) as view:
            if not view.contiguous:
                raise BufferError("the buffer is not contiguous: give the one that it is a part of")
            if not view.nbytes:
                raise UsageError("the buffer is empty: it has no page")
            self.start = _native.address_of(view)
            self.end = self.start + view.nbytes
        kind = type(of).__name__
        self._label = f"{what}, {kind}" if what else kind

    def __str__(self) -> str:
        if self.start is None or self.end is None:
            return self._label
        where = f"{self.end - self.start} bytes at {self.start:#x}"
        return f"{self._label} of {where} ({self._in_pages()})"

    def _in_pages(self) -> str:
        assert self.start is not None
        assert self.end is not None
        first, last = page_range(self.start, self.end)
        count = plural((last - first) >> PAGE_SHIFT)
        partly = [self.start != first, self.end != last]
        if last - first == PAGE_SIZE and any(partly):
            return f"{count}, in part: other memory lies in it too"
        ends = " and ".join(w for w, each in zip(("first", "last"), partly, strict=True) if each)
        if not ends:
            return count
        return f"{count}, the {ends} in part: other memory lies there too"

    def ranges(self, process: AddressSpace) -> list[tuple[int, int]]:
        """Whole pages, in order, as of now."""
        if self.start is not None and self.end is not None:
            return [page_range(self.start, self.end)]
        mappings = self.mappings(process)
        if not mappings and not self.whole:
            raise UsageError(
                f"process {process.pid} has no mapping {printable(str(self.name))!r}: give a path "
                f"of /proc/{process.pid}/maps, its last part, or {ANONYMOUS}"
            )
        return [(each.start, each.end) for each in mappings]

    def require(self, process: AddressSpace) -> None:
        """Raise UsageError where there is no such memory: of nothing every limit would hold."""
        ranges = self.ranges(process)
        if self.start is not None and not self.mappings(process):
            start, end = ranges[0]
            raise UsageError(
                f"process {process.pid} has nothing mapped from {start:#x} to {end:#x}: give the "
                "addresses of memory"
            )

    def mappings(self, process: AddressSpace) -> Sequence[Mapping]:
        """Those that it lies in, as of now."""
        if self.whole:
            return list(process.maps())
        if self.start is None or self.end is None:
            return [each for each in process.maps() if self._is_named(each.inode, each.path)]
        return [each for each in process.maps() if each.start < self.end and each.end > self.start]

    def _is_named(self, inode: int, path: str) -> bool:
        if is_deleted(inode, path) and not str(self.name).endswith(_DELETED):
            path = path.removesuffix(_DELETED)
        return self.name in (path or ANONYMOUS, os.path.basename(path))

    def has(self, start: int, end: int, path: str) -> bool:
        """Whether pages from `start` to `end`, of a mapping of this path, are of it."""
        if self.start is not None and self.end is not None:
            return start < self.end and end > self.start
        return self.whole or self._is_named(1, path)


def pages_of(ranges: Sequence[tuple[int, int]]) -> int:
    """How many pages these are."""
    return sum(end - start for start, end in ranges) >> PAGE_SHIFT


def plural(pages: int) -> str:
    """So many pages, in words."""
    return f"{pages} page{'' if pages == 1 else 's'}"
