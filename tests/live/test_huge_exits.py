"""Targets that exit or exec at random moments while their huge pages are counted.

As test_random_exits.py: PAGEMAP_EXITS says how many, PAGEMAP_SEED repeats a run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads
from tests.cli.conftest import BELIEVING
from tests.live.test_random_exits import DONE, EXITS, NO_PROCESS, VANISHED, run_dump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Start
    from tests.workloads import Maker

PAGE = oracle.PAGE
COMMANDS = int(os.environ.get("PAGEMAP_EXITS", "12"))  # each a Python that is started
KINDS: list[Maker] = [
    workloads.idle,
    lambda: workloads.dense(8 << 20),
    lambda: workloads.sparse(256 << 20, 1 << 20),
    lambda: workloads.folios(16 * PAGE),
]


@pytest.fixture(autouse=True)
def need_frames(need_pfns: None) -> None:
    """Skip where the kernel shows no frames."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags is for root alone")


@pytest.fixture
def rng() -> random.Random:
    """The numbers of this run."""
    seed = int(os.environ.get("PAGEMAP_SEED") or random.randrange(1 << 32))
    sys.stdout.write(f"PAGEMAP_SEED={seed} repeats this order of targets and delays\n")
    return random.Random(seed)


@contextlib.contextmanager
def drawn(rng: random.Random) -> Iterator[workloads.Target]:
    """A target of some kind; a dense one where the kernel makes no huge pages."""
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(rng.choice(KINDS)())
        except workloads.Unavailable:
            target = stack.enter_context(workloads.dense(1 << 20))
        yield target


def test_the_library(rng: random.Random) -> None:
    """Counts of what was there, or TargetVanished; twice as many moments as of the command."""
    vanished = 0
    for _ in range(2 * EXITS):
        with drawn(rng) as target, pagemap.Process(target) as process:
            began = time.monotonic()
            process.huge()
            delay = rng.uniform(0, 1.2) * (time.monotonic() - began)
            end = threading.Timer(delay, target.tell, [rng.choice("xxxe")])
            end.start()
            try:
                for row in process.huge(cont=[16 * PAGE]):
                    assert (row.thp or 0) + row.zero <= row.present + 511 * PAGE
                    assert row.present <= row.size
            except pagemap.TargetVanished:
                vanished += 1
            finally:
                end.join()
    sys.stdout.write(f"vanished: {vanished} of {2 * EXITS}\n")


def test_the_command(command: list[str], rng: random.Random) -> None:
    """Whole JSON, or what was read until then, and the exit code that says so."""
    with drawn(rng) as target:
        began = time.monotonic()
        words = [*command, "huge", str(target.pid), "--json"]
        assert run_dump(words, lambda: None, 0)[0] == DONE
        whole = time.monotonic() - began
    outcomes = dict.fromkeys((DONE, NO_PROCESS, VANISHED), 0)
    for number in range(COMMANDS):
        with drawn(rng) as target:
            words[-2] = str(target.pid)
            letter, delay = rng.choice("xxxe"), rng.uniform(0.5, 1.1) * whole
            code, output, errors = run_dump(words, lambda: target.tell(letter), delay)  # noqa: B023
        about = f"target {number}, {letter} after {delay:.4f} s: {errors}"
        assert code in outcomes, about
        assert "Traceback" not in errors, about
        assert code == DONE or str(target.pid) in errors, about
        if output:
            assert json.loads(output)["about"]["pid"] == target.pid, about
        outcomes[code] += 1
    sys.stdout.write(f"whole, no such process, vanished: {list(outcomes.values())}\n")


def test_everyone(start: Start, rng: random.Random, tmp_path: Path) -> None:
    """Those that exit are passed over and named, and all others counted."""
    for _ in range(max(1, EXITS // 15)):
        targets = [start(workloads.dense(1 << 20)) for _ in range(10)]
        leaving = rng.sample(targets, 5)
        pids = "".join(f"{target.pid}\n" for target in targets)
        (tmp_path / "cgroup.procs").write_text(pids)
        command = [sys.executable, "-c", BELIEVING]
        words = [*command, "huge", "--cgroup", str(tmp_path), "--json"]

        def end(leaving: list[workloads.Target] = leaving) -> None:
            for target in leaving:
                time.sleep(rng.uniform(0, 0.01))
                target.tell("x")

        code, output, errors = run_dump(words, end, rng.uniform(0.02, 0.15))
        assert code == 0, errors
        about = json.loads(output)
        rows = {row["pid"] for row in about["rows"]}
        left_out = {each["pid"] for each in about["about"]["left_out"]}
        assert {target.pid for target in targets if target not in leaving} <= rows
        for target in leaving:
            assert (target.pid in rows) != (target.pid in left_out)
        for target in targets:
            target.kill()
