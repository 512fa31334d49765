"""Pages that map given frames, found in one process at a time; and whether two are one."""

from __future__ import annotations

from array import array

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, view_of
from pagemap._native.scan import Piece
from pagemap._native.source import Scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from pagemap._native.scan import Spans
    from pagemap._native.source import Source

__all__ = [
    "BEFORE",
    "SAME",
    "OwnersPiece",
    "SightingBuffer",
    "Visit",
    "VisitPiece",
    "Wanted",
    "compare_memory",
]

SAME: int = lib.PM_SAME
BEFORE: int = lib.PM_BEFORE


def compare_memory(pid: int, other: int) -> int:
    """SAME when two processes have one address space, else BEFORE or another, to sort by.

    Raises OSError: ESRCH when one has ended, ENOSYS without CONFIG_KCMP, EPERM.
    """
    return checked(lib.pm_compare_memory(pid, other))


class Wanted:
    """The PFNs to look for."""

    __slots__ = ("_filter", "_pfns", "_table", "table")

    def __init__(self, pfns: Iterable[int]) -> None:
        self._pfns = array("Q", sorted(set(pfns)))
        bits = 1 << 12  # half a KiB; with sixteen bits for each PFN few others pass
        while bits < 16 * len(self._pfns) and bits < 1 << 24:
            bits <<= 1
        self._filter = ffi.new("uint64_t[]", bits >> 6)
        self._table = ffi.from_buffer("uint64_t[]", self._pfns)
        self.table = ffi.new(
            "struct pm_wanted *",
            {
                "pfns": self._table,
                "count": len(self._pfns),
                "filter": self._filter,
                "filter_mask": bits - 1,
            },
        )
        lib.pm_owners_filter(self.table)


class Visit:
    """The spans of one process, whose entries are in `source`; `tag` is the caller's own."""

    __slots__ = ("_table", "source", "spans", "tag")

    def __init__(
        self, spans: Spans, source: Source, page_shift: int, *, use_scan: bool, tag: Any
    ) -> None:
        self.spans = spans
        self.source = source  # held for as long as C may read from its number
        self.tag = tag
        self._table = ffi.new(
            "struct pm_source *", spans.source(source, page_shift, use_scan=use_scan)
        )

    def table_for(self, buffer: Scratch) -> Any:
        """The struct pm_source, for the thread that has this buffer."""
        return buffer.job_of(self._table, self.source)

    def pieces(
        self, make: Callable[[Visit, Any, Any, int], VisitPiece], pages: Callable[[], int]
    ) -> Iterator[VisitPiece]:
        """Pieces of `pages()` pages each, made by `make`."""
        for at, to, count in self.spans.stretches(pages):
            yield make(self, at, to, count)


class VisitPiece(Piece):
    """A stretch of one process's pages, gone through in one step or several.

    An OSError is kept in `error` and ends the piece: it is of one process among many. `work` is the
    number of populated pages seen.
    """

    __slots__ = ("_seen", "error", "visit")

    def __init__(self, visit: Visit, at: Any, to: Any, pages: int) -> None:
        super().__init__(visit.spans, at, to, pages)
        self.visit = visit
        self._seen = ffi.new("uint64_t *")
        self.error: OSError | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left of this piece."""
        return self.error is not None or super().done

    def run(self, buffer: Any) -> Any:
        """Do a step; `buffer` is what one thread needs."""
        raise NotImplementedError


class SightingBuffer(Scratch):
    """What one thread needs to look for frames."""

    __slots__ = ("out", "scratch")

    def __init__(self) -> None:
        super().__init__()
        self.scratch = allocate("uint64_t[]", READ_BLOCK)
        self.out = allocate("struct pm_sighting[]", READ_BLOCK)


class OwnersPiece(VisitPiece):
    """A stretch to look for `wanted` frames in."""

    __slots__ = ("_wanted",)

    def __init__(self, visit: Visit, at: Any, to: Any, pages: int, wanted: Wanted) -> None:
        super().__init__(visit, at, to, pages)
        self._wanted = wanted

    def run(self, buffer: SightingBuffer) -> list[tuple[int, int, int]]:
        """The pages found next: ``(span, vpn, entry)``."""
        try:
            found = checked(
                lib.pm_owners_find(
                    self.visit.table_for(buffer),
                    self._wanted.table,
                    self._at,
                    self._to,
                    buffer.scratch,
                    buffer.out,
                    READ_BLOCK,
                    self._seen,
                )
            )
        except OSError as error:
            self.error = error
            return []
        self.work += self._seen[0]
        if not found:
            return []
        words = view_of(buffer.out, "Q")[: 3 * found].tolist()
        return list(zip(words[::3], words[1::3], words[2::3], strict=True))
