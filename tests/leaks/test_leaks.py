"""Descriptors, memory and threads stay flat over hundreds of calls, failing ones included."""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import tracemalloc
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap import Column, Schema, Table
from tests import oracle, tasks, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Start

PAGE = oracle.PAGE
# Two thousand where there is time for it; what takes longer is called in proportion.
ROUNDS = int(os.environ.get("PAGEMAP_CALLS", "400"))
# What the interpreter may keep of all rounds, of which it keeps none: leaks of 56 bytes each show.
TRACED_SLACK = 20_000
# RSS moves in arenas and pages; 400 leaks of one entry buffer (4096 pages) would be 12 MiB.
RESIDENT_SLACK = 8 << 20


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@contextlib.contextmanager
def everything_stays_flat() -> Iterator[None]:
    gc.collect()
    before = descriptors(), tasks.count()
    memory = resident()
    yield
    gc.collect()
    assert (descriptors(), tasks.settle(before[1])) == before
    assert resident() - memory < RESIDENT_SLACK


def repeat(call: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Many calls, after some that fill caches: nothing may grow with their number."""
    for _ in range(10):
        call()
    with everything_stays_flat():
        tracemalloc.start()
        try:
            for _ in range(rounds // 10):
                call()
            gc.collect()
            early = tracemalloc.get_traced_memory()[0]
            for _ in range(rounds - rounds // 10):
                call()
            gc.collect()
            late = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert late - early < TRACED_SLACK


@pytest.fixture
def target(start: Start) -> workloads.Target:
    return start(workloads.dense(4096 * PAGE))


def expect(error: type[Exception], call: Callable[[], object]) -> Callable[[], None]:
    """The call, which must fail in this way every time."""

    def failing() -> None:
        with pytest.raises(error):
            call()

    return failing


def test_open_and_close(target: workloads.Target) -> None:
    def call() -> None:
        with pagemap.Process(target.pid) as process:
            process.maps()

    repeat(call)


def test_open_and_forget(target: workloads.Target) -> None:
    def call() -> None:
        process = pagemap.Process(target.pid)
        assert not process.closed

    repeat(call)


def test_reads(target: workloads.Target) -> None:
    area = target.first
    buffer = array("Q", [0] * area.pages)
    with pagemap.Process(target.pid) as process:

        def call() -> None:
            pages = process.pages((area.start, area.end))
            assert len(pages) == area.pages
            assert process.read_into(buffer, area.start) == area.pages

        repeat(call)


def test_columns(target: workloads.Target) -> None:
    area = target.first
    with pagemap.Process(target.pid) as process:
        pages = process.pages((area.start, area.end))

    def call() -> None:
        pages.pfns()
        pages.addresses()
        pages.counts()
        pages.column("swap_offset")
        pages.column("present")
        assert len(list(pages[:20])) == 20

    repeat(call)


def test_translate(target: workloads.Target, need_pfns: None) -> None:
    with pagemap.Process(target.pid) as process:
        repeat(lambda: process.virt_to_phys(target.first.start))


def test_failing_calls(target: workloads.Target) -> None:
    none_such = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    closed = pagemap.Process(target.pid)
    closed.close()
    with pagemap.Process(target.pid) as process:
        calls = [
            expect(pagemap.NoSuchProcess, lambda: pagemap.Process(none_such)),
            expect(pagemap.NotMapped, lambda: process.virt_to_phys(8)),
            expect(pagemap.UsageError, lambda: process.pages((8, 8))),
            expect(ValueError, lambda: process.read_into(bytearray(9), 0)),
            expect(BufferError, lambda: process.read_into(bytes(16), 0)),
            expect(MemoryError, lambda: process.pages((0, 2**64))),
            expect(pagemap.ClosedProcess, closed.maps),
        ]
        repeat(lambda: [call() for call in calls], ROUNDS * 3 // 20)


def test_vanished_target(start: Start) -> None:
    target = start(workloads.idle())
    with pagemap.Process(target.pid) as process:
        target.kill()
        calls = [
            expect(pagemap.TargetVanished, process.maps),
            expect(pagemap.TargetVanished, lambda: process.pages((0, PAGE))),
            expect(pagemap.TargetVanished, lambda: pagemap.dump(process, io.BytesIO())),
        ]
        repeat(lambda: [call() for call in calls], ROUNDS // 4)


def test_denied_target() -> None:
    if oracle.may_read("/proc/1/pagemap"):
        pytest.skip("process 1 may be read: needs a user without rights")
    repeat(expect(pagemap.AccessDenied, lambda: pagemap.Process(1)))


@pytest.mark.parametrize("form", ["text", "csv", "json", "jsonl"])
def test_dumps(form: str, start: Start) -> None:
    target = start(workloads.idle())
    with Path(os.devnull).open("wb") as file:
        repeat(lambda: pagemap.dump(target.pid, file, format=form), ROUNDS * 3 // 20)


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_formats_of_tables(form: str) -> None:
    """Words and literals live as long as what C is given of them, and no longer."""
    schema = Schema(
        "pagemap.example",
        1,
        [
            Column("path", "text", "", "a text", nullable=True),
            Column("rss", "int", "bytes", "a number", nullable=True),
            Column("share", "float", "share", "another"),
        ],
    )
    rows = [(f"/{'x' * (i % 70)}", i or None, i / 7) for i in range(90)]
    table = Table.of_rows(schema, rows, about={"pid": 1})
    write = importlib.import_module(f"pagemap._export.{form}").write
    repeat(lambda: write([table, table], len), ROUNDS // 5)


class Full(Exception):
    """What a file says that takes no more."""


class Limited(io.RawIOBase):
    """A file that takes some bytes and then fails."""

    def __init__(self, size: int) -> None:
        self._left = size

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        size = memoryview(data).nbytes  # type: ignore[arg-type]
        self._left -= size
        if self._left < 0:
            raise Full
        return size


def give_up(_done: int, _total: int | None) -> None:
    raise Full


def test_abandoned_dumps(start: Start) -> None:
    """The consumer fails or gives up midway: the threads end, and their buffers go."""
    target = start(workloads.sparse(400_000 * PAGE, 64 * PAGE))
    with Path(os.devnull).open("wb") as file:
        calls = [
            expect(Full, lambda: pagemap.dump(target.pid, Limited(1 << 22), threads=4)),
            expect(Full, lambda: pagemap.dump(target.pid, Limited(100), threads=1)),
            expect(Full, lambda: pagemap.dump(target.pid, file, threads=3, progress=give_up)),
        ]
        repeat(lambda: [call() for call in calls], ROUNDS * 3 // 100)
