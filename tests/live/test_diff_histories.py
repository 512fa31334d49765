"""Random histories of a live process, against the naive twin and the counts of maps."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pagemap
from pagemap._analyses.tally_plan import tellable
from tests import build, naive_diff, oracle
from tests.changes import PAGES
from tests.conftest import EXAMPLES
from tests.copies import copied
from tests.naive_diff import Naive, Page, Rules
from tests.target import run

if TYPE_CHECKING:
    from tests.oracle import MapsLine

PAGE = oracle.PAGE
TYPES = oracle.swap_type_names()
COUNTS = ("size", "rss", "anon", "file", "shmem", "present", "zero", "swap", "guard", "uffd_wp")
TWIN = ("amount", "size", "rss", "anon", "present", "zero", "swap", "guard", "uss")

deeds = st.lists(
    st.tuples(
        st.sampled_from("wwwwrrrrddummmppsslogngfe"),
        st.integers(0, PAGES - 1),
        st.sampled_from([1, 2, 5, 16, 64]),
    ),
    min_size=1,
    max_size=8,
)


def seen(lines: list[MapsLine], pid: int) -> dict[int, int]:
    """The entry of each page of these mappings, page by page."""
    return {
        line.start + number * PAGE: entry
        for line in lines
        for number, entry in enumerate(oracle.entries(pid, line.start, line.end))
    }


def settled(lines: list[MapsLine], pid: int) -> dict[int, int]:
    """The same, when a forked child has done its first steps, which copy pages of its parent."""
    found = seen(lines, pid)
    for _ in range(20):
        time.sleep(0.02)
        again = seen(lines, pid)
        if again == found:
            break
        found = again
    return found


def looked_at(entries: dict[int, int], zeros: set[int], at: int) -> Page:
    entry = entries.get(at, 0)
    if not entry >> 62:
        entry = 0
    return naive_diff.page(entry, TYPES, zero=oracle.pfn(entry) in zeros)


@pytest.mark.usefixtures("need_pfns", "need_root")
@settings(max_examples=max(EXAMPLES // 6, 1), suppress_health_check=list(HealthCheck))
@given(before=deeds, after=deeds)
def test_a_random_history(
    before: list[tuple[str, int, int]], after: list[tuple[str, int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(os.urandom(PAGES * PAGE))
        with run(build.apart(Path(__file__).parents[1] / "target_history.c"), path) as target:

            def do(deeds: list[tuple[str, int, int]]) -> None:
                for deed, first, pages in deeds:
                    target.tell(f"{deed} {first} {min(first + pages, PAGES)}\n")
                    target.wait_ready()

            do(before)
            lines = oracle.maps(target.pid)
            entries = settled(lines, target.pid)
            copy = copied(target.pid, Path(folder, "before"))
            with pagemap.Process(target.pid) as live:
                counts = tellable(live, COUNTS[1:])
                was = live.tally(counts)
            with pagemap.Process(target.pid, procfs=copy) as a:
                do(after)
                again = oracle.maps(target.pid)
                entries_again = settled(again, target.pid)
                with pagemap.Process(target.pid) as b:
                    rows = list(pagemap.diff(a, b))
                    total = pagemap.diff(a, b, by="path").total()
                    now = b.tally(counts)
    frames = {oracle.pfn(each) for each in (*entries.values(), *entries_again.values())}
    zeros = oracle.zero_frames({each for each in frames if each is not None})
    twin = Naive(
        lines,
        again,
        lambda at: looked_at(entries, zeros, at),
        lambda at: looked_at(entries_again, zeros, at),
        Rules(told=oracle.told_here()),
    )
    # Others map the same files, and end: bit 56 changes between two readings of a moment.
    files = {line.start for line in (*lines, *again) if line.path.startswith(("/", "[v"))}

    def of_others(start: int, kind: str) -> bool:
        return start in files and kind in {"became shared", "sole again"}

    names = [name for name in TWIN if name in {"amount", "size", "uss", *counts}]
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        if of_others(row.start, row.kind):
            continue
        sums = found.setdefault(row.kind, dict.fromkeys(names, 0))
        for name in names:
            sums[name] += getattr(row, name)
    wanted: dict[str, dict[str, int]] = {}
    for (start, kind), each in twin.sums.items():
        if each["amount"] and not of_others(int(start, 16), kind):
            sums = wanted.setdefault(kind, dict.fromkeys(names, 0))
            for name in names:
                sums[name] += each[name] * PAGE
    assert found == wanted
    for name in ("size", *counts):
        change = getattr(now.total(), name) - getattr(was.total(), name)
        assert sum(getattr(row, name) for row in rows) == change, name
        assert getattr(total, name) == change, name
