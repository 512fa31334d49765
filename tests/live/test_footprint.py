"""Footprints against the kernel's own sums, both ways of making them, on stopped targets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.gentle import Gentle
from pagemap._kernel import smaps
from pagemap._native.footprint import Chunks, Room, Walk
from tests import oracle, workloads
from tests.live.as_nobody import as_nobody
from tests.looks import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from tests.conftest import Start

PAGE = oracle.PAGE
KIB = 1024
MIB = 1 << 20
CHILDREN = 5
KEYS = {
    "rss": "Rss",
    "pss": "Pss",
    "swap": "Swap",
    "swap_pss": "SwapPss",
    "shared_clean": "Shared_Clean",
    "shared_dirty": "Shared_Dirty",
    "private_clean": "Private_Clean",
    "private_dirty": "Private_Dirty",
    "shared_hugetlb": "Shared_Hugetlb",
    "private_hugetlb": "Private_Hugetlb",
    "anon": "Anonymous",
    "referenced": "Referenced",
    "lazyfree": "LazyFree",
    "locked": "Locked",
}

THP = ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped")

Sums = dict[str, int]
Rows = list[tuple[int, int, Sums]]
Row = pagemap.FootprintRow | pagemap.MappingFootprintRow
MappingRows = list[pagemap.MappingFootprintRow]
Wrong = dict[tuple[int, str], tuple[object, object]]  # by where it starts and by its word


def named(sizes: Sums) -> Sums:
    found = {name: sizes[key] for name, key in KEYS.items()}
    found["uss"] = found["private_clean"] + found["private_dirty"]
    found["hugetlb_pss"] = found["private_hugetlb"]  # nobody shares any here
    found["shared"] = found["shared_clean"] + found["shared_dirty"]
    found["clean"] = found["shared_clean"] + found["private_clean"]
    found["dirty"] = found["shared_dirty"] + found["private_dirty"]
    found["hugetlb"] = found["private_hugetlb"]
    found["thp"] = sum(sizes.get(key, 0) for key in THP)
    return found


def kernels(pid: int) -> tuple[Sums, Rows]:
    """What smaps_rollup and smaps say; without the fields that Linux 4.14 has not."""
    mappings = oracle.parse_smaps(Path(f"/proc/{pid}/smaps").read_bytes())
    each = [(one.start, one.end, named(one.sizes)) for one in mappings]
    return named(oracle.smaps_rollup(pid)), each


def exact(sums: Sums) -> Sums:
    """What a walk must tell as smaps does, to the byte."""
    dirty = sums["shared_dirty"] + sums["private_dirty"]
    return {
        "rss": sums["rss"],
        "anon": sums["anon"],
        "uss": sums["private_clean"] + sums["private_dirty"],
        "shared": sums["shared_clean"] + sums["shared_dirty"],
        "swap": sums["swap"],
        "dirty": dirty,
        "shared_hugetlb": sums["shared_hugetlb"],
        "private_hugetlb": sums["private_hugetlb"],
    }


@pytest.fixture
def gentle(need_pfns: None) -> Iterator[Gentle]:
    if not oracle.may_read("/proc/kpagecount"):
        pytest.skip("/proc/kpagecount cannot be read: needs CAP_DAC_READ_SEARCH")
    with Gentle(1) as gentle:
        yield gentle


def check_kernels_sums(pid: int) -> None:
    """Each is what the kernel said before, or what it said after."""

    def wrong(whole: Row, each: MappingRows, rollup: Sums, mappings: Rows) -> Wrong:
        assert [(row.start, row.end) for row in each] == [row[:2] for row in mappings]
        return {
            (start, name): (getattr(row, name), size)
            for row, (start, _, sums) in zip(
                [whole, *each], [(0, 0, rollup), *mappings], strict=True
            )
            for name, size in sums.items()
            if getattr(row, name) != size
        }

    def differences() -> Wrong:
        before = kernels(pid)
        with pagemap.Process(pid) as process:
            told = process.footprint(), list(process.footprints())
        found = wrong(*told, *before)
        if found:
            found = {key: both for key, both in wrong(*told, *kernels(pid)).items() if key in found}
        return found

    settled(differences)


def check_walk(pid: int, gentle: Gentle) -> None:
    def of_one(start: int, held: Row, sums: Sums, most: int) -> Wrong:
        """What a walk tells, and what it must: PSS is to be near."""
        wanted: dict[str, int | None] = {**exact(sums), "swap_pss": None}
        ours = {name: getattr(held, name) for name in wanted}
        # who wrote to what swap has a copy of, or to shared memory read first, only smaps sees
        for name in ("dirty", "swap"):
            if ours[name] is None:
                wanted[name] = None
        pss = held.pss or 0
        if abs(pss - sums["pss"]) >= most:
            ours, wanted = {**ours, "pss": pss}, {**wanted, "pss": sums["pss"]}
        return {(start, each): (ours[each], wanted[each]) for each in wanted
                if ours[each] != wanted[each]}  # fmt: skip

    def wrong(whole: Row, each: MappingRows, rollup: Sums, mappings: Rows) -> Wrong:
        assert [(held.start, held.end) for held in each] == [row[:2] for row in mappings]
        # smaps_rollup rounds once, down to whole KiB; so does a walk, to whole bytes
        found = of_one(0, whole, rollup, KIB)
        for held, (start, _, sums) in zip(each, mappings, strict=True):
            found |= of_one(start, held, sums, PAGE)
        return found

    def differences() -> Wrong:
        before = kernels(pid)
        told = process.footprint(gentle=gentle), list(process.footprints(gentle=gentle))
        found = wrong(*told, *before)
        if found:
            found = {key: both for key, both in wrong(*told, *kernels(pid)).items() if key in found}
        return found

    with pagemap.Process(pid) as process:
        settled(differences)


def test_the_kernels_sums(stopped: workloads.Target) -> None:
    check_kernels_sums(stopped.pid)


def test_a_gentle_walk(stopped: workloads.Target, gentle: Gentle) -> None:
    check_walk(stopped.pid, gentle)
    assert gentle.chunks > 0
    assert 0 < gentle.longest <= gentle.held


def test_a_gentle_walk_without_scans(
    stopped: workloads.Target, gentle: Gentle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGEMAP_DISABLE", "scan")
    check_walk(stopped.pid, gentle)


@pytest.mark.parametrize("kind", ["dense", "file", "shared", "thp", "swapped", "ksm", "zero"])
def test_a_forked_family(kind: str, start: Start, gentle: Gentle) -> None:
    """Anonymous pages, huge ones and swap of several, counted in each of them."""
    target = start(workloads.KINDS[kind]())
    family = [target.pid, *(target.ask("f") for _ in range(CHILDREN))]
    target.stop()
    for pid in family:
        check_kernels_sums(pid)
        check_walk(pid, gentle)


def test_what_a_family_takes_together(start: Start, gentle: Gentle) -> None:
    """PSS adds up: of memory that all share, to what it is once."""
    target = start(workloads.dense(4 * MIB))
    family = [target.pid, *(target.ask("f") for _ in range(CHILDREN))]
    target.stop()
    area = target.first
    for way in (None, gentle):
        pss = 0
        for pid in family:
            with pagemap.Process(pid) as process:
                (held,) = (row for row in process.footprints(gentle=way) if row.start == area.start)
                assert held.rss == held.shared == area.end - area.start
                pss += held.pss or 0
        assert 4 * MIB - len(family) * KIB <= pss <= 4 * MIB


def test_one_chunk_after_another(start: Start, gentle: Gentle) -> None:
    """Of so many pages as are there, no chunk has more than 512; holes cost a few."""
    dense = start(workloads.dense(64 * MIB))
    dense.stop()
    with pagemap.Process(dense.pid) as process:
        process.footprint(gentle=gentle)
    assert gentle.chunks >= 64 * MIB // PAGE // 512
    before = gentle.chunks
    with Gentle(1) as other:
        sparse = start(workloads.sparse(64 << 30, 1 << 30))
        sparse.stop()
        with pagemap.Process(sparse.pid) as process:
            if not process.can_scan:
                pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
            process.footprint(gentle=other)
        # a scan for each GiB, a read for each page in it, and some for libraries
        assert other.chunks < 64 * 4 + 200
    assert gentle.chunks == before


def test_pauses(start: Start, need_pfns: None) -> None:
    target = start(workloads.dense(32 * MIB))
    with Gentle(0.5) as gentle, pagemap.Process(target.pid) as process:
        process.footprint(gentle=gentle)
        assert gentle.paused > 0
    with Gentle(1) as gentle, pagemap.Process(target.pid) as process:
        process.footprint(gentle=gentle)
        assert gentle.paused == 0


def test_a_step_is_not_pushed_off_the_processor(
    start: Start, gentle: Gentle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it may hold the target's lock, and only then; without the right to it is as it was."""
    target = start(workloads.idle())
    seen: list[int] = []
    step = Walk.step

    def watched(walk: Walk, room: Room, chunks: Chunks) -> int:
        seen.append(os.sched_getscheduler(0))
        return step(walk, room, chunks)

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Walk, "step", watched)
    before = os.sched_getscheduler(0)
    with pagemap.Process(target.pid) as process:
        process.footprint(gentle=gentle)
        assert os.sched_getscheduler(0) == before
        with monkeypatch.context() as patched:
            patched.setattr(os, "sched_setscheduler", refused)
            allowed = set(seen)
            process.footprint(gentle=gentle)
    assert seen[-1] == before
    if allowed == {before}:
        pytest.skip("real-time scheduling is not allowed: needs CAP_SYS_NICE")
    assert allowed == {os.SCHED_FIFO}


@pytest.mark.parametrize("budget", [0, -1, 1.01, float("nan")])
def test_budgets_that_are_none(budget: float) -> None:
    with pytest.raises(pagemap.UsageError, match="budget must be a share of a core"):
        Gentle(budget)


def test_a_target_that_is_gone(start: Start, gentle: Gentle) -> None:
    target = start(workloads.dense())
    with pagemap.Process(target.pid) as process:
        target.kill()
        for way in (None, gentle):
            with pytest.raises(pagemap.TargetVanished):
                process.footprint(gentle=way)
            with pytest.raises(pagemap.TargetVanished):
                process.footprints(gentle=way)


def after_one_step(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have `act` called once, between two steps of a walk, or two mappings of smaps."""
    pending = [act]
    step, parse = Walk.step, smaps.parse

    def watched(walk: Walk, room: Room, chunks: Chunks) -> int:
        found = step(walk, room, chunks)
        while pending:
            pending.pop()()
        return found

    def parsed(blocks: Iterator[bytes], names: Container[bytes]) -> Iterator[object]:
        for each in parse(blocks, names):
            yield each
            while pending:
                pending.pop()()

    monkeypatch.setattr(Walk, "step", watched)
    monkeypatch.setattr(smaps, "parse", parsed)


def test_a_target_that_is_killed_within_a_walk(
    start: Start, gentle: Gentle, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = start(workloads.many(20_000))
    with pagemap.Process(target.pid) as process:
        after_one_step(monkeypatch, target.kill)
        with pytest.raises(pagemap.TargetVanished):
            process.footprints(gentle=gentle)


@pytest.mark.parametrize("walked", [False, True])
def test_an_exec_within_a_walk(
    start: Start, gentle: Gentle, monkeypatch: pytest.MonkeyPatch, walked: bool
) -> None:
    target = start(workloads.many(20_000))

    def exec_now() -> None:
        target.tell("e")
        target.wait_ready()

    with pagemap.Process(target.pid) as process:
        after_one_step(monkeypatch, exec_now)
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            process.footprints(gentle=gentle if walked else None)
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            process.footprint()


def test_a_kernel_thread(need_root: None) -> None:
    try:
        process = pagemap.Process(2)
    except pagemap.PagemapError:
        pytest.skip("no kernel threads are to be seen in this PID namespace")
    with process:
        if not process.kernel_thread:
            pytest.skip("process 2 of this PID namespace is no kernel thread")
        assert process.footprint().rss == process.footprint().swap == 0
        assert len(process.footprints()) == 0


def own_footprint() -> tuple[int, int, int]:
    with pagemap.Process("self") as process:
        held = process.footprint()
        return held.rss or 0, held.pss or 0, process.footprints().total().rss or 0


def test_ones_own_without_rights(need_root: None) -> None:
    rss, pss, by_mapping = as_nobody(own_footprint)
    assert 0 < pss <= rss
    assert by_mapping > 0


def test_a_gentle_walk_without_rights(need_root: None) -> None:
    with pytest.raises(pagemap.AccessDenied) as caught:
        as_nobody(Gentle)
    message = str(caught.value)
    assert "/proc/kpagecount" in message
    assert "CAP_DAC_READ_SEARCH" in message


def test_where_pfns_are_hidden(start: Start, gentle: Gentle) -> None:
    target = start(workloads.idle())
    with pagemap.Process(target.pid) as process:
        process.pfns_visible = False
        with pytest.raises(pagemap.PfnsHidden, match=rf"/proc/{target.pid}/pagemap.*CAP_SYS_ADMIN"):
            process.footprint(gentle=gentle)
