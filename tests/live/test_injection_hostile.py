"""A target that works against its injection: it cannot keep who does it, nor be made to call more.

By tests/inject_killed.c, which does at each step what another thread of the target could.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from errno import EBUSY, EPROTO, ETIME, ETIMEDOUT
from pathlib import Path

import pytest

import pagemap
from pagemap._kernel.injection import userfaultfd_in
from pagemap._native.injection import STEPS
from tests import calls
from tests.live.test_injection_killed import LONG, injection, is_as_before, state, traced
from tests.target import wait_until

EVERY, DEAF = (1, 1) if LONG else (2, 6)
SOON = 30  # seconds: it takes less than one where the machine has time for it
SEEN = [STEPS[name] for name in ("code", "call", "close")]

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs x86-64")


def children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


@pytest.fixture(scope="module")
def steps() -> int:
    """How many there are in an injection that nobody disturbs."""
    with calls.running("read") as caller:
        found = injection(caller.pid, "nobody", 0)
        assert found is not None
        return found.steps


def test_it_changes_the_code_of_the_call(steps: int) -> None:
    """To another call, one that would not end: that is not made, and the target is as before."""
    outcomes: Counter[int] = Counter()
    for step in range(1, steps + 1, EVERY):
        with calls.running("read") as caller:
            found = injection(caller.pid, "code", step)
            assert found is not None
            assert not found.changed
            assert children(caller.pid) == ""
            assert (found.result, found.at) in [(0, STEPS["done"]), *((-EPROTO, at) for at in SEEN)]
            outcomes[found.at] += 1
            # from then on its code is its own, and no call is made from there any more
            is_as_before(caller, "read", more=1, again=False)
    assert outcomes[STEPS["code"]] >= 3
    assert outcomes[STEPS["call"]] + outcomes[STEPS["close"]] >= 3


def test_it_does_not_stop_any_more(steps: int) -> None:
    """As one that waits for a file of its own: it is given up soon, and let go."""
    given_up = 0
    for step in range(1, steps + 1, DEAF):
        with calls.running("read") as caller:
            begin = time.monotonic()
            found = injection(caller.pid, "deaf", step)
            assert time.monotonic() - begin < SOON
            assert found is not None
            assert found.result in (-ETIMEDOUT, 0)
            if found.result:
                given_up += 1
            wait_until(lambda pid=caller.pid: not traced(pid))  # type: ignore[misc]
            if not found.changed:
                is_as_before(caller, "read", more=1)
    assert given_up >= 3


def test_its_memory_is_never_there() -> None:
    """What a thread that runs says of its restartable sequences: who waits for it is abandoned."""
    with calls.running("compute") as caller:
        assert caller.goes_on()  # in no call any more
        begin = time.monotonic()
        found = injection(caller.pid, "memory", 0)
        assert time.monotonic() - begin < SOON
        assert found is not None
        assert (found.result, found.at, found.changed) == (-ETIME, STEPS["stop"], False)
        is_as_before(caller, "compute")


def test_its_exec_never_ends() -> None:
    """Nobody can trace it meanwhile (cred_guard_mutex): that is known after some time."""
    with calls.running("exec") as caller, pagemap.Process(caller.pid) as process:
        wait_until(lambda: state(caller.pid) == "D")
        with pytest.raises(pagemap.PagemapError, match="in the midst of exec") as caught:
            os.close(userfaultfd_in(process.folder))
        assert caught.value.errno == EBUSY
