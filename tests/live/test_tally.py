"""Tallies of each mapping: against the pages one reads, and against smaps."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses import tally_plan
from pagemap._vocabulary.rows.tally import COUNTS
from tests import held, oracle, workloads, zoo_kernel
from tests.live import scanning
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE
MIB = 1 << 20
# What smaps and entries tell; of a page's other kinds, and of soft-dirty, other tests make some.
KNOWN = ["present", "rss", "zero", "hugetlb", "swap", "guard", "file", "shmem", "anon"]
KNOWN += ["uss", "uffd_wp"]
ASKED: list[list[str]] = [
    *([name] for name in KNOWN),
    *(list(pair) for pair in itertools.combinations(KNOWN, 2)),
    [],
    KNOWN,
]

Rows = list[tuple[int, int, dict[str, int | None]]]


@pytest.fixture(scope="module", params=[True, False], ids=["scan", "entries"])
def process(request: pytest.FixtureRequest, stopped: Target) -> Iterator[pagemap.Process]:
    with scanning.opened(stopped, scan=request.param) as process:
        yield process


def tallied(process: pagemap.Process, asked: Sequence[str] | None, threads: int | None) -> Rows:
    return [
        (row.start, row.end, {name: getattr(row, name) for name in ("size", *COUNTS)})
        for row in process.tally(asked, threads=threads)
    ]


def by_pages(process: pagemap.Process) -> Rows:
    """Each mapping's counts out of smaps and of all its entries."""
    smaps = Path(f"/proc/{process.pid}/smaps").read_bytes()
    return _by_pages(
        smaps,
        tuple(bytes(pages.entries) for pages in process.pages_of(process.maps())),
        tuple(oracle.maps(process.pid)),
    )


# What rests is counted once: what it is counted from is read each time, and compared.
@functools.lru_cache(maxsize=2)
def _by_pages(smaps: bytes, entries: Sequence[bytes], lines: Sequence[oracle.MapsLine]) -> Rows:
    result: Rows = []
    shmem = held.shmem_devices()
    for account, raw, line in zip(oracle.parse_smaps(smaps), entries, lines, strict=True):
        told = held.held(account, memoryview(raw).cast("Q").tolist())
        parts = held.parted(told, line, shmem)
        counts: dict[str, int | None] = {**parts, "size": account.end - account.start}
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
                name: counts.get(name) if name in asked or name == "size" else None
                for name in ("size", *COUNTS)
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
        fixed = ours or not (known.get("file") or known.get("shmem"))
        result.append((start, end, counts if fixed else {**counts, "uss": None}))
    return result


def first_difference(got: Rows, wanted: Rows) -> object:
    if len(got) != len(wanted):
        return len(got), len(wanted)
    return next(((g, w) for g, w in zip(got, wanted, strict=True) if g != w), None)


def test_each_count_and_each_pair(process: pagemap.Process, stopped: Target) -> None:
    """Whatever is asked for decides how it is counted, and never what comes out."""
    choices = [asked for asked in ASKED if tellable(process, asked)]
    if len(process.maps()) > 5_000:
        choices = [["present"], ["uss", "swap"]]
    before = by_pages(process)
    if sum(counts["size"] or 0 for _, _, counts in before) > 100_000 * PAGE:
        choices = [asked for asked in choices if len(asked) != 2]  # Python looks at each page
    for asked, threads in itertools.product(choices, (1, 3)):

        def look(asked: list[str] = asked, threads: int = threads) -> tuple[object, object]:
            nonlocal before
            wanted = settle(told(before, asked), before, stopped)
            ours = settle(tallied(process, asked, threads), before, stopped)
            if ours != wanted:
                before = by_pages(process)
            return (asked, threads, first_difference(ours, wanted)), (asked, threads, None)

        agreed(look)


def test_all_that_can_be_told(process: pagemap.Process, stopped: Target) -> None:
    known = [name for name in KNOWN if tellable(process, [name])]
    names = ["size", *known]

    def look() -> tuple[object, object]:
        before: Rows = [
            (start, end, {name: counts[name] for name in names})
            for start, end, counts in by_pages(process)
        ]
        got = process.tally(known)
        rows: Rows = [
            (row.start, row.end, {name: getattr(row, name) for name in names}) for row in got
        ]
        ours, wanted = settle(rows, before, stopped), settle(before, before, stopped)
        sums = got.total()
        return (
            {name: getattr(sums, name) for name in names if name != "uss"},
            first_difference(ours, wanted),
        ), (
            {
                name: sum(counts[name] or 0 for _, _, counts in before)
                for name in names
                if name != "uss"
            },
            None,
        )

    agreed(look)
    assert all((row.huge is not None) == process.can_scan for row in process.tally())


def test_smaps(kind: str, process: pagemap.Process) -> None:
    """RSS was PRESENT (81.6M for 69.6M), and zero pages were anonymous memory.

    HUGE was whatever the scan calls so: holes of hugetlb as well.
    """
    names = ["size", "rss", "anon", "file", "shmem", "swap", "hugetlb", "present"]
    names += ["guard"] if tellable(process, ["guard"]) else []
    if process.can_scan:
        names += ["zero", "huge"]

    def look() -> tuple[Rows, object]:
        wanted = [
            (start, end, {name: account[name] for name in names})
            for start, end, account in by_pages(process)
        ]
        return [
            (row.start, row.end, {name: getattr(row, name) for name in names})
            for row in process.tally()
        ], wanted

    assert len(agreed(look)) > 10


def test_parts_are_the_kernels_own(stopped: Target, process: pagemap.Process) -> None:
    """RssAnon, RssFile and RssShmem of the whole process, which the kernel keeps as it goes."""
    wanted = zoo_kernel.status(stopped.pid)
    sums = process.tally(["anon", "file", "shmem"]).total()
    for name in ("anon", "file", "shmem"):
        off = getattr(sums, name) - wanted[f"rss_{name}"]
        assert abs(off) <= zoo_kernel.STATUS_SLACK, (name, sums, wanted)


def test_kinds_have_what_they_are_named_for(kind: str, process: pagemap.Process) -> None:
    fields = {"thp": "huge", "hugetlb": "huge", "swapped": "swap", "guard": "guard"}
    fields |= {"zero": "zero"} if tellable(process, ["zero"]) else {}
    fields |= {"uffd_wp": "uffd_wp", "file": "file", "dense": "uss"}
    if (name := fields.get(kind)) is None or (name == "huge" and not process.can_scan):
        return
    sums = process.tally([name]).total()
    assert getattr(sums, name) > 0
    assert sums.present == (None if name != "present" else sums.present)


def test_all_of_a_large_target(start: Start) -> None:
    """Several pieces for several threads: sums of pieces of one mapping are its counts."""
    target = start(workloads.sparse(768 * MIB, 3 * PAGE))
    target.stop()
    pages = -(-768 * MIB // (3 * PAGE))
    for scan in (True, False):
        with scanning.opened(target, scan=scan) as process:
            for asked in (["present"], ["uss", "anon"], None):
                for threads in (1, 2, 8):
                    got = [
                        row
                        for row in process.tally(asked, threads=threads)
                        if row.start <= target.first.start < row.end
                    ]
                    assert len(got) == 1
                    for name in asked or ("present", "anon"):
                        assert getattr(got[0], name) == pages * PAGE, (scan, threads, name)


def test_huge_without_a_scan(start: Start) -> None:
    target = start(workloads.idle())
    with (
        scanning.opened(target, scan=False) as process,
        pytest.raises(pagemap.Unsupported, match=r"huge.*6\.7"),
    ):
        process.tally(["huge"])


@pytest.mark.parametrize("scan", [True, False], ids=["scan", "entries"])
def test_vanished(start: Start, scan: bool) -> None:
    target = start(workloads.idle())
    with scanning.opened(target, scan=scan) as process:
        assert len(process.tally())
        target.kill()
        for asked in (None, ["present"], []):
            with pytest.raises(pagemap.TargetVanished):
                process.tally(asked)
