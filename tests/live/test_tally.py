"""Tallies of each mapping: against the pages one reads, and against smaps."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses import tally, tally_plan
from tests import held, oracle, workloads
from tests.live import scanning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE
MIB = 1 << 20
# What smaps and entries tell; of a page's other kinds, and of soft-dirty, other tests make some.
KNOWN = ["present", "rss", "zero", "hugetlb", "swap", "guard", "file_or_shared", "anonymous"]
KNOWN += ["exclusive", "uffd_wp"]
ASKED: list[list[str]] = [
    *([name] for name in KNOWN),
    *(list(pair) for pair in itertools.combinations(KNOWN, 2)),
    [],
    KNOWN,
]
TRIES = 5

Rows = list[tuple[int, int, dict[str, int | None]]]


@pytest.fixture(scope="module", params=[True, False], ids=["scan", "entries"])
def process(request: pytest.FixtureRequest, stopped: Target) -> Iterator[pagemap.Process]:
    with scanning.opened(stopped, scan=request.param) as process:
        yield process


def tallied(process: pagemap.Process, asked: Sequence[str] | None, threads: int | None) -> Rows:
    return [
        (mapping.start, mapping.end, counts._asdict())
        for mapping, counts in process.tally(asked, threads=threads)
    ]


def by_pages(process: pagemap.Process) -> Rows:
    """Each mapping's counts out of smaps and of all its entries."""
    smaps = Path(f"/proc/{process.pid}/smaps").read_bytes()
    return _by_pages(
        smaps, tuple(bytes(pages.entries) for pages in process.pages_of(process.maps()))
    )


# What rests is counted once: what it is counted from is read each time, and compared.
@functools.lru_cache(maxsize=2)
def _by_pages(smaps: bytes, entries: Sequence[bytes]) -> Rows:
    result: Rows = []
    for account, raw in zip(oracle.parse_smaps(smaps), entries, strict=True):
        counts: dict[str, int | None] = {**held.held(account, memoryview(raw).cast("Q").tolist())}
        counts["pages"] = (account.end - account.start) // PAGE
        result.append((account.start, account.end, counts))
    return result


def tellable(process: pagemap.Process, asked: Sequence[str]) -> bool:
    """Whether these can be asked for by name with these rights."""
    return list(asked) == tally_plan.tellable(process, asked)


def told(rows: Rows, asked: Sequence[str]) -> Rows:
    """What of these counts is told to who asks for some."""
    return [
        (
            start,
            end,
            {
                name: counts.get(name) if name in asked or name == "pages" else None
                for name in tally.Tally._fields
            },
        )
        for start, end, counts in rows
    ]


def settle(rows: Rows, like: Rows, target: Target) -> Rows:
    """Without what other processes change: whether libraries are mapped here alone."""
    areas = target.areas.values()
    result = []
    for (start, end, counts), (_, _, known) in zip(rows, like, strict=True):
        ours = any(start < area.end and area.start < end for area in areas)
        fixed = ours or not known.get("file_or_shared")
        result.append((start, end, counts if fixed else {**counts, "exclusive": None}))
    return result


def first_difference(got: Rows, wanted: Rows) -> object:
    if len(got) != len(wanted):
        return len(got), len(wanted)
    return next(((g, w) for g, w in zip(got, wanted, strict=True) if g != w), None)


def test_each_count_and_each_pair(process: pagemap.Process, stopped: Target) -> None:
    """Whatever is asked for decides how it is counted, and never what comes out."""
    choices = [asked for asked in ASKED if tellable(process, asked)]
    if len(process.maps()) > 5_000:
        choices = [["present"], ["exclusive", "swap"]]
    before = by_pages(process)
    if sum(counts["pages"] or 0 for _, _, counts in before) > 100_000:
        choices = [asked for asked in choices if len(asked) != 2]  # Python looks at each page
    for asked in choices:
        for _ in range(TRIES):
            got = {threads: tallied(process, asked, threads) for threads in (1, 3)}
            after = by_pages(process)
            if settle(after, before, stopped) == settle(before, before, stopped):
                break
            before = after
        wanted = settle(told(before, asked), before, stopped)
        for threads, rows in got.items():
            ours = settle(rows, before, stopped)
            assert first_difference(ours, wanted) is None, (asked, threads)


def test_all_that_can_be_told(process: pagemap.Process, stopped: Target) -> None:
    known = [name for name in KNOWN if tellable(process, [name])]
    for _ in range(TRIES):
        before = by_pages(process)
        got = list(process.tally())
        if settle(by_pages(process), before, stopped) == settle(before, before, stopped):
            break
    rows: Rows = [
        (m.start, m.end, {name: getattr(counts, name) for name in ("pages", *known)})
        for m, counts in got
    ]
    before = [(a, b, {name: counts[name] for name in ("pages", *known)}) for a, b, counts in before]
    assert first_difference(settle(rows, before, stopped), settle(before, before, stopped)) is None
    assert all((counts.huge is not None) == process.can_scan for _, counts in got)
    sums = tally.total([counts for _, counts in got])
    for name in ("pages", *known):
        if name != "exclusive":
            assert getattr(sums, name) == sum(counts[name] or 0 for _, _, counts in before)


def test_smaps(kind: str, process: pagemap.Process) -> None:
    """RSS was PRESENT (81.6M for 69.6M), and zero pages were anonymous memory.

    HUGE was whatever the scan calls so: holes of hugetlb as well.
    """
    for _ in range(TRIES):
        before = by_pages(process)
        got = list(process.tally())
        if by_pages(process) == before:
            break
    checked = 0
    for (start, end, account), (mapping, counts) in zip(before, got, strict=True):
        assert (start, end) == mapping[:2]
        assert counts.pages * PAGE == mapping.size
        for name in ("rss", "anonymous", "file_or_shared", "swap", "hugetlb", "guard", "present"):
            assert getattr(counts, name) == account[name], (mapping, name)
        if process.can_scan:
            assert (counts.zero, counts.huge) == (account["zero"], account["huge"]), mapping
        assert counts.present == (counts.rss or 0) + (account["zero"] or 0) + (counts.hugetlb or 0)
        checked += 1
    assert checked > 10


def test_kinds_have_what_they_are_named_for(kind: str, process: pagemap.Process) -> None:
    fields = {"thp": "huge", "hugetlb": "huge", "swapped": "swap", "guard": "guard"}
    fields |= {"zero": "zero"} if tellable(process, ["zero"]) else {}
    fields |= {"uffd_wp": "uffd_wp", "file": "file_or_shared", "dense": "exclusive"}
    if (name := fields.get(kind)) is None or (name == "huge" and not process.can_scan):
        return
    sums = tally.total([counts for _, counts in process.tally([name])])
    assert getattr(sums, name) > 0
    assert sums.present == (None if name != "present" else sums.present)


def test_all_of_a_large_target(start: Start) -> None:
    """Several pieces for several threads: sums of pieces of one mapping are its counts."""
    target = start(workloads.sparse(768 * MIB, 3 * PAGE))
    target.stop()
    pages = -(-768 * MIB // (3 * PAGE))
    for scan in (True, False):
        with scanning.opened(target, scan=scan) as process:
            for asked in (["present"], ["exclusive", "anonymous"], None):
                for threads in (1, 2, 8):
                    got = [
                        counts
                        for mapping, counts in process.tally(asked, threads=threads)
                        if mapping.start <= target.first.start < mapping.end
                    ]
                    assert len(got) == 1
                    for name in asked or ("present", "exclusive", "anonymous"):
                        assert getattr(got[0], name) == pages, (scan, threads, name)


def test_huge_without_a_scan(start: Start) -> None:
    target = start(workloads.idle())
    with (
        scanning.opened(target, scan=False) as process,
        pytest.raises(pagemap.Unsupported, match=r"huge.*6\.7"),
    ):
        list(process.tally(["huge"]))


@pytest.mark.parametrize("scan", [True, False], ids=["scan", "entries"])
def test_vanished(start: Start, scan: bool) -> None:
    target = start(workloads.idle())
    with scanning.opened(target, scan=scan) as process:
        walk = process.tally()
        next(walk)
        target.kill()
        with pytest.raises(pagemap.TargetVanished):
            list(walk)
        with pytest.raises(pagemap.TargetVanished):
            list(process.tally(["present"]))
