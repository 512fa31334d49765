"""What was found to be written: regions in columns, for there may be one for every other page."""

from __future__ import annotations

from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GONE", "HOW", "NEW", "TRACKED", "UNTRACKED", "Found"]

HOW = ("tracked", "new", "untracked", "gone")
TRACKED, NEW, UNTRACKED, GONE = range(4)


class Found:
    """Regions: where each starts and ends, the number of its span, and how it is known (HOW)."""

    __slots__ = ("ends", "how", "numbers", "starts")

    def __init__(self) -> None:
        self.starts, self.ends = array("Q"), array("Q")
        self.numbers, self.how = array("Q"), array("i")

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, start: int, end: int, number: int, how: int) -> None:
        """Add one."""
        self.starts.append(start)
        self.ends.append(end)
        self.numbers.append(number)
        self.how.append(how)

    def extend(self, words: array[int], numbers: Sequence[int], how: Sequence[int]) -> None:
        """Add what C found in spans of these `numbers`; `how` has an entry for each span of all."""
        self.starts += words[::3]
        self.ends += words[1::3]
        found = array("Q", map(numbers.__getitem__, words[2::3]))
        self.numbers += found
        self.how += array("i", map(how.__getitem__, found))

    def sort(self) -> None:
        """Put them in order of address."""
        order = sorted(range(len(self)), key=self.starts.__getitem__)
        for name in self.__slots__:
            column = getattr(self, name)
            setattr(self, name, array(column.typecode, map(column.__getitem__, order)))
