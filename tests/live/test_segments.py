"""Physical segments of real processes, beside a naive walk over their entries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads
from tests.live.as_nobody import without_admin
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20
KINDS: dict[str, Callable[[], AbstractContextManager[workloads.Target]]] = {
    "dense": lambda: workloads.dense(8 * MIB),
    "sparse": lambda: workloads.sparse(64 * MIB, MIB),
    "file": workloads.file,
    "shared": workloads.shared,
    "thp": workloads.thp,
    "hugetlb": workloads.hugetlb,
    "swapped": workloads.swapped,
    "guard": workloads.guard,
    "ksm": workloads.ksm,
    "many": lambda: workloads.many(3000),
}


def naive(pid: int, first: int = 0, last: int = 1 << 64) -> list[tuple[int, int, int]]:
    """Start, end and physical address of each segment between two addresses, page by page."""
    found: list[tuple[int, int, int]] = []
    for line in oracle.maps(pid):
        start, end = max(line.start, first), min(line.end, last)
        if line.path == "[vsyscall]" or start >= end:
            continue
        for number, entry in enumerate(oracle.entries(pid, start, end)):
            address, frame = start + number * PAGE, oracle.pfn(entry)
            if frame is None:
                continue
            place = frame * PAGE
            if found and found[-1][1] == address and found[-1][2] - found[-1][0] == place - address:
                found[-1] = found[-1][0], address + PAGE, found[-1][2]
            else:
                found.append((address, address + PAGE, place))
    return found


def told(process: pagemap.Process, **asked: object) -> list[tuple[int, int, int]]:
    segments = process.segments(**asked)  # type: ignore[arg-type]
    return [(row.start, row.end, row.physical) for row in segments.rows()]


@pytest.mark.usefixtures("need_pfns")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_beside_a_naive_walk(start: Start, kind: str, threads: int) -> None:
    target = start(KINDS[kind]())
    target.stop()
    with pagemap.Process(target) as process:
        # the kernel may move pages of a stopped process too
        found = agreed(lambda: (told(process, threads=threads), naive(target.pid)))
        table = process.segments(transfer=3 * PAGE).snapshot()
        assert [row.size for row in table] == [end - start for start, end, _ in found]
        assert [row.transfers for row in table] == [
            -(-(end - start) // (3 * PAGE)) for start, end, _ in found
        ]
        assert {row.node for row in table} <= {0, 1, 2, 3}
        area = target.first
        part = (area.start + PAGE, area.end - PAGE)
        agreed(lambda: (told(process, ranges=[part]), naive(target.pid, *part)))


@pytest.mark.usefixtures("need_pfns")
def test_huge_pages_are_whole(start: Start) -> None:
    """A hugetlb range has one segment for each page, or for several that lie in a row."""
    size = workloads.huge_page_bytes()
    target = start(workloads.hugetlb(3))
    area = target.first
    with pagemap.Process(target) as process:
        table = process.segments(ranges=[(area.start, area.end)]).snapshot()
    assert sum(row.size for row in table) == 3 * size
    assert 1 <= len(table) <= 3
    assert all(row.size % size == row.physical % size == 0 for row in table)


@pytest.mark.usefixtures("need_pfns")
def test_wrong_arguments(start: Start) -> None:
    with pagemap.Process("self") as process:
        for name, value in (("transfer", 0), ("threads", 0)):
            with pytest.raises(pagemap.UsageError, match=name):
                process.segments(**{name: value})  # type: ignore[arg-type]
        with pytest.raises(pagemap.UsageError):
            process.segments(ranges=[(PAGE, PAGE)])


def hidden() -> str:
    with pagemap.Process("self") as process:
        try:
            process.segments()
        except pagemap.PfnsHidden as error:
            return str(error)
    return ""


def test_hidden(pfns_visible: bool) -> None:
    if pfns_visible and os.geteuid() != 0:
        pytest.skip("everybody sees PFNs here")
    assert "CAP_SYS_ADMIN" in (without_admin(hidden) if pfns_visible else hidden())


@pytest.mark.usefixtures("need_pfns")
def test_a_target_that_ends_is_no_short_answer(start: Start) -> None:
    target = start(workloads.dense(8 * MIB))
    with pagemap.Process(target) as process:
        segments = process.segments()
        target.kill()
        with pytest.raises(pagemap.TargetVanished):
            segments.snapshot()
