"""Whether processes have the same frames behind the same memory, page by page."""

from __future__ import annotations

from array import array
from contextlib import ExitStack

from pagemap._analyses.regions import RegionStream
from pagemap._errors import PfnsHidden
from pagemap._native.descriptors import Holder
from pagemap._space.live_space import LiveSpace
from pagemap._vocabulary.flags import entry_flag
from pagemap._vocabulary.rows.mapping import of_a_file
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap._errors import PagemapError
    from pagemap._pytest.areas import Area
    from pagemap._space.arguments import Target
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["SameFrames"]

_PRESENT = 1 << entry_flag("present").bit
_SWAPPED = 1 << entry_flag("swapped").bit
_GUARD = 1 << entry_flag("guard").bit
_ALONE = 1 << entry_flag("exclusive").bit
_THERE = _PRESENT | _SWAPPED
_WORD = _THERE | ((1 << 55) - 1)  # what a page is, and where it lies
_TOGETHER = 1 << 16  # pages that are compared at a time
_TRIES = 3  # a page may move between the looks at two processes


class SameFrames(Holder):
    """The memory of `area` in this process, and the same in others. Raises as `Process`.

    Where the kernel hides frames, those pages count as the same of which nothing shows that they
    are not: no process has one of them alone.
    """

    def __init__(self, area: Area, targets: Sequence[Target]) -> None:
        with ExitStack() as stack:
            self._own = stack.enter_context(LiveSpace("self"))
            self._others = [stack.enter_context(LiveSpace(each)) for each in targets]
            self._spaces = [self._own, *self._others]
            self._visible = all(space.pfns_visible for space in self._spaces)
            self._by_file = area.name is not None
            self._pieces = list(self._cut(area))
            self._mappings = [list(space.maps()) for space in self._spaces]
            self._different = [0] * len(self._others)
            self._closing = stack.pop_all()

    def close(self) -> None:
        """Close the processes."""
        self._closing.close()

    def _cut(self, area: Area) -> Iterator[tuple[int, int, Mapping | None]]:
        """Pieces of this process's memory, with the mapping where a file is looked for."""
        ranges = [(*each, None) for each in area.ranges(self._own)]
        named = [(each.start, each.end, each) for each in area.mappings(self._own)]
        for start, end, mapping in named if self._by_file else ranges:
            for first in range(start, end, _TOGETHER << PAGE_SHIFT):
                yield first, min(first + (_TOGETHER << PAGE_SHIFT), end), mapping

    def count(self) -> tuple[int, int]:
        """How many pages are the same in all, and how many there are in any of them."""
        best = (-1, 0)
        for _ in range(_TRIES):
            found = self._count()
            best = max(best, found)
            if found[0] == found[1]:
                break
        return best

    def _count(self) -> tuple[int, int]:
        same = pages = 0
        self._different = [0] * len(self._others)
        for start, end, mapping in self._pieces:
            columns = [
                self._words(number, start, end, mapping) for number in range(len(self._spaces))
            ]
            for own, *others in zip(*columns, strict=True):
                if own or any(others):
                    pages += 1
                    differ = [number for number, word in enumerate(others) if word != own]
                    same += not differ
                    for number in differ:
                        self._different[number] += 1
        return same, pages

    def _words(self, number: int, start: int, end: int, mapping: Mapping | None) -> list[int]:
        """A word for each page, equal where the pages may be the same; 0 where there is none."""
        space = self._spaces[number]
        if number == 0 or mapping is None or not of_a_file(mapping.dev, mapping.inode):
            return self._read(number, space, start, end)
        found = [0] * ((end - start) >> PAGE_SHIFT)
        offset = mapping.offset + start - mapping.start
        last = offset + end - start
        for each in self._mappings[number]:
            if (each.dev, each.inode) != (mapping.dev, mapping.inode):
                continue
            low, high = max(offset, each.offset), min(last, each.offset + each.end - each.start)
            if low < high:
                at = each.start + low - each.offset
                words = self._read(number, space, at, at + high - low)
                first = (low - offset) >> PAGE_SHIFT
                found[first : first + len(words)] = words
        return found

    def _read(self, number: int, space: LiveSpace, start: int, end: int) -> list[int]:
        entries = array("Q", space.pages((start, end)).entries)
        words = [entry & _WORD if entry & _THERE and not entry & _GUARD else 0 for entry in entries]
        if self._visible:
            return words
        # What is hidden reads as 0, so all frames would be equal: but those of one process alone.
        mark = (1 << 56) + number
        for at, entry in enumerate(entries):
            if words[at]:
                words[at] = mark if entry & _ALONE and entry & _PRESENT else _THERE
        for first, last in self._huge(space, start, end):  # whose mark is that of the first page
            for at in range((first - start) >> PAGE_SHIFT, (last - start) >> PAGE_SHIFT):
                words[at] = _THERE if words[at] else 0
        return words

    @staticmethod
    def _huge(space: LiveSpace, start: int, end: int) -> Iterator[tuple[int, int]]:
        if not space.can_find("huge"):
            yield start, end
            return
        stream = RegionStream(
            space, only=["huge"], without=[], tell=[], ranges=[(start, end)], max_pages=None
        )
        for row in stream.rows():
            yield row.start, row.end

    def reason(self) -> PagemapError | None:
        """Why nobody knows for sure that pages are the same; None where that is seen."""
        if self._visible:
            return None
        alone = ""
        if all(space.can_find("huge") for space in self._spaces):
            alone = "no process has these pages alone, but "
        return PfnsHidden(
            f"{alone}whether these pages are the same in all is told by frames only, which the "
            "kernel hides without CAP_SYS_ADMIN: run as root"
        )

    def who(self) -> str:
        """Which processes have others, in brackets."""
        told = [
            f"{count} are not those of process {space.pid}"
            for space, count in zip(self._others, self._different, strict=True)
            if count
        ]
        return f" ({', '.join(told[:5])})" if told else ""
