"""SIGKILL at each step of an injection: of the helper, of who started it, of the target.

tests/inject_killed.c is the code of csrc/kernel with a step before and after each of its system
calls. Two spans of them have registers of the target changed; the code itself says whether it was
in one. There the target may crash; at every other step it is as before.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from errno import EACCES, EINTR, ENOENT, EPERM, ESRCH
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

import pagemap
from pagemap._kernel.injection import userfaultfd_in
from pagemap._native.injection import STEPS
from tests import build, calls
from tests.live.test_injection import ROUNDS, left_behind
from tests.target import wait_until

HERE = Path(__file__).resolve().parents[1]
CSRC = HERE.parent / "csrc"
PARTS = [*CSRC.glob("kernel/injection*.c"), *CSRC.glob("kernel/trace*.c")]
PARTS += [CSRC / f"kernel/{name}.c" for name in ("status", "read")]
LONG = ROUNDS > 100
MODES = ("read", "compute", "futex", "sleep", "epoll", "signals") if LONG else ("read",)
SEIZE, CODE = STEPS["seize"], STEPS["code"]

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs x86-64")


class Outcome(NamedTuple):
    """What the program says when it has not been killed itself."""

    result: int
    at: int
    changed: bool
    steps: int


def injection(pid: int, victim: str, step: int) -> Outcome | None:
    """One injection in which `victim` gets its signal at this step; None where the parent did.

    Signals to the target may make steps more: there can be too few of them another time.
    """
    program = build.program(
        HERE / "inject_killed.c",
        *PARTS,
        flags=("-O2", f"-I{CSRC}", f"-I{HERE}", '-DPM_SYS_TRACE_HEADER="inject_steps.h"'),
        reads=[HERE / "inject_steps.h", *sorted((CSRC / "kernel").glob("*.h"))],
    )
    done = subprocess.run(
        [program, str(pid), victim, str(step)], check=False, capture_output=True, timeout=60
    )
    if victim == "parent" and done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done
    result, at, changed, steps = map(int, done.stdout.split())
    return Outcome(result, at, bool(changed), steps)


def traced(pid: int) -> bool:
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


def is_as_before(caller: calls.Caller, mode: str, *, more: int = 0, again: bool = True) -> None:
    """Nobody traces it, it is right and goes on, and has at most so many descriptors more."""
    wait_until(lambda: not traced(caller.pid))
    assert mode in calls.STILL or caller.goes_on()
    assert caller.report().wrong == "right"
    assert len(left_behind(caller.pid)) <= more
    if not again:
        return
    with pagemap.Process(caller.pid) as process:  # and it can be done again
        os.close(userfaultfd_in(process.folder))
        process.check()
    assert caller.report().wrong == "right"


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """The name of each mode in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def steps(mode: str) -> range:
    """All steps of an injection that nobody disturbs."""
    with calls.running(mode) as caller:
        found = injection(caller.pid, "nobody", 0)
        assert found is not None
        assert found.result == 0
        is_as_before(caller, mode)
    assert found.steps > 40
    return range(1, found.steps + 1)


def test_the_helper_is_killed(mode: str, steps: range) -> None:
    outcomes: Counter[str] = Counter()
    for step in steps:
        with calls.running(mode) as caller:
            found = injection(caller.pid, "helper", step)
            assert found is not None
            assert found.result == (0 if found.steps < step else -EINTR)
            if not found.changed:
                is_as_before(caller, mode, more=1)
                outcomes[
                    "as before, a descriptor more" if left_behind(caller.pid) else "as before"
                ] += 1
            else:
                outcomes["in a span"] += 1
    # 2 spans, each of: set registers, go on, enter, go on, leave, get and set registers
    assert 15 <= outcomes["in a span"] <= 40, outcomes
    assert outcomes["as before"] >= 18, outcomes
    assert outcomes["as before, a descriptor more"] >= 2, outcomes


def test_who_started_it_is_killed(mode: str, steps: range) -> None:
    """The helper goes on to the end: nothing is left in the target, in a span or not."""
    for step in steps[:: 1 if LONG else 3]:
        with calls.running(mode) as caller:
            found = injection(caller.pid, "parent", step)
            assert found is None or found.steps < step
            is_as_before(caller, mode)


def test_the_target_is_killed(mode: str, steps: range) -> None:
    """It ends as it does without us, and the helper with an error that says so."""
    for step in steps[:: 1 if LONG else 3]:
        with calls.running(mode) as caller:
            found = injection(caller.pid, "target", step)
            assert found is not None
            # gone; not to be traced or read, as it is ending; or it was done already
            ending = ((-EPERM, SEIZE), (-EACCES, CODE), (-ENOENT, CODE))
            assert found.result in (-ESRCH, 0) or (found.result, found.at) in ending, found
            wait_until(partial(has_ended, caller.pid, unless=found.steps < step))


def test_the_target_is_stopped(mode: str, steps: range) -> None:
    """By SIGSTOP in the midst of it: it stops, and goes on with SIGCONT, right."""
    for step in steps[:: 1 if LONG else 3]:
        with calls.running(mode) as caller:
            found = injection(caller.pid, "stop", step)
            assert found is not None
            assert found.result == 0, found
            wait_until(partial(is_stopped, caller.pid, unless=found.steps < step))
            os.kill(caller.pid, signal.SIGCONT)
            is_as_before(caller, mode)


def has_ended(pid: int, *, unless: bool) -> bool:
    return unless or state(pid) in "ZX"


def is_stopped(pid: int, *, unless: bool) -> bool:
    return unless or state(pid) == "T"


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
