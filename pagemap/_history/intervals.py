"""Sets of addresses as sorted lists of ranges, of which none touch."""

from __future__ import annotations

from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Ranges = list[tuple[int, int]]

__all__ = ["common", "merged", "size", "without"]

_ABOVE = 1 << 64  # all addresses


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The addresses that are in any of the ranges, given in any order.

    >>> merged([(4, 6), (0, 2), (2, 3), (5, 9)])
    [(0, 3), (4, 9)]
    """
    found: Ranges = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif start < end:
            found.append((start, end))
    return found


def common(some: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> Ranges:
    """The addresses that are in both.

    >>> common([(0, 4), (6, 9)], [(2, 7), (8, 20)])
    [(2, 4), (6, 7), (8, 9)]
    """
    return list(_common(some, others))


def _common(
    some: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    if len(some) > len(others):
        some, others = others, some
    for start, end in some:
        at = max(bisect_right(others, (start, _ABOVE)) - 1, 0)
        while at < len(others) and others[at][0] < end:
            if others[at][1] > start:
                yield max(start, others[at][0]), min(end, others[at][1])
            at += 1


def without(some: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> Ranges:
    """The addresses of `some` that are not in `others`.

    >>> without([(0, 10)], [(2, 4), (8, 20)])
    [(0, 2), (4, 8)]
    """
    gaps: Ranges = []
    last = 0
    for start, end in others:
        if start > last:
            gaps.append((last, start))
        last = end
    return common(some, [*gaps, (last, _ABOVE)])


def size(ranges: Iterable[tuple[int, int]]) -> int:
    """How many bytes they have."""
    return sum(end - start for start, end in ranges)
