"""What changed between two looks at a process: its mappings, and page by page its memory."""

from __future__ import annotations

from time import time

from pagemap._history.diff_lines import leftovers
from pagemap._history.diff_mappings import Layout, layout
from pagemap._history.diff_moves import file_moves, frame_moves, moves_away
from pagemap._history.diff_sides import Side, compared_bits, not_comparable
from pagemap._history.diff_sums import Sums
from pagemap._native import pipeline
from pagemap._native.diffing import DiffBuffer, Pairs
from pagemap._space.about import about
from pagemap._space.walk import Reach
from pagemap._tables.stream import Stream
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_names, check_threads
from pagemap._vocabulary.page_changes import PAGE_CHANGES
from pagemap._vocabulary.rows.diff import DIFF_REGIONS, DIFFS, KIND_DIFFS, PATH_DIFFS, DiffRegionRow
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal, overload

    from pagemap._errors import PagemapError
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.diff import DiffRow, KindDiffRow, PathDiffRow
    from pagemap._vocabulary.schema import Schema

__all__ = ["DiffRegionStream", "diff", "diff_regions"]

_SCHEMAS: dict[str, Schema[Any]] = {"mapping": DIFFS, "path": PATH_DIFFS, "kind": KIND_DIFFS}

_ROWS = 1 << 16  # of a table of regions


class _Diff:
    """Both looks, what became of the mappings, and which pages to compare."""

    def __init__(self, a: AddressSpace, b: AddressSpace, threads: int | None) -> None:
        self.begin = time()
        self._threads = threads
        self.a, self.b = Side(a), Side(b)
        self.why_not = not_comparable(self.a, self.b)
        self.counted = self.a.counted and self.b.counted
        self.layout = self._layout()

    def _layout(self) -> Layout:
        a, b = self.a, self.b
        gone, new = leftovers(a.mappings, b.mappings)
        moves = file_moves(gone, new)
        if self.why_not is None:
            moves += moves_away(a, b, new) or frame_moves(a, gone, b, new)
        return layout(a.mappings, b.mappings, moves)

    def about(self) -> dict[str, object]:
        """What holds for all rows."""
        first = self.a.process
        return about(
            self.begin,
            self.b.process,
            before_pid=first.pid,
            pfns_compared=self.why_not is None,
            pfns_not_compared_because=self.why_not,
            uss_by="map count" if self.counted else "page table",
        )

    def steps(self, *, regions: bool) -> Iterator[tuple[list[Any], list[Any]]]:
        """Sums and regions, in order of the pairs: rows as `DiffPiece.run` gives them."""
        a, b = self.a, self.b
        if a.process.kernel_thread or b.process.kernel_thread or not self.layout.pairs:
            return
        pairs = Pairs(
            [
                (
                    None if pair.before is None else pair.before >> PAGE_SHIFT,
                    None if pair.after is None else pair.after >> PAGE_SHIFT,
                    pair.size >> PAGE_SHIFT,
                )
                for pair in self.layout.pairs
            ],
            (
                bytes(a.is_hugetlb(pair.mapping_before) for pair in self.layout.pairs),
                bytes(b.is_hugetlb(pair.mapping_after) for pair in self.layout.pairs),
            ),
            (a.look(counted=self.counted), b.look(counted=self.counted)),
            compared_bits(a, b, frames=self.why_not is None),
        )
        reach = Reach(first=pipeline.ALONE_PAGES, threads=self._threads)
        reach.left = pairs.places.pages
        try:
            with pipeline.run(
                pairs.pieces(reach), lambda: DiffBuffer(pairs, regions=regions), self._threads
            ) as results:
                for piece, found in results:
                    a.process.require_open()
                    b.process.require_open()
                    yield found
                    if piece.done:
                        reach.learn(piece.pages, piece.work)
        except OSError as error:
            raise self._error(error) from None
        a.process.check()
        b.process.check()

    def _error(self, error: OSError) -> PagemapError:
        """An error of the process that is gone, if one is."""
        for side in (self.a, self.b):
            if not side.process.alive():
                return side.process.read_error(error)
        return self.b.process.read_error(error)


if TYPE_CHECKING:

    @overload
    def diff(a: AddressSpace, b: AddressSpace, *, threads: int | None = None) -> Table[DiffRow]: ...
    @overload
    def diff(
        a: AddressSpace, b: AddressSpace, *, by: Literal["mapping"], threads: int | None = None
    ) -> Table[DiffRow]: ...
    @overload
    def diff(
        a: AddressSpace, b: AddressSpace, *, by: Literal["path"], threads: int | None = None
    ) -> Table[PathDiffRow]: ...
    @overload
    def diff(
        a: AddressSpace, b: AddressSpace, *, by: Literal["kind"], threads: int | None = None
    ) -> Table[KindDiffRow]: ...
    @overload
    def diff(
        a: AddressSpace, b: AddressSpace, *, by: str, threads: int | None = None
    ) -> Table[Any]: ...


def diff(
    a: AddressSpace, b: AddressSpace, *, by: str = "mapping", threads: int | None = None
) -> Table[Any]:
    """What changed from `a` to `b`, by kind of change: in mappings, and in pages by their entries.

    `a` and `b` are each a live Process or a saved one, as a rule of the same process at two times.
    A row says what one kind of change did to one mapping or, with `by`, to all mappings of a
    "path", or to the process as a whole ("kind"). Its amount is in bytes. All other amounts are by
    how much counts of `Process.tally` changed; their sums are the changes of these counts.

    Each page has one kind of change, and no more is said than its entries prove: what went to swap
    and came back in the same frame did not change. Frames are compared if both looks are of the
    same run of the same program and PFNs are visible in both; `pfns_compared` in the table's
    `about` says so, and otherwise nothing "moved", and a copy looks like a page that is "sole
    again". A count that either look cannot tell is None. No page table has pages of shared memory
    that are in swap: they are "dropped", and the kernel's sums (smaps) tell how much was "swapped
    out" or "swapped in" of a mapping.

    `threads` are as in `Process.tally`. Raises UsageError for another `by`, TargetVanished.

    >>> import pagemap
    >>> with pagemap.Process("self") as a, pagemap.Process("self") as b:
    ...     changes = pagemap.diff(a, b, by="kind")
    >>> changes.about["pid"] == changes.about["before_pid"]
    True
    """
    check_names("by", [by], _SCHEMAS)
    work = _Diff(a, b, check_threads(threads))
    sums = Sums(work.layout, work.a, work.b)
    for found, _ in work.steps(regions=False):
        sums.add(found)
    if work.a.swap_used or work.b.swap_used:
        sums.add_unseen(work.a.swapped_shmem(), work.b.swapped_shmem())
    return Table.of_rows(_SCHEMAS[by], sums.rows(by), about=work.about())


def diff_regions(
    a: AddressSpace, b: AddressSpace, *, threads: int | None = None
) -> DiffRegionStream:
    """The pages that changed from `a` to `b`: neighbours that fared alike, in order of address.

    Tables of `pagemap.DiffRegionRow`; kinds and all else are as in `diff`. Reading raises
    TargetVanished.
    """
    return DiffRegionStream(a, b, check_threads(threads))


class DiffRegionStream(Stream[DiffRegionRow]):
    """See `pagemap.diff_regions`."""

    __slots__ = ("_a", "_b", "_threads")

    def __init__(self, a: AddressSpace, b: AddressSpace, threads: int | None) -> None:
        self.schema = DIFF_REGIONS
        self._a, self._b, self._threads = a, b, threads

    def __iter__(self) -> Iterator[Table[DiffRegionRow]]:
        """The tables, in order of address."""
        work = _Diff(self._a, self._b, self._threads)
        rows: list[tuple[Any, ...]] = []
        for row in _joined(self._rows(work)):
            rows.append(row)
            if len(rows) == _ROWS:
                yield Table.of_rows(DIFF_REGIONS, rows, about=work.about())
                rows = []
        yield Table.of_rows(DIFF_REGIONS, rows, about=work.about())

    @staticmethod
    def _rows(work: _Diff) -> Iterator[tuple[Any, ...]]:
        pairs, lines, pid = work.layout.pairs, work.layout.rows, work.b.process.pid
        for _, regions in work.steps(regions=True):
            for span, page, pages, kind, before, after in regions:
                pair = pairs[span]
                offset, size = page << PAGE_SHIFT, pages << PAGE_SHIFT
                old = None if pair.before is None else pair.before + offset
                start = old if pair.after is None else pair.after + offset
                path = lines[pair.row].mapping.path
                yield (
                    pid,
                    start,
                    (start or 0) + size,
                    size,
                    PAGE_CHANGES[kind].name,
                    work.a.state(before, pair.mapping_before),
                    work.b.state(after, pair.mapping_after),
                    old,
                    path,
                )


def _joined(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Neighbours alike as one, wherever one step ended and the next began."""
    last: tuple[Any, ...] | None = None
    for row in rows:
        if last is not None and _goes_on(last, row):
            last = (*last[:2], row[2], last[3] + row[3], *last[4:])
            continue
        if last is not None:
            yield last
        last = row
    if last is not None:
        yield last


def _goes_on(last: tuple[Any, ...], row: tuple[Any, ...]) -> bool:
    """Whether a region begins where the last one ends, and is like it, before and now."""
    if last[2] != row[1] or last[4:7] != row[4:7] or last[8] != row[8]:
        return False
    if last[7] is None or row[7] is None:
        return last[7] is row[7]
    moved: bool = last[7] - last[1] == row[7] - row[1]
    return moved
