"""The bare C loops of floor.c and flags_floor.c, run in turn with what they are compared with."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

from tests import build
from tests.workloads import PAGE, Area

PROGRAM = Path(__file__).resolve().with_name("floor.c")
FLAGS_PROGRAM = PROGRAM.with_name("flags_floor.c")
UAPI = PROGRAM.parents[1] / "csrc" / "uapi.h"
# Entries asked of one pread. The kernel walks 512 at a time whatever is asked.
CHUNKS = (512, 4096, 32768, 262144)
TRIALS = 3
# Regions that the kernel collects before it copies them out: longer vectors gain nothing.
VECTOR = 512
# Categories of PAGEMAP_SCAN, as in the kernel's include/uapi/linux/fs.h.
FILE, PRESENT, SWAPPED, HUGE = 1 << 2, 1 << 3, 1 << 4, 1 << 6


class Floor:
    """Goes through one area of a process again and again, in the modes of floor.c.

    By default from address 0 to the end of the last mapping.
    """

    def __init__(self, pid: int, area: Area | None = None) -> None:
        area = area or whole(pid)
        self._process = subprocess.Popen(
            [
                build.program(PROGRAM, flags=["-O2", "-pthread"], reads=[UAPI]),
                str(pid),
                f"{area.start:x}",
                str(area.pages),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @functools.cached_property
    def best_chunk(self) -> int:
        """The number of entries a read that serves this area best, found by trying."""
        return min(CHUNKS, key=self._trial)

    def _trial(self, chunk: int) -> float:
        return min(self.read("window", chunk)[0] for _ in range(TRIALS))

    def read(self, mode: str = "window", chunk: int | None = None) -> tuple[float, int]:
        """Read the area once; the seconds, and the sum of all entries modulo 2**64."""
        return self._ask(mode, chunk or self.best_chunk, 0)

    def scan(self, categories: int = PRESENT | SWAPPED) -> tuple[float, int]:
        """Scan the area once; the seconds, and the number of present or swapped pages."""
        return self._ask("scan", VECTOR, categories)

    def read_paired(self) -> float:
        """Read the area once, on two threads; the seconds."""
        return self._ask("pair", self.best_chunk, 0)[0]

    def _ask(self, mode: str, chunk: int, categories: int) -> tuple[float, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{mode} {chunk} {categories:x}\n")
        self._process.stdin.flush()
        nanoseconds, total = map(int, self._process.stdout.readline().split())
        return nanoseconds / 1e9, total

    def close(self) -> None:
        """End the program, by closing its input."""
        self._process.communicate()


class FlagsFloor:
    """Reads the entries of an area and the flags of its frames again and again, on two threads."""

    def __init__(self, pid: int, area: Area) -> None:
        self._process = subprocess.Popen(
            [
                build.program(FLAGS_PROGRAM, flags=["-O2", "-pthread"]),
                str(pid),
                f"{area.start:x}",
                str(area.pages),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> tuple[float, int]:
        """Read all once; the seconds, and how many words of /proc/kpageflags."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        nanoseconds, words = map(int, self._process.stdout.readline().split())
        return nanoseconds / 1e9, words

    def close(self) -> None:
        """End the program, by closing its input."""
        self._process.communicate()


def whole(pid: int) -> Area:
    """All of a process's addresses that have entries, holes included."""
    text = Path(f"/proc/{pid}/maps").read_bytes()
    ends = [int(end, 16) for end in re.findall(rb"^[0-9a-f]+-([0-9a-f]+) ", text, re.MULTILINE)]
    # [vsyscall] lies in the kernel's half and has none
    return Area("whole", 0, max(end for end in ends if end < 1 << 63))


def first_of(area: Area, size: int) -> Area:
    """The first `size` bytes of an area, or all of it."""
    return Area(area.name, area.start, min(area.start + size // PAGE * PAGE, area.end))
