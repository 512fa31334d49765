"""What pages are: how many have which flags of the kernel's, and which pages these are.

These are the results; `pagemap._analyses.page_survey` finds them.
"""

from __future__ import annotations

from pagemap._native.types import NO_WORD
from pagemap._vocabulary.page_flags import flag_names, letters
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pagemap._native.types import Found, SeenFrames

__all__ = ["Histogram", "PageRun", "PageType", "PageTypes", "joined", "page_run"]


class PageRun(Record):
    """Pages in a row that are alike."""

    start: int | None = field("bytes", "the first one's address, or its offset; None of memory")
    pfn: int | None = field("", "its frame; None of pages that are not in memory")
    swap_offset: int | None = field("pages", "where in the swap area; None of pages not in swap")
    pages: int = field("pages", "how many there are")
    flags: int = field("", "what each is, in bits as `pagemap.PageFlag` has them")
    mapcount: int | None = field("", "how often each is mapped; None: not asked, or not known")
    cgroup: int | None = field("", "inode number of the memory cgroup; None likewise")


class PageType(Record):
    """How many pages have just these flags."""

    flags: int = field("", "the flags, in bits as `pagemap.PageFlag` has them")
    pages: int = field("pages", "how many have them, and no others")
    frames: int = field("", "in how many frames these lie, each counted with the first page in it")

    @property
    def size(self) -> int:
        """What the frames take, in bytes."""
        return self.frames * PAGE_SIZE

    @property
    def letters(self) -> str:
        """A character for each known flag: its letter, or ``_``."""
        return letters(self.flags)

    @property
    def names(self) -> list[str]:
        """The names of the flags."""
        return flag_names(self.flags)


class PageTypes:
    """A `PageType` for each distinct set of flags, the most pages first: a sequence of them.

    `unknown` pages beside them lie in frames that the kernel has no flags of: device memory,
    mostly.
    """

    __slots__ = ("_types", "unknown")

    def __init__(self, types: Iterable[PageType], unknown: int) -> None:
        self._types = tuple(types)
        self.unknown = unknown

    def __len__(self) -> int:
        return len(self._types)

    def __getitem__(self, index: int) -> PageType:
        return self._types[index]

    def __iter__(self) -> Iterator[PageType]:
        return iter(self._types)

    def __repr__(self) -> str:
        return f"<PageTypes {len(self._types)}, of {self.pages} pages>"

    @property
    def pages(self) -> int:
        """The sum of all."""
        return sum(each.pages for each in self)

    @property
    def frames(self) -> int:
        """How many frames all of them lie in, each counted once."""
        return sum(each.frames for each in self)

    @property
    def size(self) -> int:
        """What these frames take, in bytes."""
        return self.frames * PAGE_SIZE


class Histogram:
    """Counts that grow: of several targets, or of one until it vanishes.

    `seen` are the frames that were counted, so that each is counted once.
    """

    __slots__ = ("_counts", "_unknown", "seen")

    def __init__(self) -> None:
        self._counts: dict[int, tuple[int, int]] = {}
        self._unknown = 0
        self.seen: SeenFrames | None = None

    def add(self, steps: Iterable[Found]) -> None:
        """Add what a survey finds. What came before an error stays."""
        counts = self._counts
        for found in steps:
            self._unknown += found.unknown
            for flags, pages, frames, _ in found.rows:
                before = counts.get(flags, (0, 0))
                counts[flags] = (before[0] + pages, before[1] + frames)

    def types(self) -> PageTypes:
        """What was counted until now."""
        ordered = sorted(self._counts.items(), key=lambda each: (-each[1][0], each[0]))
        return PageTypes((PageType(flags, *each) for flags, each in ordered), self._unknown)


def joined(steps: Iterable[Found]) -> Iterator[list[int]]:
    """Rows of a list; neighbours alike are one, also where one step ended and the next began."""
    last: list[int] | None = None
    for found in steps:
        for row in found.rows:
            if last is not None and _goes_on(last, row):
                last[3] += row[3]
                continue
            if last is not None:
                yield last
            last = list(row)
    if last is not None:
        yield last


def _goes_on(last: list[int], row: tuple[int, ...]) -> bool:
    place, pfn, swapped, pages, *alike = last
    return (place + pages, pfn + pages, swapped) == row[:3] and alike == list(row[4:])


def page_run(row: list[int], unit: int | None) -> PageRun:
    """The run that a row is; `unit` is the bytes between two places, None where they are PFNs."""
    place, pfn, swapped, pages, flags, mapcount, cgroup = row
    return PageRun(
        None if unit is None else place * unit,
        None if swapped else pfn,
        pfn if swapped == 1 else None,
        pages,
        flags,
        None if mapcount == NO_WORD else mapcount,
        None if cgroup == NO_WORD else cgroup,
    )
