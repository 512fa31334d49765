"""What the words of frames correct, against a look at each page by itself."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pagemap._native import counting
from tests.property import fake

PMD = 512  # pages of 4 KiB that a PMD maps
PRESENT, FILE, EXCLUSIVE = 1 << 63, 1 << 61, 1 << 56
ZERO_PAGE = 1 << 24
FRAMES = 6 * PMD


@st.composite
def stretches(draw: st.DrawFn) -> tuple[int, list[int], set[int]]:
    """A page number, entries from there on, and which of these a PMD may map with others."""
    first = draw(st.integers(0, 3 * PMD))
    entries: list[int] = []
    in_place: set[int] = set()
    for _ in range(draw(st.integers(1, 5))):
        vpn = first + len(entries)
        marks = PRESENT | draw(st.sampled_from([0, FILE, EXCLUSIVE, FILE | EXCLUSIVE]))
        if draw(st.booleans()):
            # as much of a PMD as is left of it here, or less where the block ends
            frame = draw(st.integers(1, FRAMES // PMD - 1)) * PMD + vpn % PMD
            size = PMD - vpn % PMD
            if draw(st.integers(0, 3)) == 0:
                size = draw(st.integers(1, size))
            in_place |= set(range(len(entries), len(entries) + size))
            entries += [marks | frame + i for i in range(size)]
            if vpn % PMD + size < PMD:
                break
        else:
            # pages that stand in no PMD's place, up to where the next one begins
            size = PMD - vpn % PMD
            shift = draw(st.integers(1, PMD - 1))
            frames = [(vpn + i + shift) % PMD + PMD for i in range(size)]
            entries += [
                draw(st.sampled_from([0, 1 << 62, marks])) and marks | f for f in frames[:1]
            ]
            entries += [marks | f for f in frames[1:]]
    return first, entries, in_place


@given(stretches(), st.integers(0, 1 << 16))
def test_exclusive_by_count(stretch: tuple[int, list[int], set[int]], seed: int) -> None:
    vpn, entries, in_place = stretch
    counts = random.Random(seed).choices(range(4), k=FRAMES)
    expected = [
        entry & ~EXCLUSIVE | (EXCLUSIVE if counts[entry % (1 << 55)] == 1 else 0)
        if i in in_place
        else entry
        for i, entry in enumerate(entries)
    ]
    with fake.pagemap_of(counts) as mapcounts:
        assert counting.exclusive_by_count(mapcounts, vpn, entries, 12) == expected


@given(stretches(), st.integers(0, 1 << 16))
def test_zero_pages(stretch: tuple[int, list[int], set[int]], seed: int) -> None:
    vpn, entries, in_place = stretch
    zeros = random.Random(seed).choices((False, True), k=FRAMES)
    marked = found = 0
    for i, entry in enumerate(entries):
        if not entry & PRESENT or entry & EXCLUSIVE or not zeros[entry % (1 << 55)]:
            continue
        if entry & FILE:
            marked += i in in_place
        else:
            found += 1
    with fake.pagemap_of([ZERO_PAGE if zero else 0x868 for zero in zeros]) as flags:
        assert counting.zero_pages(flags, vpn, entries, 12) == (found + marked, marked)
