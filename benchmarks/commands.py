"""Programs run for their time, their peak memory and their output."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests import build

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
BLOCK = 1 << 20
TAIL = 1 << 14  # longer than any row: a path has less than 4,096 bytes
# No command takes this long; one that does hangs.
LIMIT_SECONDS = 600
PASS = (sys.executable, "-c", "pass")
# The untimed first run leaves bytecode behind, as a user's first run does and as pip does.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


class Run(NamedTuple):
    """What one run of a command took."""

    seconds: float
    user_seconds: float
    system_seconds: float
    peak_bytes: int


def pagemap_command() -> tuple[str, ...]:
    """The installed command beside this Python, or `python -m pagemap` where there is none."""
    script = shutil.which("pagemap", path=str(Path(sys.executable).parent))
    return (script,) if script else (sys.executable, "-m", "pagemap")


def time_command(command: Sequence[str], *, cwd: Path) -> Run:
    """Run a command, its output thrown away. Raises ChildProcessError when it fails."""
    stopwatch = build.program(HERE / "stopwatch.c")
    words = subprocess.run(
        [stopwatch, *command],
        stdout=subprocess.PIPE,
        check=True,
        cwd=cwd,
        env=ENVIRONMENT,
        timeout=LIMIT_SECONDS,
    ).stdout.split()
    wall, user, system, peak_kib, status = map(int, words)
    if status != 0:
        raise ChildProcessError(f"{' '.join(command)} ended with status {status}")
    return Run(wall / 1e9, user / 1e6, system / 1e6, peak_kib * 1024)


class Stopwatch:
    """Times a command, and keeps the highest peak of its memory, in bytes."""

    def __init__(self, command: Sequence[str], cwd: Path) -> None:
        self.command, self.cwd, self.peaks = command, cwd, [0]

    def __call__(self) -> float:
        run = time_command(self.command, cwd=self.cwd)
        self.peaks.append(run.peak_bytes)
        return run.seconds


def output_of(command: Sequence[str], *, cwd: Path) -> bytes:
    """What a command prints. Raises CalledProcessError when it fails."""
    return subprocess.run(
        command, stdout=subprocess.PIPE, check=True, cwd=cwd, env=ENVIRONMENT, timeout=LIMIT_SECONDS
    ).stdout


def same_output(first: Sequence[str], second: Sequence[str], *, cwd: Path) -> tuple[int, bytes]:
    """Run two commands side by side and compare what they print, byte by byte.

    Returns the number of lines and the last of them. Raises AssertionError
    where they differ, ChildProcessError when one fails. Holds a few MiB only.
    """
    lines, tail = 0, b""
    with (
        subprocess.Popen(first, stdout=subprocess.PIPE, cwd=cwd, env=ENVIRONMENT) as one,
        subprocess.Popen(second, stdout=subprocess.PIPE, cwd=cwd, env=ENVIRONMENT) as other,
    ):
        assert one.stdout is not None
        assert other.stdout is not None
        while True:
            block, twin = one.stdout.read(BLOCK), other.stdout.read(BLOCK)
            if block != twin:
                begun = tail.rpartition(b"\n")[2]
                raise AssertionError(difference(begun + block, begun + twin, lines))
            if not block:
                break
            lines += block.count(b"\n")
            tail = (tail + block)[-TAIL:]
    for process in (one, other):
        if process.returncode != 0:
            raise ChildProcessError(f"{process.args!r} ended with status {process.returncode}")
    return lines, tail.splitlines()[-1]


def difference(one: bytes, other: bytes, line: int) -> str:
    """The first line in which two blocks differ; both begin after `line` lines."""
    pairs = zip(one.split(b"\n"), other.split(b"\n"), strict=False)
    for number, (left, right) in enumerate(pairs, line + 1):
        if left != right:
            return f"line {number} differs: {left!r}, and {right!r}"
    return f"one output ends after line {line + min(one.count(10), other.count(10))}"
