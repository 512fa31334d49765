"""A consumer that stops after the first item: descriptors, threads and memory stay as they were."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import tasks, workloads
from tests.leaks.test_leaks import repeat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start

# Ten thousand where there is time for it.
STOPS = int(os.environ.get("PAGEMAP_EARLY_STOPS", "150"))
PAGE = workloads.PAGE


@pytest.fixture
def target(start: Start) -> workloads.Target:
    """Populated pages with a hole behind each, in several pieces."""
    target = start(workloads.sparse(3000 * PAGE, 2 * PAGE))
    target.stop()
    return target


@pytest.fixture(params=[True, False], ids=["scan", "entries"])
def process(
    request: pytest.FixtureRequest, target: workloads.Target, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pagemap.Process]:
    with pagemap.Process(target.pid) as process:
        monkeypatch.setenv("PAGEMAP_DISABLE", "" if request.param else "scan")
        if process.can_scan != request.param:
            pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
        yield process


def test_populated(process: pagemap.Process) -> None:
    def call() -> None:
        walk = process.populated()
        next(walk)
        walk.close()  # type: ignore[attr-defined] # it is a generator

    repeat(call, STOPS)


def test_populated_forgotten(process: pagemap.Process) -> None:
    repeat(lambda: next(process.populated(threads=2)), STOPS // 2)


def test_populated_where_threads_work(
    process: pagemap.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while several threads read ahead."""
    monkeypatch.setattr("pagemap._native.pipeline.ALONE_PAGES", 1)
    monkeypatch.setattr("pagemap._space.walk.Reach.LEAST", 256)

    before = tasks.count()

    def call() -> None:
        walk = process.populated(threads=3)
        for _ in range(700):
            next(walk)
        assert tasks.count() > before
        walk.close()  # type: ignore[attr-defined] # it is a generator

    repeat(call, max(60, STOPS // 20))


def test_regions(process: pagemap.Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pagemap._analyses.regions.ROWS", 100)

    def call() -> None:
        tables = iter(process.regions())
        next(tables)
        tables.close()  # type: ignore[attr-defined] # it is a generator

    repeat(call, STOPS)


def test_a_process_each(target: workloads.Target) -> None:
    def call() -> None:
        with pagemap.Process(target.pid) as process:
            next(process.populated())

    repeat(call, STOPS // 2)
