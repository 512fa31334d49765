"""Huge pages of address spaces drawn at random: C against a count page by page.

Both read plain files. There is no scan of those, so nothing is mapped by PMDs here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from errno import ENODATA
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pagemap._analyses.huge_columns import Counts
from pagemap._native import huge as native
from pagemap._native import pipeline
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._vocabulary.rows.huge import HUGE, with_sizes
from tests import naive_huge, oracle
from tests.property import fake

if TYPE_CHECKING:
    from tests.naive_huge import Key

PAGE = oracle.PAGE
THP, ANON, HEAD, TAIL = (1 << bit for bit in (22, 12, 15, 16))
HUGETLB, ZERO = 1 << 17, 1 << 24
PRESENT, SWAPPED, FILE = 1 << 63, 1 << 62, 1 << 61


def least_order(words: list[int]) -> int:
    """The least order of anonymous folios; 9 where there are none."""
    heads = [at for at, word in enumerate(words) if word & HEAD and word & ANON]
    ends = [
        next((end for end in range(at + 1, len(words)) if not words[end] & TAIL), len(words))
        for at in heads
    ]
    sizes = [end - at for at, end in zip(heads, ends, strict=True)]
    return min(size.bit_length() - 1 for size in sizes) if sizes else 9


@st.composite
def memories(draw: st.DrawFn) -> list[int]:
    """The words of frames: folios in a row, each at a multiple of its size."""
    words: list[int] = []
    for order, kind in draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 5, 6, 7, 7]),
                st.sampled_from([THP, THP | ANON, HUGETLB, ANON]),
            ),
            min_size=1,
            max_size=30,
        )
    ):
        words += [0] * (-len(words) % 2**order)
        words += [kind | HEAD, *[kind | TAIL] * (2**order - 1)] if order else [kind & ANON]
    return words


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Words of frames, entries that map rows of them, and the spans of the mappings."""
    words = draw(memories())
    entries: list[int] = []
    for first, count, gap, swapped in draw(
        st.lists(
            st.tuples(
                st.integers(0, len(words) - 1),
                st.integers(1, 200),
                st.sampled_from([0, 0, 1, 3, 64]),
                st.booleans(),
            ),
            max_size=20,
        )
    ):
        entries += [
            PRESENT | frame | (0 if frame < len(words) and words[frame] & ANON else FILE)
            for frame in range(first, min(first + count, len(words) + 2))
        ]
        entries += [SWAPPED | 7 if swapped else 0] * gap
    cuts = sorted(draw(st.sets(st.integers(0, len(entries)), max_size=4)) | {0, len(entries)})
    spans = [(start, end - start) for start, end in itertools.pairwise(cuts)]
    return words, entries, spans


@given(
    scene=scenes(),
    conts=st.sets(st.integers(1, 8)),
    pages=st.sampled_from([1, 5, 64, 1 << 15]),
    threads=st.integers(1, 2),
    known=st.booleans(),
    shared=st.lists(st.booleans(), min_size=5, max_size=5),
    hugetlb=st.lists(st.booleans(), min_size=5, max_size=5),
    zeros=st.tuples(st.integers(0, 60), st.integers(0, 3)),
)
def test_huge(
    scene: tuple[list[int], list[int], list[tuple[int, int]]],
    conts: set[int],
    pages: int,
    threads: int,
    known: bool,
    shared: list[bool],
    hugetlb: list[bool],
    zeros: tuple[int, int],
) -> None:
    words, entries, ranges = scene
    first, count = zeros
    while count and any(words[first : first + count]):
        count -= 1
    words[first : first + count] = [ZERO] * len(words[first : first + count])
    zeros = first, len(words[first : first + count])
    wanted: list[Counter[Key]] = []
    for (start, count), by_driver, huge in zip(ranges, shared, hugetlb, strict=False):
        if by_driver:  # by PFN, whatever it is: the kernel does not look at the frame
            entries[start : start + count] = [
                entry & ~FILE for entry in entries[start : start + count]
            ]
        counts = naive_huge.count(
            start,
            entries[start : start + count],
            # which mappings are of hugetlb is told by their devices
            lambda frame: words[frame] & ~HUGETLB if frame < len(words) else 0,
            sorted(conts),
        )
        if huge:
            present = sum(oracle.has(entry, "present") for entry in entries[start : start + count])
            counts = type(counts)({("hugetlb", "hugetlb", 0): present})
        wanted.append(+counts)
    with fake.pagemap_of(entries) as fd, fake.pagemap_of(words) as flags_fd:
        spans = Spans(ranges)
        sums = native.HugeSums(spans.count)
        pieces = native.pieces(
            spans,
            fd,
            flags_fd,
            PAGE.bit_length() - 1,
            use_scan=False,
            pmd_order=9,
            anon_order=least_order(words) if known else 0,
            shared=bytes(shared),
            hugetlb=bytes(hugetlb) if any(hugetlb) else None,
            zeros=zeros,
            conts=sum(1 << order for order in conts),
            lossy=False,
            frames_end=len(words),
            pages=pages,
        )
        with pipeline.run(pieces, native.HugeBuffer, threads) as results:
            for piece, _ in results:
                piece.add_to(sums)
    text = "".join(
        f"{start * PAGE:x}-{(start + count) * PAGE:x} r--p 0 0:0 0 \n" for start, count in ranges
    )
    schema = with_sizes(HUGE, sizes=True, conts=sorted(conts))
    table = Counts(schema, sorted(conts), told=False).table(1, Lines(text.encode()), sums.words())
    assert list(map(naive_huge.of_row, table)) == wanted
    assert naive_huge.of_row(table.total()) == sum(wanted, Counter())
    assert table["size"].tolist() == [count * PAGE for _, count in ranges]


@given(scene=scenes(), pages=st.sampled_from([1, 64, 1 << 15]))
def test_flags_that_end_early(
    scene: tuple[list[int], list[int], list[tuple[int, int]]], pages: int
) -> None:
    """A frame that is mapped and should have a word, but has none, is an error."""
    words, entries, ranges = scene
    mapped = [entry % 2**55 for entry in entries if entry & PRESENT]
    with fake.pagemap_of(entries) as fd, fake.pagemap_of(words) as flags_fd:
        pieces = native.pieces(
            Spans(ranges),
            fd,
            flags_fd,
            PAGE.bit_length() - 1,
            use_scan=False,
            pmd_order=9,
            anon_order=0,
            shared=bytes(len(ranges)),
            hugetlb=None,
            zeros=(0, 0),
            conts=0,
            lossy=False,
            frames_end=len(words) + 2,
            pages=pages,
        )
        buffer = native.HugeBuffer()
        codes = set()
        for piece in pieces:
            try:
                piece.run(buffer)
            except OSError as error:
                codes.add(error.errno)
    assert codes == ({ENODATA} if max(mapped, default=0) >= len(words) else set())
