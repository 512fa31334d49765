"""Targets that exit or exec at random moments while the command dumps them.

Each dump ends whole, or with exit code 75 or 66 and what was read before; never with a traceback,
a hang, or rows of another process. PAGEMAP_EXITS says how many targets (1000 before a release),
PAGEMAP_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Start
    from tests.workloads import Maker

EXITS = int(os.environ.get("PAGEMAP_EXITS", "30"))
HANG_SECONDS = 60
FEW_ROWS = 64
DONE, NO_PROCESS, VANISHED = 0, 66, 75


def run_dump(words: list[str], end: Callable[[], None], delay: float) -> tuple[int, bytes, str]:
    """Run the command, call `end` after `delay` seconds: exit code, output, messages."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as dump:
        time.sleep(delay)
        end()
        try:
            output, errors = dump.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            dump.kill()
            raise
        return dump.returncode, output, errors.decode()


def is_of(table: bytes, output: bytes, *, whole: bool) -> bool:
    """Whether the output is the table, or its beginning.

    Few rows may differ in all but address and path: on its way out the target touches pages of
    libc that it had not, and the kernel maps those around them too.
    """
    rows, expected = output.splitlines(), table.splitlines()
    pairs = list(zip(rows, expected, strict=False))
    if len(rows) > len(expected) or (whole and len(rows) != len(expected)):
        return False
    differ = [(row, wanted) for row, wanted in pairs if row != wanted]
    return len(differ) <= FEW_ROWS and all(
        (row.split(b" ", 6)[0], row.split(b" ", 6)[6])
        == (wanted.split(b" ", 6)[0], wanted.split(b" ", 6)[6])
        for row, wanted in differ
    )


@pytest.mark.parametrize(("letter", "share"), [("x", 0.8), ("e", 0.2)], ids=["exit", "exec"])
def test_random_moments(
    letter: str,
    share: float,
    start: Start,
    pfns_visible: bool,
    command: list[str],
) -> None:
    seed = int(os.environ.get("PAGEMAP_SEED") or random.randrange(1 << 32))
    sys.stdout.write(f"PAGEMAP_SEED={seed} repeats this order of targets and delays\n")
    rng = random.Random(seed)
    kinds: list[Maker] = [
        workloads.idle,
        lambda: workloads.dense(1 << 20),
        lambda: workloads.sparse(256 << 20, 1 << 20),
        lambda: workloads.many(2000),
    ]

    # How long a dump takes here now, so that the ends fall before, into and after it.
    target = start(kinds[2]())
    words = [*command, "dump", str(target.pid)]
    began = time.monotonic()
    assert run_dump(words, lambda: None, 0)[0] == DONE
    whole = time.monotonic() - began

    outcomes = dict.fromkeys((DONE, NO_PROCESS, VANISHED), 0)
    for number in range(max(1, round(EXITS * share))):
        with rng.choice(kinds)() as target:
            table = oracle.textbook(target.pid)
            table = table if pfns_visible else oracle.hide_pfns(table)
            words[-1] = str(target.pid)
            # Most of a short dump is the start of Python: few moments are spent on that.
            delay = rng.uniform(0.3, 1.1) * whole
            code, output, errors = run_dump(words, lambda: target.tell(letter), delay)
            about = f"seed {seed}, target {number}, after {delay:.4f} s of {whole:.4f} s: {errors}"
            assert code in outcomes, about
            assert "Traceback" not in errors, about
            outcomes[code] += 1
            own = is_of(table, output, whole=code == DONE)
            if letter == "e" and not own:
                # Opened during or after the exec: then it is the new program's, wholly.
                own = not set(output.splitlines()[1:]) & set(table.splitlines()[1:])
            assert own, f"{about}: not the rows of the target"
            if code:
                assert str(target.pid) in errors, about
    sys.stdout.write(f"whole, no such process, vanished: {list(outcomes.values())}\n")
