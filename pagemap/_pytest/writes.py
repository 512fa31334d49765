"""How many pages of an area are written meanwhile, and whether these are more than may be."""

from __future__ import annotations

from contextlib import ExitStack

from pagemap._history.found import HOW, UNTRACKED
from pagemap._history.tracker import Tracker
from pagemap._native.descriptors import Holder
from pagemap._pytest.areas import plural
from pagemap._space.live_space import LiveSpace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._pytest.areas import Area
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.written import WrittenRow

__all__ = ["Writes"]

_ROUNDS = 3


class Writes(Holder):
    """Writes to an `area` of this process from now on; `held` is a buffer that must not move.

    Memory known by its name is found in all that is written, for mappings come and go. `noise` is
    the most pages that were written while an empty function ran, None of a buffer, whose memory is
    nobody else's. Raises what `pagemap.track` raises.
    """

    def __init__(self, area: Area, held: Any = None) -> None:
        self._area = area
        self._closing = ExitStack()
        with ExitStack() as stack:
            if area.start is not None and not isinstance(held, (tuple, list)):
                stack.enter_context(memoryview(held))
            process = stack.enter_context(LiveSpace("self"))
            if isinstance(held, (tuple, list)):
                area.require(process)
            ranges = area.ranges(process)
            self.tracker: Tracker = Tracker(process, None if area.start is None else ranges)
            stack.callback(self.tracker.close)
            self.method: str = self.tracker.method
            self.noise: int | None = None
            if area.start is None:
                self.noise = max(self._empty() for _ in range(_ROUNDS))
            self._closing = stack.pop_all()

    def _empty(self) -> int:
        _nothing()
        return self._count(self.tracker.collect())[0]

    def _count(self, table: Table[WrittenRow]) -> tuple[int, int]:
        """How many pages surely were written, and how many more there are of which nobody knows."""
        unsure = {HOW[UNTRACKED]}
        if self.method == "soft-dirty":
            unsure.add("gone")
        sure = others = 0
        for row in table:
            if not self._area.has(row.start, row.end, row.path):
                continue
            if row.how in unsure:
                others += row.pages
            else:
                sure += row.pages
        return sure, others

    def end(self) -> tuple[int, int]:
        """How many pages were written until now, and of how many more nobody knows."""
        with self.tracker:
            pass  # what it has found is known afterwards, too
        found = self._count(self.tracker.written)
        self.close()
        return found

    def close(self) -> None:
        """End the tracking. May be called again."""
        self._closing.close()

    def judged(self, found: tuple[int, int], at_most: int) -> tuple[str, str]:
        """Why the limit is not held, or else why nobody knows; empty where it is held."""
        sure, others = found
        more = sure - (self.noise or 0)
        if more > at_most:
            failure = (
                f"{plural(sure)} written{self._noise(more)}, at most {at_most} allowed "
                f"(by {self.method}): {self._area}"
            )
            return failure, ""
        if more + others > at_most:
            unknown = (
                f"{plural(others)} may have been written, and the kernel does not tell "
                f"(by {self.method}): {self._area}"
            )
            return "", unknown
        return "", ""

    def _noise(self, more: int) -> str:
        if self.noise is None:
            return ""
        return f", {more} more than by an empty function ({self.noise})"


def _nothing() -> None:
    pass
