"""Regions of real processes: PAGEMAP_SCAN and the way without it against a walk page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pagemap
from pagemap._analyses.regions import RegionStream
from tests import naive, oracle, workloads
from tests.live import scanning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start
    from tests.live.scanning import Seen
    from tests.workloads import Target

PAGE = oracle.PAGE
VECTORS = [1, 2, 511, 512, 513, 4096, 65536]
HERE = 8 | 16
BITS = list(naive.CATEGORIES.values())
QUERIES = [
    naive.Query(any_of=HERE, returned=HERE),
    naive.Query(any_of=HERE, returned=0),
    naive.Query(all_of=8, none_of=4, returned=8 | 4 | 128),
    naive.Query(none_of=HERE, returned=HERE | 4),
    naive.Query(any_of=16 | 4, returned=sum(BITS)),
    naive.Query(returned=sum(BITS)),
]
masks = st.one_of(
    st.just(0), st.just(HERE), st.sampled_from(BITS), st.sets(st.sampled_from(BITS)).map(sum)
)
queries = st.builds(naive.Query, any_of=masks, all_of=masks, none_of=masks, returned=masks).filter(
    lambda query: not query.all_of & query.none_of
)


@pytest.fixture(scope="module")
def seen(stopped: Target) -> Seen:
    return scanning.see(stopped)


@pytest.fixture(scope="module", params=[True, False], ids=["scan", "entries"])
def process(
    request: pytest.FixtureRequest, stopped: Target, seen: Seen
) -> Iterator[pagemap.Process]:
    with scanning.opened(stopped, scan=request.param) as process:
        yield process


def found(
    process: pagemap.Process,
    query: naive.Query,
    *,
    start: int = 0,
    end: int | None = None,
    max_pages: int | None = None,
    vector: int = 512,
) -> list[naive.Stretch]:
    ranges = None if (start, end) == (0, None) else [(start, 2**64 if end is None else end)]
    got = RegionStream(process, **query.words(), ranges=ranges, max_pages=max_pages, vector=vector)
    return told(got)


def told(stream: RegionStream) -> list[naive.Stretch]:
    return [(row.start, row.end, naive.bits(row.categories)) for row in stream.rows()]


def check(process: pagemap.Process, seen: Seen, got: object, wanted: object) -> None:
    same = got == wanted
    if not same and not seen.untouched_since(process.pid):
        pytest.skip("the kernel changed pages of a stopped process meanwhile")
    assert got == wanted


def known(process: pagemap.Process) -> int:
    """The categories that this kernel has; an entry may know of guard regions before a scan."""
    told = {"file", "present", "swap"} | ({"soft_dirty", "guard"} & oracle.told_here())
    return sum(
        bit
        for name, bit in naive.CATEGORIES.items()
        if name in told and (not process.can_scan or process.can_find(name))
    )


@pytest.mark.parametrize("vector", VECTORS)
def test_vectors(process: pagemap.Process, seen: Seen, vector: int) -> None:
    # One call for each mapping: of 60,000 a few walks are enough to tell.
    for query in QUERIES if len(seen.mappings) < 5_000 else QUERIES[:1]:
        asked = naive.Query._make(mask & known(process) for mask in query)
        wanted = naive.regions(seen.stretches, asked)
        if vector < 3 and len(wanted) > 1000:
            wanted = wanted[:1000]
        start, end = wanted[0][0] if wanted else 0, wanted[-1][1] if wanted else None
        if vector >= 3 or not wanted:
            start, end = 0, None
        check(process, seen, found(process, asked, start=start, end=end, vector=vector), wanted)


@pytest.mark.parametrize("vector", [1, 512, 4096])
def test_max_pages(process: pagemap.Process, seen: Seen, vector: int) -> None:
    query = QUERIES[0]
    everything = naive.regions(seen.stretches, query)
    count = sum(end - start for start, end, _ in everything) // PAGE
    first = (everything[0][1] - everything[0][0]) // PAGE
    for limit in {1, 7, first - 1, first, first + 1, count - 1, count, count + 1} - {0}:
        wanted = naive.regions(seen.stretches, query, max_pages=limit)
        assert sum(end - start for start, end, _ in wanted) // PAGE == min(limit, count)
        check(process, seen, found(process, query, max_pages=limit, vector=vector), wanted)


def test_any_query_in_any_range(process: pagemap.Process, seen: Seen) -> None:
    bounds = sorted({edge for line in seen.mappings for edge in (line.start, line.end)})
    near = st.sampled_from(bounds).flatmap(
        lambda edge: st.integers(max(0, edge - 3 * PAGE), min(2**64 - 1, edge + 3 * PAGE))
    )
    anywhere = st.integers(0, len(seen.mappings) - 1).flatmap(
        lambda i: st.integers(seen.mappings[i].start, seen.mappings[i].end - 1)
    )
    edges = st.one_of(near, anywhere, st.just(0), st.just(2**64 - 1))
    limits = st.one_of(st.none(), st.integers(1, 20), st.integers(1, 1 << 20))

    examples = 40 if len(seen.mappings) < 5_000 else 8

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(
        query=queries,
        edge=edges,
        other=edges,
        limit=limits,
        vector=st.sampled_from(VECTORS[2:]),
    )
    def explore(query: naive.Query, edge: int, other: int, limit: int | None, vector: int) -> None:
        asked = naive.Query._make(mask & known(process) for mask in query)
        start, end = min(edge, other), max(edge, other) + 1
        wanted = naive.regions(seen.stretches, asked, start=start, end=end, max_pages=limit)
        got = found(process, asked, start=start, end=end, max_pages=limit, vector=vector)
        check(process, seen, got, wanted)

    explore()


def test_nothing_else(start: Start) -> None:
    """Soft-dirty bits that the kernel does not have were asked for: an error, as was guard."""
    target = start(workloads.dense())
    with scanning.opened(target, scan=True) as process:
        # where the kernel has them, new memory is soft-dirty
        dirty = "soft_dirty" in oracle.told_here()
        more, marks = (",soft_dirty", "|soft_dirty") if dirty else ("", "")
        anonymous = within(target.first, process.regions(only=[f"=present,written{more}"]))
        assert anonymous == whole(target.first, f"written|present{marks}")
        rows = list(process.regions(only=[f"=present,written,file{more}"]).rows())
        assert {row.categories for row in rows} == {f"written|file|present{marks}"}


def test_defaults(process: pagemap.Process, seen: Seen) -> None:
    """What is asked for is told; with nothing asked for, present and swap."""
    cases: list[tuple[dict[str, Any], naive.Query]] = [
        ({"only": ["present"]}, naive.Query(any_of=8, returned=8)),
        ({"only": ["file", "present"]}, naive.Query(all_of=12, returned=12)),
        ({"only": ["swap"], "without": ["present"]}, naive.Query(16, 0, 8, 16)),
        ({"without": ["present", "swap"]}, naive.Query(none_of=HERE, returned=HERE)),
        ({}, naive.Query(any_of=HERE, returned=HERE)),
    ]
    for asked, query in cases:
        got = told(process.regions(**asked))
        check(process, seen, got, naive.regions(seen.stretches, query))


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("scan", [True, False], ids=["scan", "entries"])
def test_100_000_alternating_regions(
    vector: int, scan: bool, alternating: Target, alternating_entries: list[int]
) -> None:
    """The stale walk_end: who trusts it sees regions twice, or the same for ever."""
    area = alternating.first
    wanted = [
        (area.start + i * PAGE, area.start + (i + 1) * PAGE, 8)
        for i, entry in enumerate(alternating_entries)
        if oracle.has(entry, "present")
    ]
    assert len(wanted) == 100_000
    with scanning.opened(alternating, scan=scan) as process:
        query = naive.Query(any_of=8, returned=8)
        if vector < 5_000:  # there are enough calls long before the end
            wanted = wanted[: 8_000 if vector < 3 else 20_000]
        same = found(process, query, start=area.start, end=wanted[-1][1], vector=vector) == wanted
        assert same
        for limit in (1, 513, len(wanted) - 1, len(wanted)):
            got = found(
                process, query, start=area.start, end=area.end, max_pages=limit, vector=vector
            )
            same = got == wanted[:limit]
            assert same, limit


@pytest.fixture(scope="module")
def alternating() -> Iterator[Target]:
    with workloads.sparse(200_000 * PAGE, 2 * PAGE) as target:
        target.stop()
        yield target


@pytest.fixture(scope="module")
def alternating_entries(alternating: Target) -> list[int]:
    return oracle.entries(alternating.pid, alternating.first.start, alternating.first.end)


Span = tuple[int, int, str]


def whole(area: workloads.Area, categories: str) -> list[Span]:
    return [(area.start, area.end, categories)]


def within(area: workloads.Area, got: RegionStream) -> list[Span]:
    return [
        (row.start, row.end, row.categories)
        for row in got.rows()
        if row.start < area.end and area.start < row.end
    ]


def test_huge(start: Start) -> None:
    """What smaps calls AnonHugePages, and the tail of the mapping is not."""
    target = start(workloads.thp())
    with scanning.opened(target, scan=True) as process:
        got = within(target.first, process.regions(only=["huge"]))
        assert got == whole(target.first, "huge")


def test_hugetlb(start: Start) -> None:
    target = start(workloads.hugetlb())
    with scanning.opened(target, scan=True) as process:
        got = within(target.first, process.regions(only=["huge", "present"]))
        assert got == whole(target.first, "present|huge")


def test_zero(start: Start) -> None:
    target = start(workloads.zero())
    with scanning.opened(target, scan=True) as process:
        got = within(target.first, process.regions(only=["pfnzero"]))
        assert got == whole(target.first, "pfnzero")


def test_written(start: Start) -> None:
    """Not write-protected: of the two halves, the one that was left open."""
    target = start(workloads.uffd_wp())
    with scanning.opened(target, scan=True) as process:
        protected, free = target.areas["protected"], target.areas["open"]
        ranges = [(protected.start, free.end)]
        written = ["written"]
        got = process.regions(only=["present"], without=written, tell=written, ranges=ranges)
        assert within(protected, got) == whole(protected, "")
        assert within(free, got) == []
        got = process.regions(only=["present", "written"], tell=written, ranges=ranges)
        assert within(free, got) == whole(free, "written")
        assert within(protected, got) == []


def test_what_this_kernel_lacks(start: Start) -> None:
    target = start(workloads.idle())
    with scanning.opened(target, scan=False) as process:
        for category in ("huge", "written", "pfnzero", "wpallowed"):
            for word in ("only", "without", "tell"):
                asked: dict[str, Any] = {word: [category]}
                with pytest.raises(pagemap.Unsupported, match=rf"{category}.*6\.7"):
                    process.regions(**asked)
    with scanning.opened(target, scan=True) as process:
        assert process.can_find("present")


def test_nonsense(start: Start) -> None:
    target = start(workloads.idle())
    for scan in (True, False):
        with scanning.opened(target, scan=scan) as process:
            bad: dict[str, Any]
            for bad in ({"max_pages": 0}, {"max_pages": -1}, {"ranges": [(5 * PAGE, PAGE)]}):
                with pytest.raises(pagemap.UsageError):
                    process.regions(**bad)
            none = process.regions(only=["present/swap"], without=["present", "swap"])
            assert list(none.rows()) == []
            # past the end of the address space there is nothing, and nothing is wrong
            past = process.regions(only=["present"], ranges=[(2**63, 2**64)])
            assert list(past.rows()) == []


def test_vanished(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pagemap._analyses.regions.ROWS", 1)
    for scan in (True, False):
        target = start(workloads.sparse())
        with scanning.opened(target, scan=scan) as process:
            walk = RegionStream(
                process, **QUERIES[0].words(), ranges=None, max_pages=None, vector=1
            ).rows()
            next(walk)
            target.kill()
            with pytest.raises(pagemap.TargetVanished):
                list(walk)
            # and from the beginning, whatever is asked for that the kernel shows
            for category in ("present", *({"guard"} & oracle.told_here())):
                with pytest.raises(pagemap.TargetVanished):
                    list(process.regions(only=[category]))


def test_vanished_before_the_first_question(start: Start) -> None:
    target = start(workloads.idle())
    with pagemap.Process(target.pid) as process:
        target.kill()
        # without PAGEMAP_SCAN nobody can ask for huge pages, of the living neither
        huge = ["huge"] if process.can_scan else []
        for category in ("present", *huge):
            with pytest.raises(pagemap.TargetVanished):
                list(process.regions(only=[category]))
        for asked in (None, ["present"], ["huge"] if huge else [], ["uss"]):
            with pytest.raises(pagemap.TargetVanished):
                list(process.tally(asked))
        with pytest.raises(pagemap.TargetVanished):
            list(process.populated())
