"""The bare C loops of the *floor.c here, run in turn with what they are compared with."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests import build
from tests.workloads import PAGE, Area

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = Path(__file__).resolve().with_name("floor.c")
FLAGS_PROGRAM = PROGRAM.with_name("flags_floor.c")
FRAMES_PROGRAM = PROGRAM.with_name("frames_floor.c")
UAPI = PROGRAM.parents[1] / "csrc" / "kernel" / "uapi.h"
# Entries asked of one pread. The kernel walks 512 at a time whatever is asked.
CHUNKS = (512, 4096, 32768, 262144)
TRIALS = 3
# Regions that the kernel collects before it copies them out: longer vectors gain nothing.
VECTOR = 512
# Categories of PAGEMAP_SCAN, as in the kernel's include/uapi/linux/fs.h.
FILE, PRESENT, SWAPPED, HUGE = 1 << 2, 1 << 3, 1 << 4, 1 << 6


class _Program:
    """A C program that goes through what its words name whenever a line asks it to."""

    def __init__(self, source: Path, *words: str, reads: Sequence[Path] = ()) -> None:
        program = build.program(source, flags=["-O2", "-pthread"], reads=reads)
        self._process = subprocess.Popen(
            [program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, line: str) -> tuple[float, int]:
        """The seconds that it took, and what else the program tells."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        nanoseconds, told = map(int, self._process.stdout.readline().split())
        return nanoseconds / 1e9, told

    def close(self) -> None:
        """End the program, by closing its input."""
        self._process.communicate()


class Floor(_Program):
    """Goes through one area of a process again and again, in the modes of floor.c.

    By default from address 0 to the end of the last mapping.
    """

    def __init__(self, pid: int, area: Area | None = None) -> None:
        super().__init__(PROGRAM, *_words(pid, area or whole(pid)), reads=[UAPI])

    @functools.cached_property
    def best_chunk(self) -> int:
        """The number of entries a read that serves this area best, found by trying."""
        return min(CHUNKS, key=self._trial)

    def _trial(self, chunk: int) -> float:
        return min(self.read("window", chunk)[0] for _ in range(TRIALS))

    def read(self, mode: str = "window", chunk: int | None = None) -> tuple[float, int]:
        """Read the area once; the seconds, and the sum of all entries modulo 2**64."""
        return self._ask(f"{mode} {chunk or self.best_chunk} 0")

    def scan(self, categories: int = PRESENT | SWAPPED) -> tuple[float, int]:
        """Scan the area once; the seconds, and the number of present or swapped pages."""
        return self._ask(f"scan {VECTOR} {categories:x}")

    def look(self) -> tuple[float, int]:
        """Open the files, read maps, and scan the area; as `scan`."""
        return self._ask(f"look {VECTOR} {PRESENT | SWAPPED:x}")

    def read_paired(self) -> float:
        """Read the area once, on two threads; the seconds."""
        return self._ask(f"pair {self.best_chunk} 0")[0]


class FlagsFloor(_Program):
    """Reads the entries of an area and the flags of its frames again and again, on two threads."""

    def __init__(self, pid: int, area: Area) -> None:
        super().__init__(FLAGS_PROGRAM, *_words(pid, area))

    def read(self) -> tuple[float, int]:
        """Read all once; the seconds, and how many words of /proc/kpageflags."""
        return self._ask("")


class FramesFloor(_Program):
    """Reads the words of ranges of frames again and again, on two threads."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        super().__init__(FRAMES_PROGRAM, *(str(edge) for each in ranges for edge in each))

    def read(self) -> tuple[float, int]:
        """Read all once; the seconds, and how many words of /proc/kpageflags."""
        return self._ask("")


def _words(pid: int, area: Area) -> tuple[str, ...]:
    return str(pid), f"{area.start:x}", str(area.pages)


def whole(pid: int) -> Area:
    """All of a process's addresses that have entries, holes included."""
    text = Path(f"/proc/{pid}/maps").read_bytes()
    ends = [int(end, 16) for end in re.findall(rb"^[0-9a-f]+-([0-9a-f]+) ", text, re.MULTILINE)]
    # [vsyscall] lies in the kernel's half and has none
    return Area("whole", 0, max(end for end in ends if end < 1 << 63))


def first_of(area: Area, size: int) -> Area:
    """The first `size` bytes of an area, or all of it."""
    return Area(area.name, area.start, min(area.start + size // PAGE * PAGE, area.end))
