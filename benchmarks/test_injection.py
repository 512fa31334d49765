"""How long a target is stopped while a userfaultfd of it is made, and with changed registers."""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._kernel.injection import call_in
from pagemap._native import injection
from tests import calls
from tests.live.test_injection_traces import EXPOSED, STOPPED

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from .race import Table

ROUNDS = 1000
MODES = ("poll", "epoll", "read", "compute", "threads")
IDLE = 1.0  # the load average up to which the promised times are asked for


def rank(samples: list[float], share: float) -> float:
    """The sample below which this share of them is."""
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]


@pytest.mark.parametrize("mode", MODES)
def test_stopped(mode: str, table: Table, benchmark: BenchmarkFixture) -> None:
    """Each injection into the main thread, wherever that waits or runs."""
    stopped: list[float] = []
    exposed: list[float] = []
    idle = os.getloadavg()[0] < IDLE

    def run() -> None:
        code, about = injection.inject(process.folder.fd, caller.pid, caller.pid, call, 10**9)
        assert code == 0
        os.close(about.fd)
        stopped.append(about.stopped)
        exposed.append(about.exposed)

    with calls.running(mode) as caller, pagemap.Process(caller.pid) as process:
        call = call_in(process.folder)
        benchmark.pedantic(run, rounds=ROUNDS)  # type: ignore[no-untyped-call]
        assert caller.report().wrong == "right"
    benchmark.extra_info["samples"] = {"stopped": stopped, "exposed": exposed}
    for name, samples in (("stopped", stopped), ("with changed registers", exposed)):
        table.note(
            f"injection, {mode}: {name} {statistics.median(samples) / 1e3:.0f} us in the median, "
            f"p99 {rank(samples, 0.99) / 1e3:.0f} us"
        )
    if idle:
        assert rank(stopped, 0.99) < STOPPED
        assert rank(exposed, 0.99) < EXPOSED
