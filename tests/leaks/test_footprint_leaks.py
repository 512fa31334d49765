"""Footprints made again and again, or of nobody: nothing is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.gentle import Gentle
from tests import workloads
from tests.leaks.test_leaks import everything_stays_flat, repeat

if TYPE_CHECKING:
    from tests.conftest import Start

ROUNDS = 40


def test_sums_and_walks(start: Start, need_frames: None) -> None:
    target = start(workloads.idle())
    with pagemap.Process(target.pid) as process, Gentle(1) as gentle:

        def look() -> None:
            for way in (None, gentle):
                process.footprint(gentle=way)
                len(process.footprints(gentle=way))

        repeat(look, ROUNDS)


def test_many(start: Start, unused: int) -> None:
    target = start(workloads.idle())
    pids = [target.pid, unused, 2]

    def look() -> None:
        pagemap.footprints(pids)
        pagemap.footprints(pids, by="mapping")

    repeat(look, ROUNDS)


def test_opened_and_closed(need_frames: None) -> None:
    with everything_stays_flat():
        for _ in range(50):
            with Gentle():
                pass


@pytest.fixture
def unused() -> int:
    """A pid that no process can have."""
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as file:
        return int(file.read())
