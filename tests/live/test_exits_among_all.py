"""Processes that exit at random moments while all processes are gone through.

Neither `owners` nor `sharing` may fail, hang, or miss those that stay. PAGEMAP_EXITS says how many
exit (1000 before a release), PAGEMAP_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Start

EXITS = int(os.environ.get("PAGEMAP_EXITS", "40"))
ALIVE = 20  # so many at a time
SECONDS = 300

pytestmark = pytest.mark.usefixtures("need_pfns", "need_root")


class Comings(threading.Thread):
    """Starts processes that do nothing, and kills each at a random moment."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.exits = 0
        self.failed: BaseException | None = None
        self._rng = rng
        self._over = threading.Event()

    def run(self) -> None:
        """Keep ALIVE of them until EXITS have ended."""
        alive: list[subprocess.Popen[bytes]] = []
        try:
            while self.exits < EXITS and not self._over.is_set():
                while len(alive) < ALIVE:
                    alive.append(subprocess.Popen(["sleep", "1000"]))
                time.sleep(self._rng.uniform(0, 0.004))
                one = alive.pop(self._rng.randrange(len(alive)))
                one.kill()
                one.wait()
                self.exits += 1
        except OSError as error:
            self.failed = error
        finally:
            for one in alive:
                one.kill()
                one.wait()

    def end(self) -> None:
        """Let it end, and wait until it has."""
        self._over.set()
        self.join()


def while_they_end(look: Callable[[], None]) -> None:
    """Call `look` again and again while processes come and go."""
    seed = int(os.environ.get("PAGEMAP_SEED") or random.randrange(1 << 32))
    sys.stdout.write(f"PAGEMAP_SEED={seed} repeats these delays\n")
    comings = Comings(random.Random(seed))
    deadline = time.monotonic() + SECONDS
    comings.start()
    looks = 0
    try:
        while comings.is_alive():
            look()
            looks += 1
            assert time.monotonic() < deadline
    finally:
        comings.end()
    assert comings.failed is None
    assert comings.exits == EXITS
    assert looks > 0
    sys.stdout.write(f"{looks} looks at all processes\n")


def test_owners(start: Start) -> None:
    target = start(workloads.dense(8 * oracle.PAGE))
    family = sorted([target.pid, *(target.ask("f") for _ in range(10))])
    target.stop()
    address = target.first.start
    (entry,) = oracle.entries(target.pid, address, address + oracle.PAGE)
    # beside it the frame that no process maps, so that nobody is spared a look
    frame = oracle.pfn(entry)
    assert frame is not None

    def look() -> None:
        table = pagemap.owners([frame, 1])
        about: Any = table.about
        assert [each.pid for each in table if each.pfn == frame] == family
        assert not {each["pid"] for each in about["left_out"]} & set(family)

    while_they_end(look)


def test_sharing(start: Start) -> None:
    target = start(workloads.dense(8 * oracle.PAGE))
    family = {target.pid, *(target.ask("f") for _ in range(10))}
    target.stop()

    def look() -> None:
        told = pagemap.sharing(top=100_000)
        size = 8 * oracle.PAGE
        assert any(family == set(group.pids) and (group.anon or 0) >= size for group in told.groups)

    while_they_end(look)
