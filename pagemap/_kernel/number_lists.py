"""Lists of numbers as the kernel writes them: ``0-3,8``, of processors or nodes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Ranges = tuple[tuple[int, int], ...]

__all__ = ["holds", "parse", "written"]

_DIGITS = 9  # of a number: no machine has more


def parse(text: str) -> Ranges | None:
    """The first and the last number of each range; None for what is no such list.

    >>> parse("0-3,8")
    ((0, 3), (8, 8))
    """
    found = []
    for word in text.strip().split(",") if text.strip() else ():
        first, _, last = word.partition("-")
        if not _is_number(first) or not _is_number(last or first):
            return None
        found.append((int(first), int(last or first)))
    return tuple(found)


def holds(ranges: Iterable[tuple[int, int]], number: int) -> bool:
    """Whether a number is in one of the ranges."""
    return any(first <= number <= last for first, last in ranges)


def written(ranges: Iterable[tuple[int, int]]) -> str:
    """The list that says so.

    >>> written([(0, 3), (8, 8)])
    '0-3,8'
    """
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS
