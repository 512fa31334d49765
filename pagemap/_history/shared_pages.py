"""Which pages are populated, from one round of write tracking to the next.

What leaves the page table of a shared mapping has no entry any more, where private memory has one
of swap. So that a page was written, and then evicted, is known only from its having been there. Of
private memory it tells a page of zeros that was written from one that was only read.
"""

from __future__ import annotations

from array import array
from itertools import count

from pagemap._native.writes import Populated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._history.spans import Spans
    from pagemap._native.writes import Writes

__all__ = ["SharedPages"]

MOST = 1 << 21  # regions that are kept, of 24 bytes each
NOTHING = array("Q")
_PRIVATE, _NEW = 1, 2  # numbers of all private memory, of which that is new only in its first round


class SharedPages:
    """What was populated when a round began, of shared mappings or of all: `before`.

    `forgotten` says from which address on that is not known, where there were too many regions.
    """

    __slots__ = ("_files", "_numbers", "before", "forgotten")

    def __init__(self) -> None:
        self._files: dict[tuple[str, int, int], int] = {}
        self._numbers = count(_NEW + 1)
        self.before = Populated(NOTHING, NOTHING)
        self.forgotten = ""

    def files(
        self, spans: Spans, numbers: Sequence[int], new: Sequence[int] | None = None
    ) -> array[int]:
        """For each of these spans a number for what of which file it has.

        What is in the same place as in the round before has the same number. Private memory has
        0, or is told by `new`, which has 1 for each span of all that was not tracked before.
        """
        shared, files = spans.shared, self._files
        found = array("Q", bytes(8 * len(numbers)))
        for at, number in enumerate(numbers):
            if shared[number]:
                file = spans.file(number)
                if file not in files:
                    files[file] = next(self._numbers)
                found[at] = files[file]
            elif new is not None:
                found[at] = _NEW if new[number] else _PRIVATE
        return found

    def keep(
        self, writes: Writes, gone: array[int], written: array[int], *others: array[int]
    ) -> None:
        """Begin another round, of these writes: this is gone, that written, and these are there."""
        used = set(writes.files)
        self._files = {file: number for file, number in self._files.items() if number in used}
        if not any(used):
            written = NOTHING
        self.before = writes.kept(self.before, gone, written, MOST)
        for there in others:
            if there:
                self.before = writes.kept(self.before, NOTHING, there, MOST)
        if _NEW in used:
            known = array("Q", [_PRIVATE if each == _NEW else each for each in writes.files])
            self.before = Populated(self.before.words, known)
        self.forgotten = ""
        if self.before.count == MOST:
            self.forgotten = f", or in any round above {self.before.words[-2]:#x}"
