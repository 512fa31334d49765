"""What is promised to come back, against what came back: the processes are killed for it.

The truth is what the kernel charges to the memory cgroup that they alone are in.
PAGEMAP_ENDING=MIB has all cases, with so much memory each, and looks at MemAvailable too.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import ending, workloads, zoo
from tests.kernel_settings import (
    Unavailable,
    huge_pages,
    setting,
    transparent_huge_pages,
    zram_swap,
)
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tests.conftest import Start

MIB = ending.MIB
LONG = int(os.environ.get("PAGEMAP_ENDING", "0"))
SIZE = (LONG or 4) * MIB
SLACK = MIB  # of the cgroup's own counting, which lags by 64 pages for each processor
OF_A_PROCESS = 160 << 10  # kernel memory, mostly slab, that nobody tells
KSM = Path("/sys/kernel/mm/ksm")
SLOW = {"merged by KSM", "swapped out", "one of two that swapped"}
SLOW |= {"huge pages", "removed file", "one that shares memory", "threads"}


@contextlib.contextmanager
def merging() -> Iterator[None]:
    """KSM at work, and quick."""
    with contextlib.ExitStack() as stack:
        for name, value in (("pages_to_scan", "50000"), ("sleep_millisecs", "20"), ("run", "1")):
            stack.enter_context(setting(KSM / name, value))
        yield


def needed(case: str) -> AbstractContextManager[object]:
    """What the machine must have for a case."""
    if "swapped" in case:
        return zram_swap(4 * SIZE + 256 * MIB)
    if case == "hugetlb":
        return huge_pages(8)
    if "KSM" in case:
        return merging()
    return transparent_huge_pages() if "huge" in case else contextlib.nullcontext()


def settled(group: ending.Cgroup, most: int) -> None:
    """Wait until KSM has merged what it can."""
    deadline = time.monotonic() + 120
    steady = 0
    while steady < 3:
        before = group.stat()["anon"]
        time.sleep(0.5)
        steady = steady + 1 if before == group.stat()["anon"] < most else 0
        if time.monotonic() > deadline:
            pytest.skip("KSM merges too slowly here")


def near(promised: int | None, came: int, *, more: int = 0) -> bool:
    assert promised is not None
    return abs(promised - came) <= max(came * 2 // 100, SLACK) + more


@pytest.mark.parametrize(
    "case", [case for case in ending.CASES if LONG or case not in SLOW], ids=str
)
def test_the_promise_is_kept(case: str, need_pfns: None) -> None:
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(needed(case))
            group = stack.enter_context(ending.cgroup())
            said = stack.enter_context(ending.running(ending.CASES[case], group, SIZE))
            if "merges" in said:
                settled(group, SIZE)
            judge(case, group, said)
    except Unavailable as reason:
        pytest.skip(str(reason))


def judge(case: str, group: ending.Cgroup, said: dict[str, object]) -> None:
    pids = said["pids"]
    assert isinstance(pids, list)
    before = group.stat(), group.usage()
    pools = ending.amount("HugePages_Free")
    table = pagemap.freed(pids)
    (row,) = table
    group.kill(pids)
    came = {name: size - group.stat()[name] for name, size in before[0].items()}
    usage = before[1] - group.usage()
    assert table.about["estimated"] is False
    assert row.processes == len(pids)
    parts = (row.anon, row.shmem, row.page_tables, row.kernel_stacks)
    assert row.frees == sum(part or 0 for part in parts)
    assert all(part is not None for part in parts)
    assert near(row.frees, usage, more=OF_A_PROCESS * len(pids)), (row, usage, came)
    if case == "part of huge pages":
        # memory.stat has mapped pages alone; their folios are still there
        assert (row.anon or 0) < came["anon"] // 2
        assert (row.stays_anon or 0) > SIZE * 7 // 8
    else:
        assert near(row.anon, came["anon"]), (row, came)
    assert near(row.shmem, came["shmem"]), (row, came)
    assert near(row.swap, came["swap"]), (row, came)
    # the pool is everybody's, and it is held for this case alone
    returned = ending.amount("HugePages_Free") - pools if case == "hugetlb" else 0
    assert row.hugetlb == returned * ending.amount("Hugepagesize")


@pytest.mark.skipif(not LONG, reason="others use memory too: PAGEMAP_ENDING=64 tries often")
@pytest.mark.parametrize("case", ["forked workers", "shared memory", "huge pages"])
def test_so_much_more_is_available(case: str, need_pfns: None) -> None:
    """By MemAvailable and what is on per-CPU lists, while others leave memory as it is."""
    errors = []
    with needed(case), ending.cgroup() as group:
        for _ in range(40):
            with ending.running(ending.CASES[case], group, SIZE):
                (row,) = pagemap.freed(group.pids())
                earlier = ending.available()
                time.sleep(0.2)
                before = ending.available()
                group.kill(group.pids())
                after = ending.available()
                time.sleep(0.2)
                later = ending.available()
            if max(abs(before - earlier), abs(later - after)) <= 4 * MIB:
                errors.append(abs(after - before - (row.frees or 0)))
            if len(errors) > 2:
                break
    if not errors:
        pytest.skip("others use and free memory all the time")
    assert min(errors) <= 16 * MIB, errors


def test_a_segment_that_is_not_marked_stays(need_pfns: None) -> None:
    """It is charged to the cgroup for as long as nobody removes it."""
    try:
        with ending.cgroup() as group:
            code = ending.CASES["segments of System V"]
            with ending.running(code, group, SIZE):
                (row,) = pagemap.freed(cgroup=str(group.path))
                assert row.shmem == SIZE
                assert row.group == str(group.path)
                group.kill(group.pids())
                assert near(group.stat()["shmem"], SIZE)
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_what_others_have_too_stays(need_pfns: None) -> None:
    """Of two processes with one address space none alone gives anything back but its stack."""
    with zoo.ZOO["CLONE_VM"]() as target:
        every = pagemap.freed(by="process").about["sharers"]
        assert isinstance(every, dict)
        (pids,) = [{pid, *others} for pid, others in every.items() if target.pid in {pid, *others}]
        for pid in pids:
            table = pagemap.freed([pid])
            (row,) = table
            assert (row.anon, row.shmem, row.page_tables) == (0, 0, 0)
            assert row.frees == row.kernel_stacks == table.about["stack"]
            assert table.about["held"]
        table = pagemap.freed(sorted(pids))
        assert (table[0].processes, table.about["held"]) == (2, [])
        with pagemap.Process(target.pid) as process:
            uss = process.footprint().uss
        assert table[0].anon > 0
        assert uss is not None
        # where programs are in tmpfs, their pages are nobody else's, and stay
        named = table[0].stays_shmem
        assert named is not None
        assert table[0].anon + table[0].droppable + named == uss


def test_a_file_of_tmpfs_that_has_a_name_stays(need_pfns: None) -> None:
    """Also where nobody else maps it."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(bytes(SIZE))
        file.flush()
        (before,) = pagemap.freed([os.getpid()])
        with mmap.mmap(file.fileno(), SIZE) as memory:
            assert memory[:] == bytes(SIZE)
            (row,) = pagemap.freed([os.getpid()])
    assert row.shmem == before.shmem
    assert None not in (row.stays_shmem, before.stays_shmem)
    assert (row.stays_shmem or 0) - (before.stays_shmem or 0) == SIZE


def test_groups_and_their_processes(need_pfns: None) -> None:
    """One walk for all groups says what a walk for one alone does."""
    try:
        with (
            ending.cgroup() as group,
            ending.running(ending.CASES["one of the workers"], group, SIZE),
        ):
            leader, *others = sorted(group.pids())
            family = [leader, *others]
            name = Path(f"/proc/{leader}/comm").read_text().strip()

            def each() -> tuple[list[pagemap.FreedRow], object]:
                rows = list(pagemap.freed(family, by="process"))
                alone = [(pid, pagemap.freed([pid])[0]) for pid in family]
                wanted = [row._replace(group=str(pid), name=name) for pid, row in alone]
                return sorted(rows, key=lambda row: family.index(int(row.group or 0))), wanted

            def all_of_them() -> tuple[object, object]:
                (named,), (whole,) = pagemap.freed(family, by="exe"), pagemap.freed(family)
                exe = os.path.realpath(f"/proc/{leader}/exe")
                return (named.group, named[1:]), (exe, whole[1:])

            # pages of libraries are others' too, who come and go
            rows = agreed(each)
            agreed(all_of_them)
            # what they have in common comes back with all of them, and is counted once
            (whole,) = pagemap.freed(family)
            assert sum(row.anon for row in rows) + SIZE // 2 <= whole.anon
            own = next(iter(pagemap.footprints([leader], names=["cgroup"])))

            def of_the_cgroup() -> tuple[object, object]:
                found = {row.group: row for row in pagemap.freed(by="cgroup")}[own.cgroup]
                return found[1:], pagemap.freed(family)[0][1:]

            agreed(of_the_cgroup)
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_an_estimate(start: Start) -> None:
    """By the kernel's sums, which anybody may read of his own processes."""
    target = start(workloads.dense(SIZE))
    table = pagemap.freed([target.pid], frames=False)
    (row,) = table
    assert table.about["estimated"] is True
    assert row.shmem is None
    with pagemap.Process(target.pid) as process:
        footprint = process.footprint()
    assert row.anon <= (footprint.anon or 0) + MIB
    assert row.anon >= (footprint.anon or 0) // 2
    assert row.page_tables
    at_most = table.about["at_most"]
    assert isinstance(at_most, int)
    assert at_most >= row.frees


def test_what_is_no_group() -> None:
    for given in ({}, {"targets": [1], "user": "root"}, {"by": "colour"}):
        with pytest.raises(pagemap.UsageError):
            pagemap.freed(**given)
    with pytest.raises(TypeError):
        pagemap.freed("self")
    gone = 1 << 22
    with pytest.raises(pagemap.NoSuchProcess):
        pagemap.freed([gone])
