"""`--map` where rows are pages: the addresses of the mappings that match."""

from __future__ import annotations

from pagemap._cli.patterns import Patterns
from pagemap._vocabulary.units import PAGE_SIZE, clipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._space.address_space import AddressSpace

__all__ = ["NOWHERE", "Chosen"]

NOWHERE = [(0, PAGE_SIZE)]
"""A range that no process has memory in: to find nothing in."""


class Chosen:
    """The mappings that any of the patterns fits."""

    def __init__(self, texts: list[str]) -> None:
        self._patterns = Patterns(texts)
        self._missed = False

    def within(
        self, process: AddressSpace, ranges: Sequence[tuple[int, int]] | None
    ) -> Sequence[tuple[int, int]] | None:
        """What of these ranges, by default of all addresses, is in chosen mappings."""
        if not self._patterns.texts:
            return ranges
        lines = [each for each in process.maps() if self._patterns(each.path)]
        self._missed = not process.kernel_thread
        found = [part for each in lines for part in clipped(each.start, each.end, ranges)]
        return found or NOWHERE

    def tell(self) -> int:
        """Report patterns that match nothing: 1 if there are any."""
        from pagemap._cli.messages import complain

        unused = self._patterns.unused if self._missed else []
        for text in unused:
            complain(f"no mapping matches the pattern {text!r}")
        return 1 if unused else 0
