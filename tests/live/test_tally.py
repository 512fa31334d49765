"""Tallies of each mapping: against the pages one reads, and against smaps."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap import tally
from tests import oracle, workloads
from tests.live import scanning
from tests.live.scanning import resting  # noqa: F401 - the fixture `stopped`

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap.tally import Tally
    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE
MIB = 1 << 20
ENTRY_COUNTS = [name for name in tally.COUNTABLE if name != "huge"]
ASKED: list[list[str]] = [
    *([name] for name in ENTRY_COUNTS),
    *(list(pair) for pair in itertools.combinations(ENTRY_COUNTS, 2)),
    [],
    ENTRY_COUNTS,
]
# Mappings whose pages smaps leaves out, by VmFlags: of devices and the like (vvar), and of hugetlb.
UNCOUNTED = {"io", "pf", "mm", "ht"}
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
    """Each mapping's counts out of all its entries; of memory without struct pages, no marks."""
    mappings = process.maps()
    result: Rows = []
    for m, pages in zip(mappings, process.pages_of(mappings), strict=True):
        counts: dict[str, int | None] = {**pages.counts()._asdict(), "pages": m.size // PAGE}
        if m.path.startswith("[vvar"):
            counts["soft_dirty"] = 0
        result.append((m.start, m.end, counts))
    return result


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
        fixed = ours or not known["file_or_shared"]
        result.append((start, end, counts if fixed else {**counts, "exclusive": None}))
    return result


def first_difference(got: Rows, wanted: Rows) -> object:
    if len(got) != len(wanted):
        return len(got), len(wanted)
    return next(((g, w) for g, w in zip(got, wanted, strict=True) if g != w), None)


def test_each_count_and_each_pair(process: pagemap.Process, stopped: Target) -> None:
    """Whatever is asked for decides how it is counted, and never what comes out."""
    choices = ASKED
    if len(process.maps()) > 5_000:
        choices = [["present"], ["exclusive", "swapped"]]
    before = by_pages(process)
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
    for _ in range(TRIES):
        before = by_pages(process)
        got = list(process.tally())
        if settle(by_pages(process), before, stopped) == settle(before, before, stopped):
            break
    rows: Rows = [
        (m.start, m.end, {name: getattr(counts, name) for name in ("pages", *ENTRY_COUNTS)})
        for m, counts in got
    ]
    assert first_difference(settle(rows, before, stopped), settle(before, before, stopped)) is None
    assert all((counts.huge is not None) == process.can_scan for _, counts in got)
    sums = tally.total([counts for _, counts in got])
    for name in ("pages", *ENTRY_COUNTS):
        if name != "exclusive":
            assert getattr(sums, name) == sum(counts[name] or 0 for _, _, counts in before)


def smaps_of(pid: int, count: object) -> tuple[list[oracle.Smaps], list[tuple[object, Tally]]]:
    """What smaps says before and after a count, until they agree on what is the process's own."""
    path = Path(f"/proc/{pid}/smaps")

    def own(text: bytes) -> list[bytes]:
        return re.findall(
            rb"^(?:Rss|Swap|Anonymous|\w*Huge\w*|\w*PmdMapped): .*$", text, re.MULTILINE
        )

    for _ in range(TRIES):
        text = path.read_bytes()
        got = list(count())  # type: ignore[operator] # a function of none
        if own(path.read_bytes()) == own(text):
            break
    return oracle.parse_smaps(text), got


def test_smaps(kind: str, process: pagemap.Process, need_pfns: None) -> None:
    accounts, got = smaps_of(process.pid, process.tally)
    mappings = process.maps()
    checked = 0
    for account, mapping, (_, counts) in zip(accounts, mappings, got, strict=True):
        assert (account.start, account.end) == mapping[:2]
        assert counts.pages * PAGE == mapping.size == account.sizes["Size"]
        sizes = account.sizes
        assert counts.present is not None
        assert counts.swapped is not None
        assert counts.guard is not None
        if process.can_scan:
            huge = ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped")
            tlb = ("Shared_Hugetlb", "Private_Hugetlb")
            assert counts.huge == sum(sizes.get(name, 0) for name in (*huge, *tlb)) // PAGE
        if account.flags & UNCOUNTED:
            continue
        zero = 0
        if sizes["Rss"] != counts.present * PAGE:  # only then: it is slow
            frames = [frame for frame in process.pages(mapping).pfns() if frame != oracle.NONE]
            zeros = oracle.zero_frames(set(frames))
            zero = sum(frame in zeros for frame in frames)
        assert (counts.present - zero) * PAGE == sizes["Rss"]
        assert counts.anonymous is not None
        assert (counts.anonymous - zero) * PAGE == sizes["Anonymous"]
        assert (counts.swapped - counts.guard) * PAGE == sizes["Swap"]
        checked += 1
    assert checked > 10


def test_kinds_have_what_they_are_named_for(kind: str, process: pagemap.Process) -> None:
    fields = {"thp": "huge", "hugetlb": "huge", "swapped": "swapped", "guard": "guard"}
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
