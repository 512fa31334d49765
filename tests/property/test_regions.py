"""Regions out of entries against a walk page by page: any query, range, limit and vector."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import pagemap
from pagemap._analyses.regions import RegionStream
from pagemap._kernel import swap_types
from pagemap._native import scan
from tests import naive, oracle
from tests.property import fake, strategies
from tests.property.test_dump import PID, mappings

PAGE = oracle.PAGE
BITS = list(naive.CATEGORIES.values())
VECTORS = [1, 2, 511, 512, 513, 4096, 65536]

masks = st.one_of(st.just(0), st.sampled_from(BITS), st.sets(st.sampled_from(BITS)).map(sum))
queries = st.builds(naive.Query, any_of=masks, all_of=masks, none_of=masks, returned=masks).filter(
    lambda query: not query.all_of & query.none_of
)
any_masks = st.one_of(masks, st.integers(0, 511))
any_queries = st.builds(
    naive.Query, any_of=any_masks, all_of=any_masks, none_of=any_masks, returned=any_masks
)


@given(
    entries=strategies.entries(),
    start=st.integers(0, 2**30),
    gaps=st.lists(st.tuples(st.integers(0, 300), st.sampled_from([0, 0, 1, 77])), max_size=9),
    shift=strategies.shifts,
    query=any_queries,
    capacity=st.sampled_from([1, 2, 3, *VECTORS[1:]]),
    limit=st.one_of(st.just(0), st.integers(1, 800)),
    hidden_is_swap=st.booleans(),
    scanned=st.one_of(st.none(), st.lists(st.integers(0, 511), min_size=10, max_size=10)),
)
def test_classify(
    entries: list[int],
    start: int,
    gaps: list[tuple[int, int]],
    shift: int,
    query: naive.Query,
    capacity: int,
    limit: int,
    hidden_is_swap: bool,
    scanned: list[int] | None,
) -> None:
    """Out of entries of one range, or of several that touch or lie apart.

    What a scan said of a range, of which no entry tells, each of its pages has too.
    """
    size = 1 << shift
    ranges: list[tuple[int, int]] = []
    vpn, left = start, len(entries)
    for count, gap in [*gaps, (left, 0)]:
        ranges.append((vpn, min(count, left)))
        left -= ranges[-1][1]
        vpn += ranges[-1][1] + gap
    pages = [page for vpn, count in ranges for page in range(vpn, vpn + count)]
    added = [
        word & ~sum(BITS)
        for (_, count), word in zip(ranges, scanned or [0] * 10, strict=False)
        for _ in range(count)
    ]
    got: list[naive.Stretch] = []
    batch = scan.Batch(
        strategies.view(entries),
        ranges,
        shift,
        kinds=swap_types.kinds(),
        hidden_is_swap=hidden_is_swap,
        scanned=scanned[: len(ranges)] if scanned else None,
    )
    asked = scan.Query(**query._asdict(), max_pages=limit)
    while not batch.done and not (limit and pages_in(got, size)):
        before = batch.judged
        got += batch.regions(asked, capacity)
        assert batch.judged > before or not entries
    expected = [
        (page * size, (page + 1) * size, word)
        for page, entry, more in zip(pages, entries, added, strict=True)
        if naive.matches(
            word := naive.categories(entry, hidden_is_swap=hidden_is_swap) | more, query
        )
    ]
    told = [(first, last, word & query.returned) for first, last, word in expected]
    if limit:
        # As many as one call may give: the limit, or what fits.
        told = told[: pages_in(got, size)]
        assert pages_in(got, size) <= limit
        assert len(got) == capacity or len(told) == min(limit, len(expected)) or not batch.done
    assert list(naive.joined(got)) == list(naive.joined(told))


def pages_in(found: list[naive.Stretch], size: int) -> int:
    return sum(last - first for first, last, _ in found) // size


@given(
    entries=strategies.entries(),
    maps=mappings(),
    query=queries,
    bounds=st.tuples(st.integers(0, 800 * PAGE), st.integers(1, 800 * PAGE)),
    vector=st.sampled_from(VECTORS),
    limit=st.one_of(st.none(), st.integers(1, 800)),
)
@example(
    [1 << 63] * 400, b"00001000-00100000 rw-p 00000000 00:00 0 \n", naive.Query(8, 0, 8, 8),
    (0, 800 * PAGE), 1, None,
)  # fmt: skip
def test_process(
    entries: list[int],
    maps: bytes,
    query: naive.Query,
    bounds: tuple[int, int],
    vector: int,
    limit: int | None,
) -> None:
    """Without PAGEMAP_SCAN, over mappings that touch, lie apart, or end past the entries."""
    entries = [0, *entries]
    start, end = bounds[0], bounds[0] + bounds[1]
    lines = oracle.parse_maps(maps)
    words = [entries[line.start // PAGE : line.end // PAGE] for line in lines]
    expected = naive.regions(
        naive.stretches(lines, words), query, start=start, end=end, max_pages=limit
    )
    with tempfile.TemporaryDirectory() as folder:
        fake.write_process(Path(folder), PID, entries, maps)
        with pagemap.Process(PID, procfs=folder) as process:
            assert not process.can_scan  # a file knows no ioctl
            found = RegionStream(
                process, **query.words(), ranges=[(start, end)], max_pages=limit, vector=vector
            )
            got = [(row.start, row.end, naive.bits(row.categories)) for row in found.rows()]
            assert got == expected


@pytest.mark.parametrize("vector", VECTORS)
def test_every_second_page(vector: int, tmp_path: Path) -> None:
    entries = [1 << 63, 1 << 55] * 5000
    maps = b"%08x-%08x rw-p 00000000 00:00 0 \n" % (0, 10_000 * PAGE)
    fake.write_process(tmp_path, PID, entries, maps)
    with pagemap.Process(PID, procfs=str(tmp_path)) as process:
        query = naive.Query(any_of=8, returned=8)
        found = RegionStream(process, **query.words(), ranges=None, max_pages=None, vector=vector)
        assert [(row.start, row.end) for row in found.rows()] == [
            (2 * i * PAGE, (2 * i + 1) * PAGE) for i in range(5000)
        ]
