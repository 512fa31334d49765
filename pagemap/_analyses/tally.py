"""What each mapping holds, in the words of smaps: counted in C, page by page nowhere.

The kernel is asked only for what the caller asked. Present pages and those of zeros are counted by
PAGEMAP_SCAN, which skips empty tables; what only an entry tells (exclusive, uffd-wp) by reading the
entries of the populated pages, which also tells a file's pages for less than a scan does.
`pagemap._analyses.tally_plan` chooses.
"""

from __future__ import annotations

from collections import Counter

from pagemap._analyses.backing import Backing
from pagemap._analyses.tally_plan import ABSENT, COUNTABLE, Plan
from pagemap._kernel import maps
from pagemap._native import counting, pipeline
from pagemap._native.scan import Spans
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pagemap._kernel.smaps_accounts import Account
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["COUNTABLE", "Plan", "Tally", "exclusive_by", "tally", "total"]


class Tally(Record):
    """Counts of pages of a mapping; None for what was not asked, or cannot be told here.

    `present` is `rss`, `zero` and `hugetlb` together, `rss` is `file_or_shared` and `anonymous`.
    `exclusive` is by the map count of each page where a PMD maps many pages as one, if PFNs and
    /proc/kpagecount can be read; else by the page table's word, which there is that of the first
    page for all of them on Linux 6.15 and later (`exclusive_by` says which). `soft_dirty` leaves
    out memory that has no struct page ([vvar]), which a scan passes over.
    """

    pages: int = field("pages", "all of it, touched or not")
    present: int | None = field("pages", "in memory, zero pages and hugetlb too")
    rss: int | None = field("pages", "in memory, as Rss of smaps")
    zero: int | None = field("pages", "read and never written: the kernel's page of zeros")
    hugetlb: int | None = field("pages", "in memory, of hugetlb")
    swap: int | None = field("pages", "in swap, those of shared memory too, as Swap of smaps")
    guard: int | None = field("pages", "in a guard region")
    marker: int | None = field("pages", "protected by userfaultfd, with no page there")
    migrating: int | None = field("pages", "being moved in this moment; smaps has them in Rss")
    poisoned: int | None = field("pages", "broken memory, or declared to be")
    device: int | None = field("pages", "held by a device; smaps has them in Rss")
    file_or_shared: int | None = field("pages", "of rss: of a file or shared anonymous memory")
    anonymous: int | None = field("pages", "of rss: neither of a file nor shared")
    exclusive: int | None = field("pages", "of rss: mapped nowhere else (USS)")
    soft_dirty: int | None = field("pages", "written since soft-dirty bits were cleared")
    uffd_wp: int | None = field("pages", "write-protected by userfaultfd")
    huge: int | None = field("pages", "in memory, mapped by a huge entry; hugetlb too")


class _Tallies(dict[bytes, Tally]):
    """Tallies without what was not asked for, by the rows that C counted.

    Of thousands of mappings most are alike, and have one Tally between them.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def __missing__(self, row: bytes) -> Tally:
        *counts, hidden, _ = counting.counts_of(row)
        told = zip(counts, self._plan.told, strict=True)
        tally = Tally._make(count if told else None for count, told in told)
        if hidden:
            unknown: dict[str, Any] = dict.fromkeys(ABSENT)
            if tally.swap is not None and not self._plan.swap_used:
                unknown["swap"] = 0  # nobody has a page in swap
            tally = tally._replace(**unknown)
        self[row] = tally
        return tally


def exclusive_by(process: AddressSpace) -> str:
    """By what `exclusive` is counted where a PMD maps many pages: "map count" or "page table"."""
    with Plan(process, ["exclusive"]) as plan:
        return plan.exclusive_by


def tally(
    process: AddressSpace, counts: Sequence[str] | None, threads: int | None
) -> Iterator[tuple[Mapping, Tally]]:
    """See `Process.tally`."""
    with Plan(process, counts) as plan:
        if process.kernel_thread:
            return
        walk = _Walk(process, plan)
        with pipeline.run(walk.pieces(), counting.TallyBuffer, threads) as results:
            for piece, _ in process.reading(results):
                while (
                    piece.job is not walk.blocks[0].job
                ):  # pieces come in order: that one is whole
                    yield from walk.counted()
                piece.add_to(walk.blocks[0].sums)
        while walk.blocks:
            yield from walk.counted()
        process.check()


class _Block:
    """The mappings of a block of maps, and what was counted of them so far."""

    def __init__(self, mappings: list[Mapping], job: counting.Job) -> None:
        self.mappings = mappings
        self.job = job
        self.sums = counting.Sums(job.spans.count)


class _Walk:
    """All mappings of a process, a block of maps at a time."""

    def __init__(self, process: AddressSpace, plan: Plan) -> None:
        self.blocks: list[_Block] = []  # the oldest first; those whose pieces are under way
        self._process = process
        self._plan = plan
        self._backing = Backing(process)
        self._tallies = _Tallies(plan)

    def pieces(self) -> Iterator[counting.TallyPiece]:
        """The pieces of all blocks of maps; a block joins `blocks` before its first piece."""
        end = self._process.end_page()
        for text in self._process.maps_blocks():
            mappings, bounds = maps.parse_bounds(text)
            job = counting.Job(
                Spans.of_bounds(bounds, PAGE_SHIFT),
                self._process.fileno(),
                PAGE_SHIFT,
                self._plan.way,
                end=end,
                hugetlb=self._backing.hugetlb(text, mappings),
            )
            self.blocks.append(_Block(mappings, job))
            yield from job.pieces(_piece_pages(job.spans.pages))

    def counted(self) -> Iterator[tuple[Mapping, Tally]]:
        """The mappings of the oldest block, which is whole, with their tallies."""
        block = self.blocks.pop(0)
        if self._plan.way.ways & counting.UNTOUCHED:
            _pass_over_vvar(block.mappings, block.sums)
        tallies = map(self._tallies.__getitem__, block.sums.rows())
        pairs = zip(block.mappings, tallies, strict=True)
        if not self._plan.by_smaps and not self._plan.swap_used:
            return pairs
        return ((mapping, self._completed(mapping, tally)) for mapping, tally in pairs)

    def _completed(self, mapping: Mapping, tally: Tally) -> Tally:
        """With what no page table tells: pages of shared memory in swap, and what is hidden."""
        names = set(self._plan.by_smaps)
        if self._plan.swap_used and (tally.swap is None or self._backing.may_be_shared(mapping)):
            names.add("swap")
        if not names:
            return tally
        account = self._backing.account(mapping)
        words: dict[str, Any] = {name: _pages(account, name) for name in names}
        return tally._replace(**words)


def _pages(account: Account | None, name: str) -> int | None:
    size: int | None = getattr(account, name, None)
    return None if size is None else size >> PAGE_SHIFT


def _pass_over_vvar(mappings: Sequence[Mapping], sums: counting.Sums) -> None:
    """Count no page as soft-dirty that a scan passes over (VM_PFNMAP, pagemap_scan_test_walk).

    Such pages are holes to the kernel: their entries have the mark of the mapping as a whole.
    """
    for number, mapping in enumerate(mappings):
        if mapping.path.startswith("[vvar"):
            sums.table[number].soft_dirty = 0


def _piece_pages(pages: int) -> int:
    """Pieces small enough that threads share evenly, and few enough where all is reserved."""
    return max(1 << 15, pages >> 7)


def total(tallies: Sequence[Tally]) -> Tally:
    """The sum of tallies that were made alike."""
    if not tallies:
        return Tally._make([0] * len(Tally._fields))
    marks = list(map(id, tallies))
    alike = dict(zip(marks, tallies, strict=True))
    if 2 * len(alike) > len(tallies):
        columns = zip(*tallies, strict=True)
        return Tally._make([None if None in column else sum(column) for column in columns])
    # mostly the same ones again: each is taken once, as often as it is there
    return total([_times(alike[mark], often) for mark, often in Counter(marks).items()])


def _times(tally: Tally, often: int) -> Tally:
    return Tally._make([None if count is None else count * often for count in tally])
