"""Sets of addresses as ranges, beside Python's own sets of numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pagemap._history.intervals import common, merged, size, without
from pagemap._history.touched_by_damon import grid

END = 40
RANGES = st.lists(
    st.tuples(st.integers(0, END), st.integers(0, END)).map(lambda pair: (min(pair), max(pair))),
    max_size=8,
)


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for start, end in ranges for number in range(start, end)}


@given(RANGES, RANGES)
def test_as_sets(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    first, second = merged(some), merged(others)
    assert members(first) == members(some)
    assert all(left[1] < right[0] for left, right in pairwise(first))
    assert all(start < end for start, end in first)
    assert members(common(first, second)) == members(some) & members(others)
    assert members(without(first, second)) == members(some) - members(others)
    assert size(first) == len(members(some))
    assert common(first, second) == common(second, first)


@given(RANGES, st.integers(2, 30))
def test_a_grid_covers_what_is_resident(ranges: list[tuple[int, int]], most: int) -> None:
    page = 4096
    resident = merged((start * page, end * page) for start, end in ranges)
    cells = grid(resident, most)
    assert len(cells) <= most
    covered = members([(start // page, end // page) for start, end in cells])
    assert covered >= members(ranges)
    assert all(start < end and start % page == end % page == 0 for start, end in cells)
    assert all(left[1] <= right[0] for left, right in pairwise(cells))
    if len(resident) <= most // 2:
        assert covered == members(ranges)
