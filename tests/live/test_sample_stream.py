"""`Sampler.stream`: samples by a thread of C, read meanwhile, at the end, and from elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap import Sampler
from tests import oracle, workloads
from tests.live.sampling import made_dense  # noqa: F401 - a fixture
from tests.live.test_sampler import in_child, rollup
from tests.target import wait_until

if TYPE_CHECKING:
    from tests.conftest import Start
    from tests.workloads import Target

MIB = 1 << 20


def wait_for(stream: pagemap.SampleStream, samples: int) -> None:
    workloads.wait_until(lambda: len(stream.table()) >= samples)


def lost_of(stream: pagemap.SampleStream) -> int:
    """How many samples there have been before those that are kept."""
    lost = stream.table().about["lost"]
    assert isinstance(lost, int)
    return lost


def test_samples_are_the_kernels(dense: Target) -> None:
    with Sampler(dense.pid) as sampler:
        for _ in range(10):
            before = rollup(dense.pid)
            with sampler.stream(every=0.002) as stream:
                wait_for(stream, 5)
            if before == rollup(dense.pid):
                break
    table = stream.table()
    assert table.schema.name == "pagemap.samples"
    for row in table:
        # others come and go: which pages of libraries are mapped here alone
        expected = {name: size for name, size in before.items() if name != "uss"}
        if row.huge is None:
            expected.pop("huge")
        assert {name: getattr(row, name) for name in expected} == expected
    times = list(table["time"])
    assert times == sorted(set(times))
    assert all(took > 0 for took in table["took"])
    assert table.about["pid"] == dense.pid


def test_what_was_not_asked_is_not_known() -> None:
    with Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
        wait_for(stream, 2)
        row = stream.read()[0]
    assert (row.rss or 0) > MIB
    assert {row.swap, row.anon, row.uss, row.present, row.zero, row.hugetlb} == {None}


def test_growth_is_seen_when_it_happens() -> None:
    """By the same clock as Python's: what lies between two moments is found there."""
    with Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
        wait_for(stream, 3)
        began = time.monotonic_ns()
        block = b"x" * (32 * MIB)
        ended = time.monotonic_ns()
        known = len(stream.table())
        wait_for(stream, known + 3)
        table = stream.table()
    assert len(block) == 32 * MIB
    moments = [stream.began_ns + each for each in table["time"]]
    before = [row.rss or 0 for row, at in zip(table, moments, strict=True) if at < began]
    after = [row.rss or 0 for row, at in zip(table, moments, strict=True) if at > ended]
    assert before
    assert after
    assert min(after) - max(before) > 30 * MIB


def test_each_is_read_once_and_the_oldest_are_lost() -> None:
    with Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001, keep=4) as stream:
        seen: list[int] = []
        for _ in range(5):
            seen += stream.read()["time"]
            time.sleep(0.003)
        workloads.wait_until(lambda: lost_of(stream) > len(seen) + 8)
    last = stream.read()
    assert 1 <= len(last) <= 4
    seen += last["time"]
    assert seen == sorted(set(seen))
    assert stream.lost > 0
    assert last.about["lost"] == stream.lost
    table = stream.table()
    assert len(table) == 4
    # those read, and those lost before they were, are all that there were
    assert table.about["lost"] == len(seen) + stream.lost - 4
    assert len(stream.read()) == 0


def test_a_rate_that_cannot_be_held(dense: Target) -> None:
    with Sampler(dense.pid) as sampler, sampler.stream(every=1e-6) as stream:
        wait_for(stream, 3)
    assert stream.missed > 0
    assert stream.table().about["missed"] == stream.missed


@pytest.mark.parametrize("end", ["x", "e"], ids=["exit", "exec"])
def test_the_target_ends(start: Start, end: str) -> None:
    target = start(workloads.idle())
    with Sampler(target.pid, counts=["rss"]) as sampler:
        stream = sampler.stream(every=0.001)
    wait_for(stream, 3)  # although the Sampler is closed
    target.tell(end)
    workloads.wait_until(lambda: not stream.running)
    assert all((row.rss or 0) > 0 for row in stream.read())
    for _ in range(2):
        with pytest.raises(pagemap.TargetVanished, match=f"process {target.pid} exited or called"):
            stream.read()
    assert len(stream.table()) >= 3
    stream.close()


def test_in_a_child_of_fork(dense: Target) -> None:
    with Sampler(dense.pid, counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
        wait_for(stream, 2)

        def child() -> None:
            assert not stream.running
            for read in (stream.read, stream.table, stream.__arrow_c_stream__):
                with pytest.raises(pagemap.ClosedProcess, match="forked"):
                    read()
            stream.close()
            with sampler.stream(every=0.001) as own:
                wait_for(own, 2)

        in_child(child)
        assert stream.running
        wait_for(stream, len(stream.table()) + 2)


def test_it_takes_no_signals_and_leaves_no_thread() -> None:
    def threads() -> set[str]:
        return set(os.listdir("/proc/self/task"))

    before = threads()
    with Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001):
        (thread,) = threads() - before
        status = Path(f"/proc/self/task/{thread}/status").read_text()
        (blocked,) = (line.split()[1] for line in status.splitlines() if "SigBlk" in line)
        # all that can be: the two that cannot, and the C library's own two
        for each in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            assert int(blocked, 16) >> (each - 1) & 1, each
    # a thread that was joined is in /proc a moment longer
    wait_until(lambda: threads() == before)
    dropped = Sampler(counts=["rss"]).stream(every=0.001)
    del dropped
    wait_until(lambda: threads() == before)


def test_descriptors_are_closed() -> None:
    before = set(os.listdir("/proc/self/fd"))
    sampler = Sampler()
    stream = sampler.stream(every=0.001)
    sampler.close()
    wait_for(stream, 2)
    stream.close()
    stream.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_threads_that_read_the_table() -> None:
    failed: list[object] = []
    sampler = Sampler(counts=["rss", "present"])
    with sampler, sampler.stream(every=1e-4, keep=16) as stream:

        def read() -> None:
            for _ in range(200):
                table = stream.table()
                if any((row.present or 0) < (row.rss or 0) for row in table):
                    failed.append(table)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert failed == []


def test_nonsense() -> None:
    with Sampler() as sampler:
        for bad in (0, -1, True, float("nan"), float("inf"), "1", None):
            with pytest.raises(pagemap.UsageError, match="every"):
                sampler.stream(every=bad)  # type: ignore[arg-type]
        said = r"^keep must be from 1 to 16777216, not 0$"  # a count, and so decimal
        with pytest.raises(pagemap.UsageError, match=said):
            sampler.stream(keep=0)
    with pytest.raises(pagemap.ClosedProcess):
        sampler.stream()


def test_arrow() -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    with Sampler() as sampler, sampler.stream(every=0.001) as stream:
        wait_for(stream, 3)
    table = pyarrow.table(stream)
    assert table.column("rss").to_pylist() == [row.rss for row in stream.table()]
    assert table.schema.equals(pyarrow.schema(stream))


@pytest.mark.parametrize("kept", ["stream", "cycle"])
def test_the_interpreter_ends_while_it_runs(kept: str) -> None:
    """A ring that is freed while it is written to would end in a crash now and then."""
    script = (
        "import pagemap, time\n"
        "stream = pagemap.Sampler(counts=['rss']).stream(every=1e-5)\n"
        "cycle = [stream]; cycle.append(cycle)\n"
        f"{'del stream, cycle' if kept == 'cycle' else ''}\n"
        "time.sleep(0.02)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_hugetlb_and_swap_are_what_smaps_says(dense: Target) -> None:
    """With the page sizes and the swap of this machine, whichever they are."""
    sampler = Sampler(dense.pid, counts=["swap", "hugetlb"])
    with sampler, sampler.stream(every=0.001) as stream:
        wait_for(stream, 1)
    sizes = oracle.smaps_rollup(dense.pid)
    row = stream.table()[0]
    assert (row.swap, row.hugetlb) == (
        sizes["Swap"],
        sizes["Shared_Hugetlb"] + sizes["Private_Hugetlb"],
    )
