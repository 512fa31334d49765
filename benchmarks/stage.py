"""The targets that the benchmarks read: big, stopped, few at a time."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests import workloads

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.workloads import Target

__all__ = ["FULL_GIB", "SIZED_BY", "TOUCHED", "Stage", "free_gib", "reserved"]

GIB, TIB = 1 << 30, 1 << 40
TOUCHED = 64
SIZED_BY = "PAGEMAP_BENCH_GIB"
FULL_GIB = 8  # the size at which the targets of speed are meant
HEADROOM_GIB = 2  # left to everybody else on the machine
BIG = ("dense", "thp")


def free_gib() -> int:
    """Memory that can be had without swapping, in whole GiB."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found is not None, "/proc/meminfo has no MemAvailable"
    return int(found[1]) * 1024 // GIB


def reserved(size: int, touched: int = TOUCHED) -> AbstractContextManager[Target]:
    """`size` bytes reserved, `touched` pages of them written, as far apart as can be."""
    step = size // touched // workloads.PAGE * workloads.PAGE
    return workloads.sparse(step * touched, step)


class Stage(contextlib.ExitStack):
    """Targets by name, made when first asked for and stopped, so their page tables rest.

    Two big ones are never held at once: asking for one ends the other.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self.gib = int(os.environ.get(SIZED_BY, FULL_GIB))
        if self.gib < 1:
            raise ValueError(f"{SIZED_BY} is in GiB, 1 or more")
        self._note = note
        self._targets: dict[str, tuple[Target, contextlib.ExitStack]] = {}

    def target(self, name: str) -> Target:
        """The stopped target of that name; workloads.Unavailable when it cannot be made."""
        if name not in self._targets:
            if name in BIG:
                self.end_big()
            scope = self.enter_context(contextlib.ExitStack())
            target = scope.enter_context(self._make(name))
            target.stop()
            self._targets[name] = target, scope
        return self._targets[name][0]

    def end_big(self) -> None:
        """End the targets that hold much memory; who asks for one again gets a new one."""
        for name in BIG:
            self._end(name)

    def _end(self, name: str) -> None:
        if name in self._targets:
            _, scope = self._targets.pop(name)
            scope.close()

    def _make(self, name: str) -> AbstractContextManager[Target]:
        match name:
            case "dense":
                return workloads.dense(self._fitting(name, self.gib) * GIB)
            case "thp":
                return workloads.thp(self._fitting(name, max(1, self.gib // 2)) * GIB)
            case "sparse":
                return workloads.sparse(8 * self.gib * GIB)
            case "many":
                return workloads.many(60_000)
            case "1 TiB":
                return reserved(TIB)
            case "20 TiB":
                return reserved(20 * TIB)
            case "striped":
                return workloads.sparse(GIB, 2 * workloads.PAGE)
            case "bash":
                return workloads.bash()
            case "small":
                return workloads.dense()
            case _:
                raise LookupError(name)

    def _fitting(self, name: str, wanted: int) -> int:
        fits = free_gib() - HEADROOM_GIB
        if fits < 1:
            raise workloads.Unavailable(f"{name}: less than {1 + HEADROOM_GIB} GiB are free")
        if fits < wanted:
            self._note(f"{name}: {fits} GiB instead of {wanted}, for want of memory")
            self.gib = min(self.gib, fits)
        return min(wanted, fits)
