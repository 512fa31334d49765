"""`--map` and `--range` where rows are pages: the addresses of the mappings that match."""

from __future__ import annotations

from pagemap._cli.patterns import Patterns
from pagemap._vocabulary.units import PAGE_SIZE, clipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._space.address_space import AddressSpace

__all__ = ["NOWHERE", "Chosen", "outside_of", "within_one"]

NOWHERE = [(0, PAGE_SIZE)]
"""A range that no process has memory in: to find nothing in."""


class Chosen:
    """The mappings that any of the patterns fits."""

    def __init__(self, texts: list[str]) -> None:
        self._patterns = Patterns(texts)
        self._missed = False
        self._outside: int | None = None

    def within(
        self, process: AddressSpace, ranges: Sequence[tuple[int, int]] | None
    ) -> Sequence[tuple[int, int]] | None:
        """What of these ranges, by default of all addresses, is in chosen mappings."""
        if not self._patterns.texts:
            if ranges and _is_outside(process, ranges):
                self._outside = process.pid
            return ranges
        lines = [each for each in process.maps() if self._patterns(each.path)]
        self._missed = not process.kernel_thread
        found = [part for each in lines for part in clipped(each.start, each.end, ranges)]
        return found or NOWHERE

    def tell(self) -> int:
        """Report patterns that match nothing, and ranges in no mapping: 1 if there are any."""
        from pagemap._cli.messages import complain

        if self._outside is not None:
            complain(f"no mapping of process {self._outside} is in the given ranges")
            return 1
        unused = self._patterns.unused if self._missed else []
        for text in unused:
            complain(f"no mapping matches the pattern {text!r}")
        return 1 if unused else 0


def outside_of(processes: list[Any], ranges: list[tuple[int, int]]) -> int | None:
    """The pid of the one process that is meant, if all its mappings are outside of the ranges.

    Raises UsageError where several are meant.
    """
    from pagemap._errors import UsageError
    from pagemap._process import Process

    if len(processes) != 1:
        raise UsageError("--range selects addresses of one process; give its pid")

    (process,) = processes
    if not isinstance(process, int):  # of a snapshot, open
        return process.pid if _is_outside(process, ranges) else None
    with Process(process) as living:
        return living.pid if _is_outside(living, ranges) else None


def _is_outside(space: AddressSpace, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether it has mappings, and none in these ranges."""
    lines = space.maps()
    parts = (part for each in lines for part in clipped(each.start, each.end, ranges))
    return bool(lines) and next(parts, None) is None


def within_one(
    mappings: Chosen, processes: list[Any], ranges: list[tuple[int, int]] | None
) -> Sequence[tuple[int, int]] | None:
    """The addresses of the mappings that are wanted, of the one process that is meant."""
    from pagemap._errors import UsageError
    from pagemap._process import Process

    if len(processes) != 1:
        raise UsageError("--map selects mappings of one process; give its pid")
    (process,) = processes
    if not isinstance(process, int):  # of a snapshot, open
        return mappings.within(process, ranges)
    with Process(process) as living:
        return mappings.within(living, ranges)
