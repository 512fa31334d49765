"""Programs that notice when they are disturbed: tests/target_calls.c, and what it says."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests import build, target

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MODES", "Caller", "Report", "running"]

HERE = Path(__file__).resolve().parent
MODES = (
    "clock",
    "compute",
    "epoll",
    "futex",
    "poll",
    "read",
    "sequence",
    "signals",
    "sleep",
    "threads",
)
STILL = ("epoll", "poll")
"""Those that wait for what never comes: they do no rounds by themselves."""


class Report(NamedTuple):
    """What it has done so far: rounds, calls that returned EINTR, and what was wrong."""

    rounds: int
    interrupted: int
    wrong: str


class Caller(target.Target):
    """Such a program, in its mode."""

    def report(self) -> Report:
        """Its answer of now."""
        self.tell("?")
        rounds, interrupted, wrong = self.read_line().split(None, 2)
        return Report(int(rounds), int(interrupted), wrong)

    def goes_on(self) -> bool:
        """Whether it does another round within a minute."""
        before = self.report().rounds
        with contextlib.suppress(TimeoutError):
            target.wait_until(lambda: self.report().rounds > before)
            return True
        return False


def program() -> Path:
    """The compiled program."""
    return build.program(HERE / "target_calls.c", reads=[HERE / "target_sequences.h"])


@contextlib.contextmanager
def running(mode: str, *before: str) -> Iterator[Caller]:
    """One of them, ready; `before` is a command line that runs it. Raises Unavailable."""
    caller = Caller([*before, program(), mode])
    try:
        caller.wait_ready()
        yield caller
    finally:
        caller.kill()
