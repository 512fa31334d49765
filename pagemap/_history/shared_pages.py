"""Which pages of shared memory are populated, from one round of write tracking to the next.

What leaves the page table of a shared mapping has no entry any more, where private memory has one
of swap. So that a page was written, and then evicted, is known only from its having been there.
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


class SharedPages:
    """What was populated of shared mappings when a round began: `before`.

    `forgotten` says from which address on that is not known, where there were too many regions.
    """

    __slots__ = ("_files", "_numbers", "before", "forgotten")

    def __init__(self) -> None:
        self._files: dict[tuple[str, int, int], int] = {}
        self._numbers = count(1)
        self.before = Populated(NOTHING, NOTHING)
        self.forgotten = ""

    def files(self, spans: Spans, numbers: Sequence[int]) -> array[int]:
        """For each of these spans a number for what of which file it has; 0 where it is private.

        What is in the same place as in the round before has the same number.
        """
        shared, files = spans.shared, self._files
        found = array("Q", bytes(8 * len(numbers)))
        for at, number in enumerate(numbers):
            if shared[number]:
                file = spans.file(number)
                if file not in files:
                    files[file] = next(self._numbers)
                found[at] = files[file]
        return found

    def keep(
        self, writes: Writes, gone: array[int], written: array[int], marked: array[int] = NOTHING
    ) -> None:
        """Begin another round, of these writes, where this is gone, that written or marked."""
        used = set(writes.files)
        self._files = {file: number for file, number in self._files.items() if number in used}
        if not self._files:
            written = NOTHING
        self.before = writes.kept(self.before, gone, written, MOST)
        if marked:
            self.before = writes.kept(self.before, NOTHING, marked, MOST)
        self.forgotten = ""
        if self.before.count == MOST:
            self.forgotten = f", or in any round above {self.before.words[-2]:#x}"
