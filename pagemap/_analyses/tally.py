"""What each mapping holds, in the words of smaps: counted in C, no object for any mapping.

The kernel is asked only for what the caller asked. Present pages and those of zeros are counted by
PAGEMAP_SCAN, which skips empty tables; which of them are anonymous follows from what stands behind
a mapping, and only of private mappings of files are entries read for it. What only an entry tells
(uss, uffd-wp) takes the entries of all populated pages. `pagemap._analyses.tally_plan` chooses.
"""

from __future__ import annotations

from array import array
from time import time

from pagemap._analyses.backing import Backing, may_be_shared
from pagemap._analyses.tally_plan import Plan
from pagemap._native import counting, pipeline
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._space.about import about
from pagemap._space.mapping_columns import mapping_columns
from pagemap._tables.table import Table
from pagemap._vocabulary.rows.tally import COUNTS, TALLIES
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pagemap._kernel.smaps_accounts import Account
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.tally import TallyRow

__all__ = ["tally", "uss_by"]

_FEW = 8 * pipeline.ALONE_PAGES  # resident pages that are counted without threads


def uss_by(process: AddressSpace) -> str:
    """By what `uss` is counted where a PMD maps many pages: "map count" or "page table"."""
    with Plan(process, ["uss"]) as plan:
        return plan.uss_by


def tally(
    process: AddressSpace, counts: Sequence[str] | None, threads: int | None
) -> Table[TallyRow]:
    """See `Process.tally`."""
    begin = time()
    with Plan(process, counts) as plan:
        lines = Lines.of_blocks(process.maps_blocks())
        backing = Backing(process)
        kinds = backing.of(lines)
        sums = _counted(process, plan, lines, kinds, threads)
        process.check()
        columns, known = sums.columns(kinds, PAGE_SHIFT)
        cells = _Cells(columns, known, len(lines))
        cells.complete(plan, lines, kinds, backing)
        if process.kernel_thread:  # without any memory: each count is known to be 0
            cells.known = {
                name: each for name, each in cells.known.items() if name not in plan.asked
            }
        more = {"uss_by": plan.uss_by} if "uss" in plan.asked else {}
        return Table(
            TALLIES,
            {
                **mapping_columns(lines),
                "pid": _all(process.pid, len(lines)),
                "size": columns["pages"],
                **{name: cells.columns[name] for name in COUNTS},
            },
            valid=cells.known,
            about=about(begin, process, **more),
            checked=True,
        )


def _counted(
    process: AddressSpace, plan: Plan, lines: Lines, kinds: bytearray, threads: int | None
) -> counting.Sums:
    sums = counting.Sums(len(lines))
    if not len(lines):
        return sums
    job = counting.Job(
        Spans.of_bounds(lines.bounds, PAGE_SHIFT),
        process.counted_source if "uss" in plan.asked else process.source,
        PAGE_SHIFT,
        plan.way,
        end=process.end_page(),
        backing=kinds,
    )
    pieces = job.pieces(_piece_pages(process, job.spans.pages))
    with pipeline.run(pieces, counting.TallyBuffer, threads) as results:
        for piece, _ in process.reading(results):
            piece.add_to(sums)
    if plan.way.ways & counting.UNTOUCHED or not process.live:
        _pass_over(lines, process.passed_over(), sums)
    return sums


def _piece_pages(process: AddressSpace, pages: int) -> int:
    """Pieces small enough that threads share evenly; one alone where little is there."""
    least = 1 << 17  # 2 ms by a scan, and next to nothing where pages are huge
    if pages > least and (process.machine.may_have_swapped() or process.resident_pages >= _FEW):
        return max(least, pages >> 7)
    return pages


def _pass_over(lines: Lines, starts: frozenset[int], sums: counting.Sums) -> None:
    """Count no page as soft-dirty that a scan passes over (VM_PFNMAP, pagemap_scan_test_walk).

    Such pages are holes to the kernel: their entries have the mark of the mapping as a whole. So
    are those of [vvar], and, where known, of the mappings with these starts.
    """
    vvar = {i for i, word in enumerate(lines.paths.words) if word.startswith("[vvar")}
    for number, path in enumerate(lines.paths.codes):
        if path in vvar or lines.bounds[2 * number] in starts:
            sums.table[number].soft_dirty = 0


def _all(value: int, count: int) -> memoryview[int]:
    return memoryview(array("q", [value]) * count).toreadonly()


class _Cells:
    """The columns of counts, and which cells are known."""

    def __init__(
        self, columns: dict[str, memoryview], known: dict[str, memoryview[bool]], count: int
    ) -> None:
        self.columns = columns
        self.known: dict[str, Any] = known
        self._count = count

    def complete(self, plan: Plan, lines: Lines, kinds: bytearray, backing: Backing) -> None:
        """Add what no page table tells, and take out what was not asked for."""
        if not plan.swap_used:
            self.known.pop("swap", None)  # nobody has a page in swap
        elif rows := self._swapped_unseen(kinds):
            self._tell("swap", rows, lines, backing)
        for name in plan.by_smaps:
            self._tell(name, range(self._count), lines, backing, kinds)
        nothing = memoryview(bytes(self._count)).cast("?")
        zeros = _all(0, self._count)
        for name in COUNTS:
            if name not in plan.asked:
                self.columns[name], self.known[name] = zeros, nothing

    def _swapped_unseen(self, kinds: bytearray) -> list[int]:
        """Rows of shared memory, and those of which the kernel hides what entries are."""
        known = self.known.get("swap")
        return [
            row
            for row, kind in enumerate(kinds)
            if may_be_shared(kind) or (known is not None and not known[row])
        ]

    def _tell(
        self,
        name: str,
        rows: Iterable[int],
        lines: Lines,
        backing: Backing,
        kinds: bytearray | None = None,
    ) -> None:
        """Take the cells of these rows from smaps."""
        values = array("q", self.columns[name])
        known = bytearray(self.known.get(name, b"\1" * self._count))
        for row in rows:
            account = backing.account(lines.bounds[2 * row])
            value = _word(account, name, None if kinds is None else kinds[row])
            if value is None and name == "swap" and known[row]:
                unseen = backing.swapped_shmem(lines.bounds[2 * row])
                value = None if unseen is None else values[row] + (unseen << PAGE_SHIFT)
            values[row], known[row] = value or 0, value is not None
        self.columns[name] = memoryview(values).toreadonly()
        self.known[name] = memoryview(known).toreadonly().cast("?")


def _word(account: Account | None, name: str, kind: int | None) -> int | None:
    """A count by smaps, in bytes; kind is the backing, for whose memory is not anonymous."""
    if account is None:
        return None
    if name in ("file", "shmem"):
        others = account.file_or_shared
        told = kind is not None and kind & counting.BACKINGS
        if others and told not in (counting.FILE, counting.SHMEM):
            return None
        ours = told == (counting.FILE if name == "file" else counting.SHMEM)
        return others if ours or not others else 0
    value: int | None = getattr(account, name)
    return value
