"""Targets that end at random moments while the command counts or lists the types of their pages.

PAGEMAP_EXITS says how many (1000 before a release), PAGEMAP_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time

import pytest

from tests import oracle, workloads

EXITS = int(os.environ.get("PAGEMAP_EXITS", "20"))
DONE, NO_PROCESS, VANISHED = 0, 66, 75


@pytest.mark.usefixtures("need_pfns")
def test_random_moments(command: list[str]) -> None:
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")
    seed = int(os.environ.get("PAGEMAP_SEED") or random.randrange(1 << 32))
    sys.stdout.write(f"PAGEMAP_SEED={seed} repeats this order of targets and delays\n")
    rng = random.Random(seed)
    whole = 0.2
    for number in range(EXITS):
        makers = [workloads.dense, lambda: workloads.many(2000), workloads.idle]
        with rng.choice(makers)() as target:
            options = rng.choice([["--json"], ["--json", "--list"], ["--json", "--list-each"]])
            words = [*command, "types", str(target.pid), *options]
            letter = rng.choice("xxe")
            delay = rng.uniform(0.2, 1.1) * whole
            with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
                began = time.monotonic()
                time.sleep(delay)
                target.tell(letter)
                output, errors = run.communicate(timeout=60)
                took = time.monotonic() - began
            about = f"seed {seed}, target {number}, {options}: {errors.decode()}"
            assert run.returncode in (DONE, NO_PROCESS, VANISHED), about
            assert b"Traceback" not in errors, about
            if run.returncode == DONE:
                whole = max(0.05, took)
            if run.returncode != NO_PROCESS:
                assert json.loads(output)["schema"].startswith("pagemap."), about
