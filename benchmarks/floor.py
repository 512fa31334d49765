"""The bare C loop of floor.c, run in turn with what it is compared with."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests import build

if TYPE_CHECKING:
    from tests.workloads import Area

PROGRAM = Path(__file__).resolve().with_name("floor.c")
# Entries asked of one pread. The kernel walks 512 at a time whatever is asked.
CHUNKS = (512, 4096, 32768, 262144)
TRIALS = 3


class Floor:
    """Reads one area of a process again and again, in the modes of floor.c."""

    def __init__(self, pid: int, area: Area) -> None:
        self._process = subprocess.Popen(
            [build.program(PROGRAM), str(pid), f"{area.start:x}", str(area.pages)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.best_chunk = min(CHUNKS, key=self._trial)

    def _trial(self, chunk: int) -> float:
        return min(self.read("window", chunk)[0] for _ in range(TRIALS))

    def read(self, mode: str, chunk: int | None = None) -> tuple[float, int]:
        """Read the area once; the seconds, and the sum of all entries modulo 2**64."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{mode} {chunk or self.best_chunk}\n")
        self._process.stdin.flush()
        nanoseconds, total = map(int, self._process.stdout.readline().split())
        return nanoseconds / 1e9, total

    def close(self) -> None:
        """End the program, by closing its input."""
        self._process.communicate()
