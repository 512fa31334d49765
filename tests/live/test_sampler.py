"""A Sampler against the kernel's own rollup; in threads, in forks, with budgets, at the end."""

from __future__ import annotations

import gc
import itertools
import mmap
import os
import select
import signal
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

import pagemap
from pagemap.sampler import COUNTS, Sample, Sampler
from tests import naive, oracle, workloads
from tests.live import scanning
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE
MIB = 1 << 20
# 100,000 where there is time for it.
SAMPLES = int(os.environ.get("PAGEMAP_SAMPLES", "600"))
# Of this smaps leaves pages out.
UNCOUNTED = {"hugetlb"}
HANG_SECONDS = 60


@pytest.fixture(params=["scan", "entries"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With PAGEMAP_SCAN, and without."""
    way: str = request.param
    if way == "entries":
        monkeypatch.setenv("PAGEMAP_DISABLE", "scan")
    else:
        monkeypatch.delenv("PAGEMAP_DISABLE", raising=False)
        with pagemap.Process("self") as process:
            if not process.can_scan:
                pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
    return way


@pytest.fixture
def dense(start: Start) -> Target:
    target = start(workloads.dense(64 * MIB))
    target.stop()
    return target


def steady(sample: Sample) -> Sample:
    """Without what other processes change: which pages of libraries are mapped here alone."""
    return sample._replace(exclusive=None)


def rollup(pid: int) -> dict[str, int]:
    """What smaps_rollup says, in pages, by our names."""
    sizes = {name: size // PAGE for name, size in oracle.smaps_rollup(pid).items()}
    return {
        "rss": sizes["Rss"],
        "swapped": sizes["Swap"],
        "anonymous": sizes["Anonymous"],
        "file": sizes["Rss"] - sizes["Anonymous"],
        "huge": sizes["AnonHugePages"] + sizes["ShmemPmdMapped"] + sizes["FilePmdMapped"],
        "exclusive": sizes["Private_Clean"] + sizes["Private_Dirty"],
    }


def pages_of_zeros(pid: int) -> int:
    """How often the page of zeros is mapped: by its own category, else by its frame's flag."""
    with mock.patch.dict(os.environ), pagemap.Process(pid) as process:
        os.environ.pop("PAGEMAP_DISABLE", None)
        if process.can_scan and process.can_find("pfnzero"):
            zero = pagemap.Category.PFNZERO
            return sum(each.end - each.start for each in process.regions(any_of=zero)) // PAGE
        if not process.pfns_visible:
            pytest.skip("pages of zeros: this kernel has no PAGEMAP_SCAN (6.7), and hides PFNs")
        frames = [frame for _, pages in process.populated() for frame in pages.pfns()]
        zeros = oracle.zero_frames({frame for frame in frames if frame != oracle.NONE})
        return sum(frame in zeros for frame in frames)


def test_smaps_rollup(kind: str, stopped: Target, way: str) -> None:
    if kind in UNCOUNTED:
        return
    with Sampler(stopped.pid) as sampler:
        for _ in range(20):
            before, sample, after = rollup(stopped.pid), sampler.sample(), rollup(stopped.pid)
            # `exclusive` moves when another process maps or leaves a library
            if before == after:
                break
    expected = after
    if kind == "guard":  # a marker stands where a swapped page has its place
        expected["swapped"] += stopped.first.pages // 2
    if way == "entries":
        assert sample.huge is None
        del expected["huge"]
    if sample.rss != expected["rss"]:  # a page that was only read is of zeros, and of no Rss
        zeros = pages_of_zeros(stopped.pid)
        assert zeros > 0
        expected["rss"] += zeros
        expected["anonymous"] += zeros
    assert not sample.partial
    assert {name: getattr(sample, name) for name in expected} == expected


@pytest.mark.parametrize("asked", [[name] for name in COUNTS] + [["rss", "swapped"], []])
def test_what_was_asked_alone(asked: list[str], dense: Target, way: str) -> None:
    if way == "entries" and "huge" in asked:
        with pytest.raises(pagemap.Unsupported, match=r"6\.7"):
            Sampler(dense.pid, counts=asked)
        return
    with Sampler(dense.pid, counts=asked) as sampler:
        for _ in range(10):
            before = rollup(dense.pid)
            samples = {sampler.sample() for _ in range(3)}
            if rollup(dense.pid) == before:
                break
    # three times the same: nothing of one sample is left in the next
    assert [sample._asdict() for sample in samples] == [
        {**dict.fromkeys(COUNTS), **{name: before[name] for name in asked}, "partial": False}
    ]


def own_growth(counts: list[str] | None = None) -> tuple[Sample, Sample]:
    """Our own memory, before and after 16 MiB more of it."""
    with Sampler(counts=counts) as sampler:
        before = sampler.sample()
        with mmap.mmap(-1, 16 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            for at in range(0, 16 * MIB, PAGE):
                memory[at] = 1
            return before, sampler.sample()


def check_growth(before: Sample, after: Sample) -> None:
    grown = 16 * MIB // PAGE
    for name in ("rss", "anonymous", "exclusive"):
        then, now = getattr(before, name), getattr(after, name)
        assert then > 0
        if name == "exclusive":
            # A fork's pages become so when the other of the two writes, a library's cease to be
            # when another process maps it.
            assert now - then >= grown - 1000
        else:
            assert grown <= now - then <= grown + 500, name
    assert not after.partial


def test_own_process(way: str) -> None:
    check_growth(*own_growth())


def test_own_process_as_nobody(need_root: None, way: str) -> None:
    own_growth()  # what is imported late, nobody may be unable to read
    check_growth(*as_nobody(own_growth))


def test_threads(dense: Target, way: str) -> None:
    """One Sampler in eight hands at once: nobody sees half of another's counts."""
    with Sampler(dense.pid) as sampler, ThreadPoolExecutor(8) as pool:
        expected = steady(sampler.sample())
        assert expected.rss == rollup(dense.pid)["rss"]
        together = threading.Barrier(8)

        def many(_number: int) -> set[Sample]:
            together.wait()
            return {steady(sampler.sample()) for _ in range(10)}

        assert set().union(*pool.map(many, range(8))) == {expected}


def in_child(function: Callable[[], object]) -> None:
    """Run it in a fork; fails when it raises, and when it does not end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    ended = os.pidfd_open(child)
    try:
        if not select.select([ended], [], [], HANG_SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(ended)
    assert status == 0, f"the child ended with status {status}"


def test_fork_of_own_process(way: str) -> None:
    """The child has memory that the parent has not, and sees it."""
    with Sampler() as sampler:
        before = sampler.sample()

        def child() -> None:
            with mmap.mmap(-1, 32 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
                memory.madvise(mmap.MADV_NOHUGEPAGE)
                for at in range(0, 32 * MIB, PAGE):
                    memory[at] = 1
                with Sampler() as fresh:
                    mine, true = sampler.sample(), fresh.sample()
            assert mine.exclusive is not None
            assert true.exclusive is not None
            assert before.exclusive is not None
            assert mine.exclusive >= 32 * MIB // PAGE
            assert abs(mine.exclusive - true.exclusive) < 300

        in_child(child)
        after = sampler.sample()
        assert before.rss is not None
        assert after.rss is not None
        assert abs(after.rss - before.rss) < 4000


def test_fork_with_another_target(dense: Target, way: str) -> None:
    with Sampler(dense.pid) as sampler:
        expected = steady(sampler.sample())

        def child() -> None:
            assert steady(sampler.sample()) == expected

        in_child(child)
        assert steady(sampler.sample()) == expected


def test_fork_while_threads_sample(way: str) -> None:
    """A fork takes no thread along, so nobody in the child would give back a lock that is held."""
    with Sampler() as sampler:
        stop = threading.Event()

        def busy() -> None:
            while not stop.is_set():
                sampler.sample()

        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(8):
                in_child(sampler.sample)
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@pytest.fixture
def pages_in_order(dense: Target) -> list[int]:
    """The entries of all populated pages, in order of address."""
    return [
        entry for words in scanning.see(dense).entries for entry in words if naive.populated(entry)
    ]


def cumulated(entries: list[int]) -> set[tuple[int, ...]]:
    """What counts of lower addresses alone there can be."""
    names = ("present", "swapped", "anonymous", "file_or_shared")
    columns = []
    for name in names:
        if name == "anonymous":
            marks = [
                oracle.has(entry, "present") and not oracle.has(entry, "file_or_shared")
                for entry in entries
            ]
        else:
            marks = [oracle.has(entry, name) for entry in entries]
        columns.append(itertools.accumulate(marks, initial=0))
    return set(zip(*columns, strict=True))


def test_budget_of_pages(dense: Target, pages_in_order: list[int], way: str) -> None:
    possible = cumulated(pages_in_order)
    last = 0
    with Sampler(dense.pid) as sampler:
        for limit in (1, 100, 4096, 4097, 9000, len(pages_in_order) - 1):
            sample = sampler.sample(max_pages=limit)
            assert sample.partial or limit == len(pages_in_order) - 1
            known = sample.rss, sample.swapped, sample.anonymous, sample.file
            assert known in possible
            assert sample.rss is not None
            assert sample.rss >= min(limit, last)
            last = sample.rss
        whole = sampler.sample(max_pages=10 * len(pages_in_order))
        assert not whole.partial
        assert whole.rss == len(pages_in_order)
        assert steady(sampler.sample()) == steady(whole)


def test_budget_of_time(dense: Target, pages_in_order: list[int], way: str) -> None:
    possible = cumulated(pages_in_order)
    with Sampler(dense.pid) as sampler:
        whole = sampler.sample()
        for seconds in (1e-6, 1e-9, 1e-12):  # the last is less than a clock can tell
            sample = sampler.sample(max_seconds=seconds)
            assert sample.partial
            known = sample.rss, sample.swapped, sample.anonymous, sample.file
            assert known in possible
        for seconds in (3600.0, 1e15, float("inf")):
            assert steady(sampler.sample(max_seconds=seconds)) == steady(whole)


def test_budget_where_nothing_is(start: Start, way: str) -> None:
    """A page in 16 MiB of a gigabyte: to look for them must not use up a limit of pages."""
    target = start(workloads.sparse(1 << 30))
    target.stop()
    with Sampler(target.pid) as sampler:
        whole = sampler.sample()
        assert whole.rss is not None
        assert steady(sampler.sample(max_pages=2 * whole.rss)) == steady(whole)


def test_targets_end(start: Start, way: str) -> None:
    for end in ("x", "e"):
        target = start(workloads.idle())
        with Sampler(target.pid) as sampler:
            assert (sampler.sample().rss or 0) > 0
            target.tell(end)
            if end == "e":
                target.wait_ready()
            else:
                workloads.wait_until(
                    lambda: b") Z " in Path(f"/proc/{target.pid}/stat").read_bytes()  # noqa: B023
                )
            for _ in range(2):
                with pytest.raises(pagemap.TargetVanished):
                    sampler.sample()


def test_closed() -> None:
    sampler = Sampler()
    sampler.close()
    sampler.close()
    with pytest.raises(pagemap.ClosedProcess, match="closed"):
        sampler.sample()


def test_nonsense() -> None:
    none_such = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    with pytest.raises(pagemap.NoSuchProcess):
        Sampler(none_such)
    with pytest.raises(pagemap.UsageError, match="rss"):
        Sampler(counts=["present"])
    with Sampler() as sampler:
        with pytest.raises(pagemap.UsageError, match="negative"):
            sampler.sample(max_pages=-1)
        with pytest.raises(pagemap.UsageError, match="negative"):
            sampler.sample(max_seconds=-0.5)


@pytest.fixture
def flat() -> Iterator[None]:
    """Descriptors and threads afterwards as before."""
    before = set(os.listdir("/proc/self/fd")), threading.active_count()
    yield
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == before


def test_samples_leave_nothing(flat: None, way: str) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE

    rounds = SAMPLES if way == "scan" else SAMPLES // 3
    with Sampler() as sampler:
        for _ in range(200):
            sampler.sample()
        gc.collect()
        memory = resident()
        for _ in range(rounds):
            sampler.sample()
        assert resident() - memory < MIB
        tracemalloc.start()
        try:
            sampler.sample()
            early = tracemalloc.get_traced_memory()[0]
            for _ in range(300):
                sampler.sample()
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - early < 5000
        finally:
            tracemalloc.stop()
