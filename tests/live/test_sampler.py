"""A Sampler against the kernel's own rollup; in threads, in forks, with budgets, at the end."""

from __future__ import annotations

import gc
import mmap
import os
import select
import signal
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses import tally_plan
from pagemap._history.sampler import COUNTS, Sample, Sampler
from tests import oracle, workloads
from tests.live.as_nobody import as_nobody
from tests.live.sampling import lag, made_dense, steady, way_of_counting  # noqa: F401 - fixtures
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE
MIB = 1 << 20
# 100,000 where there is time for it.
SAMPLES = int(os.environ.get("PAGEMAP_SAMPLES", "600"))
HANG_SECONDS = 60


def rollup(pid: int) -> dict[str, int]:
    """What smaps_rollup says, in bytes, by our names."""
    sizes = oracle.smaps_rollup(pid)
    hugetlb = sizes["Shared_Hugetlb"] + sizes["Private_Hugetlb"]
    huge = sizes["AnonHugePages"] + sizes["ShmemPmdMapped"] + sizes["FilePmdMapped"]
    return {
        "rss": sizes["Rss"],
        "swap": sizes["Swap"],
        "anon": sizes["Anonymous"],
        "file_or_shared": sizes["Rss"] - sizes["Anonymous"],
        "huge": huge + hugetlb,
        "uss": sizes["Private_Clean"] + sizes["Private_Dirty"],
        "hugetlb": hugetlb,
    }


def test_smaps_rollup(kind: str, stopped: Target, way: str) -> None:
    """Sample.rss counted zero pages and hugetlb, and pages where bytes are meant."""
    seen: list[Sample] = []

    def look() -> tuple[object, object]:
        expected: dict[str, int | None] = {**rollup(stopped.pid)}
        seen.append(sampler.sample())
        if way == "entries":
            expected["huge"] = None
        return {name: getattr(seen[-1], name) for name in expected}, expected

    with Sampler(stopped.pid) as sampler:
        agreed(look)
        sample = seen[-1]
        rss, hugetlb = sample.rss or 0, sample.hugetlb or 0
        assert abs(sampler.rss() - rss) <= lag()
    assert (sample.partial, sample.resume) == (False, None)
    assert sample.present is not None
    if sample.zero is not None:
        assert sample.present == rss + sample.zero + hugetlb
        assert (sample.zero > 0) == (kind == "zero" or sample.present > rss + hugetlb)


def test_memory_that_was_only_read_is_no_rss(way: str) -> None:
    """200 MiB only read, as numpy.zeros does: VmRSS 2,714 pages, Sample.rss 53,915."""
    size = 32 * MIB
    with Sampler() as sampler, mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        before = sampler.sample()
        assert not any(memory[at] for at in range(0, size, PAGE))
        after = sampler.sample()
        assert before.rss is not None
        assert after.rss is not None
        assert after.rss - before.rss < MIB
        assert after.present is not None
        assert after.present - (before.present or 0) >= size
        if after.zero is not None:
            assert after.zero - (before.zero or 0) >= size - MIB


@pytest.mark.parametrize("asked", [[name] for name in COUNTS] + [["rss", "swap"], []])
def test_what_was_asked_alone(asked: list[str], dense: Target, way: str) -> None:
    with pagemap.Process(dense.pid) as process:
        if asked != tally_plan.tellable(process, asked):
            with pytest.raises(pagemap.Unsupported, match=r"6\.7"):
                Sampler(dense.pid, counts=asked)
            return

    def look() -> tuple[object, object]:
        known = {**everything.sample()._asdict(), **rollup(dense.pid)}
        wanted = {**dict.fromkeys(COUNTS), **{name: known[name] for name in asked}}
        # three times the same: nothing of one sample is left in the next
        return (
            [sampler.sample()._asdict() for _ in range(3)],
            [{**wanted, "partial": False, "resume": None}] * 3,
        )

    with Sampler(dense.pid, counts=asked) as sampler, Sampler(dense.pid) as everything:
        agreed(look)


def own_growth(counts: list[str] | None = None) -> tuple[Sample, Sample]:
    """Our own memory, before and after 16 MiB more of it."""
    with Sampler(counts=counts) as sampler:
        before = sampler.sample()
        with mmap.mmap(-1, 16 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            for at in range(0, 16 * MIB, PAGE):
                memory[at] = 1
            return before, sampler.sample()


def check_growth(before: Sample, after: Sample) -> None:
    grown = 16 * MIB
    for name in ("rss", "anon", "uss"):
        then, now = getattr(before, name), getattr(after, name)
        assert then > 0
        if name == "uss":
            # A fork's pages become so when the other of the two writes, a library's cease to be
            # when another process maps it.
            assert now - then >= grown - 1000 * PAGE
        else:
            # what the interpreter gives back meanwhile is a little
            assert grown - 100 * PAGE <= now - then <= grown + 500 * PAGE, name
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
            assert mine.uss is not None
            assert true.uss is not None
            assert before.uss is not None
            assert mine.uss >= 32 * MIB
            # of a huge page that one of both writes to, all others may become its own
            assert abs(mine.uss - true.uss) < 300 * PAGE + (before.huge or 0)

        in_child(child)
        after = sampler.sample()
        assert before.rss is not None
        assert after.rss is not None
        assert abs(after.rss - before.rss) < 4000 * PAGE


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
        Sampler(counts=["swapped"])
    with Sampler() as sampler:
        with pytest.raises(pagemap.UsageError, match="max_"):
            sampler.sample(max_pages=-1)
        with pytest.raises(pagemap.UsageError, match="max_"):
            sampler.sample(max_seconds=-0.5)
        with pytest.raises(pagemap.UsageError, match="resume"):
            sampler.sample(resume=-1)


@pytest.fixture
def flat() -> Iterator[None]:
    """Descriptors and threads afterwards as before."""
    gc.collect()  # what other tests left behind
    before = set(os.listdir("/proc/self/fd")), threading.active_count()
    yield
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == before


@pytest.fixture
def pieces(start: Start) -> Target:
    """A target that is sampled in several pieces, but few."""
    target = start(workloads.dense(20 * MIB))
    target.stop()
    return target


def test_samples_leave_nothing(pieces: Target, flat: None, way: str) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE

    rounds = SAMPLES if way == "scan" else SAMPLES // 3
    with Sampler(pieces.pid) as sampler:
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
