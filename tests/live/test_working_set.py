"""Working sets of a process that touches known pages at known times (tests/toucher.c)."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import oracle, touching, workloads
from tests.live.as_nobody import as_nobody
from tests.looks import agreed
from tests.touching import PAGES, SIZE, SLOWER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Start

# A page or two of each mapping may have a mark for another reason, or lose it to reclaim.
SLACK = 2 * oracle.PAGE
# The kernel samples one page of each region; of a thousand samples hardly one is missed.
SAMPLED = SIZE // 20


@pytest.fixture
def toucher() -> Iterator[touching.Toucher]:
    with touching.toucher() as process:
        yield process


@pytest.fixture
def memory_cgroup() -> Iterator[Path]:
    try:
        with touching.memory_cgroup() as folder:
            yield folder
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))


def method_that_works(method: str, pid: int | None = None) -> None:
    """Skip where this machine does not have it, with its own words."""
    try:
        pagemap.working_set(pid or os.getpid(), over=0.1, method=method)
    except (pagemap.Unsupported, pagemap.AccessDenied) as error:
        pytest.skip(str(error))
    except pagemap.PagemapError as error:
        if error.errno == errno.EBUSY:
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("method", ["referenced", "damon"])
def test_which_half_of_the_heap_is_cold(toucher: touching.Toucher, method: str) -> None:
    method_that_works(method)
    table: pagemap.Table[Any] = pagemap.working_set(toucher.pid, over=1.0, method=method)
    heap, warm = toucher.rows(table)
    slack = SAMPLED if method == "damon" else SLACK
    assert (heap.rss, warm.rss) == (2 * SIZE, SIZE)
    assert abs(heap.touched - SIZE) <= slack
    assert heap.touched + heap.idle_1s == heap.rss
    assert warm.touched <= SLACK
    assert {row.method for row in table} == {method} == {table.about["method"]}
    assert table.about["whole_window"]
    assert 1.0 <= table.about["read_at"][-1] < 30.0  # type: ignore[index]


def touched_between(toucher: touching.Toucher, method: str) -> tuple[pagemap.Table[Any], bool]:
    """A measurement, and whether `warm` was touched between its first moment and the next.

    The machine may be busy: when a measurement began is known from when it was over.
    """
    found: list[pagemap.Table[Any]] = []

    def measure() -> None:
        found.append(pagemap.working_set(toucher.pid, over=2.5, idle=[0.5, 2], method=method))

    thread = threading.Thread(target=measure)
    earliest = time.monotonic()
    thread.start()
    # under emulation setting DAMON up takes a while: only the order matters
    time.sleep(1.2 if method == "referenced" else 0.8)
    first = time.monotonic()
    for _ in range(10 if method == "damon" else 1):  # a sampler needs more than one occasion
        toucher.touch_warm()
    last = time.monotonic()
    thread.join()
    (table,) = found
    times: Any = table.about["read_at"]
    latest = time.monotonic() - times[-1]
    in_time = latest + times[0] < first and last < earliest + times[1]
    return table, in_time or method == "damon"


@pytest.mark.parametrize("method", ["referenced", "damon"])
def test_what_was_not_touched_for_how_long(toucher: touching.Toucher, method: str) -> None:
    """`warm` is touched once, between the first and the second moment."""
    method_that_works(method)
    for _ in range(5):
        table, in_time = touched_between(toucher, method)
        if in_time:
            break
    else:
        pytest.skip("this machine has no time to touch memory between two moments")
    heap, warm = toucher.rows(table)
    times = table.about["read_at"]
    assert isinstance(times, list)
    assert len(times) == len(table.about["idle"]) == 3  # type: ignore[arg-type]
    assert times == sorted(times)
    for name in ("idle_500ms", "idle_2s", "idle_2500ms"):
        assert abs(getattr(heap, name) - SIZE) <= (SAMPLED if method == "damon" else SLACK)
    if method == "referenced":
        assert warm.idle_500ms >= SIZE - SLACK
        assert warm.idle_2s <= SLACK
        assert warm.touched == SIZE - warm.idle_2500ms >= SIZE - SLACK
    else:
        assert warm.idle_500ms >= warm.idle_2s >= warm.idle_2500ms


def test_what_was_written(toucher: touching.Toucher) -> None:
    """`hot` is only read."""
    method_that_works("written", toucher.pid)
    words: dict[str, Any] = {"idle": [0.2], "method": "written", "regions": True}
    words["over"] = 2.5 * SLOWER

    def look() -> tuple[object, object]:
        found: list[pagemap.Table[Any]] = []
        thread = threading.Thread(
            target=lambda: found.append(pagemap.working_set(toucher.pid, **words))
        )
        thread.start()
        time.sleep(1.5 * SLOWER)  # it takes a while until writes are tracked: again, if longer
        toucher.write_warm()
        thread.join()
        assert found[0].about["method"] == "written"
        rows = {row.start: row for row in found[0]}
        heap, warm = rows.get(toucher.hot.start), rows.get(toucher.warm.start)
        assert heap is not None
        assert (heap.rss, heap.touched, heap.end) == (2 * SIZE, 0, toucher.cold.end)
        told = (warm.rss, warm.touched, warm.idle_200ms) if warm is not None else None
        return told, (SIZE, SIZE, SIZE)

    agreed(look)


def test_what_this_process_writes() -> None:
    """Without any right, where userfaultfd is there."""
    method_that_works("written", os.getpid())
    memory = mmap.mmap(-1, 64 * oracle.PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[:] = bytes([1]) * len(memory)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))

    def write() -> None:
        for number in range(16, 32):
            memory[number * oracle.PAGE] = 2

    def look() -> tuple[object, object]:
        timer = threading.Timer(0.3, write)
        timer.start()
        table: pagemap.Table[Any] = pagemap.working_set(
            "self", over=0.6, idle=[0.1], method="written", regions=True
        )
        timer.join()
        ours = [
            (max(row.start, start), min(row.end, start + len(memory)), row.touched != 0)
            for row in table
            if row.start < start + len(memory) and row.end > start
        ]
        assert sum(last - first for first, last, _ in ours) == len(memory)
        written = [(first, last) for first, last, touched in ours if touched]
        return written, [(start + 16 * oracle.PAGE, start + 32 * oracle.PAGE)]

    agreed(look)  # again, where writes were tracked too late, or the window was over


def test_regions_of_the_heap(toucher: touching.Toucher) -> None:
    method_that_works("damon")
    table = pagemap.working_set(toucher.pid, over=1.0, method="damon", regions=True)
    parts = [row for row in table if toucher.hot.start <= (row.start or 0) < toucher.cold.end]
    assert sum(row.rss or 0 for row in parts) == 2 * SIZE
    cold = sum(row.rss or 0 for row in parts if row.touched == 0)
    assert abs(cold - SIZE) <= SAMPLED
    # cold as a whole, but for a region that reaches into the other half
    assert not any(row.touched and (row.start or 0) > toucher.cold.start for row in parts)


def test_a_process_that_exits_midway(toucher: touching.Toucher) -> None:
    killer = threading.Timer(0.6, os.kill, [toucher.pid, signal.SIGKILL])
    killer.start()
    began = time.monotonic()
    with pytest.raises(pagemap.TargetVanished) as caught:
        pagemap.working_set(toucher.pid, over=60, idle=[0.2], method="referenced")
    assert time.monotonic() - began < 30
    assert caught.value.pid == toucher.pid
    killer.join()


def test_a_process_that_calls_exec_midway(start: Start) -> None:
    process = start(workloads.idle())
    timer = threading.Timer(0.4, process.tell, ["e"])
    timer.start()
    with pytest.raises(pagemap.TargetVanished, match="exec"):
        pagemap.working_set(process.pid, over=60, method="referenced")
    timer.join()


def test_a_kernel_thread(need_root: None) -> None:
    for line in subprocess.run(
        ["ps", "-o", "pid=", "--ppid", "2"], capture_output=True, text=True, check=False
    ).stdout.split()[:1]:
        table = pagemap.working_set(int(line), over=0.1, method="referenced")
        assert len(table) == 0


def test_another_users_process(toucher: touching.Toucher, need_root: None) -> None:
    def look() -> object:
        return pagemap.working_set(toucher.pid, over=0.1)

    with pytest.raises(pagemap.AccessDenied, match="permission denied"):
        as_nobody(look)


def test_our_own_as_nobody(need_root: None) -> None:
    """Without any right the marks can be read, of one's own processes; DAMON is root's."""

    def look() -> dict[str, object]:
        return dict(pagemap.working_set("self", over=0.1).about)

    about = as_nobody(look)
    assert about["method"] == "referenced"
    assert list(about["passed_over"]) == ["damon"]  # type: ignore[call-overload]


def test_what_it_disturbs_is_put_back_by_use(toucher: touching.Toucher) -> None:
    """Nothing else of the target changes: its mappings and what is resident."""
    with pagemap.Process(toucher.pid) as process:
        before = [(row.start, row.end, row.rss) for row in process.tally(["rss"])]
        pagemap.working_set(toucher.pid, over=0.2, method="referenced")
        after = [(row.start, row.end, row.rss) for row in process.tally(["rss"])]
    heap = toucher.hot.start, toucher.cold.end, 2 * SIZE
    assert heap in before
    assert heap in after


def test_names_of_the_columns() -> None:
    table = pagemap.working_set("self", over=0.4, idle=[0.125, 0.25], method="referenced")
    names = [name for name in table.schema.names if name.startswith("idle")]
    assert names == ["idle_125ms", "idle_250ms", "idle_400ms"]
    assert table.about["idle"] == {"idle_125ms": 0.125, "idle_250ms": 0.25, "idle_400ms": 0.4}
    total: Any = table.total()
    assert total.touched + total.idle_400ms == total.rss


def test_the_cgroup_of_a_process(toucher: touching.Toucher, memory_cgroup: Path) -> None:
    """Of version 1 or 2: the processes in it, each with its mappings."""
    (memory_cgroup / "cgroup.procs").write_text(str(toucher.pid))
    table = pagemap.working_set(cgroup=str(memory_cgroup), over=0.5, method="referenced")
    assert {row.pid for row in table} == {toucher.pid}
    heap, warm = toucher.rows(table)
    assert abs(heap.touched - SIZE) <= SLACK
    assert warm.touched <= SLACK
    assert table.about["left_out"] == []
    assert PAGES * oracle.PAGE == SIZE
