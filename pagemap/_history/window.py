"""The window of a working set: how long accesses are looked for, and when they are read."""

from __future__ import annotations

import time

from pagemap._errors import UsageError
from pagemap._vocabulary.checks import check_number, check_several
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.working_set import idle_name, with_idle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from pagemap._vocabulary.schema import Schema

__all__ = ["LEAST", "Look", "Window", "cells"]

LEAST = 0.1
"""The shortest window, in seconds: in less the marks of pages say next to nothing."""

_MOST = 1 << 20  # seconds: twelve days
_MOST_IDLE = 16  # columns
_USUAL_IDLE = (5, 30, 60)
_LOOKS = 0.25  # seconds between two looks whether the target is still there


class Look(Record):
    """What was found, as cells of rows; `about` is what else is to be said of it."""

    rows: list[list[Any]] = field("", "the cells of each row, in the order of the columns")
    about: dict[str, object] = field("", "what holds for all rows")


class Window:
    """`over` seconds, read at the times of `idle` and at the end.

    `idle` has the times, in order, that have a column each; the last is `over`. Raises UsageError.
    """

    def __init__(self, over: float, idle: Iterable[float] | None = None) -> None:
        self.over: float = _seconds("over", over)
        if idle is None:
            idle = [each for each in _USUAL_IDLE if each < self.over]
        check_several("idle", idle, "a sequence of times in seconds, as [5, 30]")
        times = sorted({*(_seconds("idle", each) for each in idle), self.over})
        if times[-1] > self.over:
            raise UsageError(
                f"idle has {times[-1]:g} s, and the window is over after {self.over:g} s: "
                "make that longer"
            )
        if len(times) > _MOST_IDLE:
            raise UsageError(f"idle has {len(times)} times; {_MOST_IDLE} are the most")
        self.idle: tuple[float, ...] = tuple(times)
        self.schema: Schema[Any] = with_idle(self.idle)
        self.read_at: list[float] = []
        self._began = time.monotonic()

    def begin(self) -> None:
        """From now on."""
        self._began = time.monotonic()
        self.read_at = []

    def passed(self) -> float:
        """How old the window is, in seconds."""
        return time.monotonic() - self._began

    def wait(self, moment: float, check: Callable[[], object]) -> None:
        """Wait until the window is so old; `check` is called meanwhile, and may raise."""
        while (left := moment - self.passed()) > 0:
            check()
            time.sleep(min(left, _LOOKS))
        check()

    def note(self) -> None:
        """Take down when accesses were read."""
        self.read_at.append(round(self.passed(), 3))

    def about(self, method: str, precision: str, **more: object) -> dict[str, object]:
        """What the result says of how it was found."""
        return {
            "method": method,
            "precision": precision,
            "over": self.over,
            "idle": {idle_name(each): each for each in self.idle},
            "read_at": self.read_at,
            "whole_window": len(self.read_at) > 0 and self.read_at[-1] >= self.over,
            **more,
        }


def _seconds(name: str, value: object) -> float:
    seconds = check_number(name, value, "a time in seconds")
    if not LEAST <= seconds <= _MOST:
        raise UsageError(f"{name} must be from {LEAST:g} to {_MOST} seconds, not {seconds:g}")
    # to the millisecond, which is what names of columns have
    return round(seconds, 3)


def cells(
    *,
    pid: int | None = None,
    cgroup: str | None = None,
    bounds: tuple[int, int] | None = None,
    perms: str | None = None,
    rss: int | None,
    touched: int | None,
    idle: Sequence[int | None],
    method: str,
    path: str = "",
) -> list[Any]:
    """A row, in the order of the columns."""
    start, end = bounds or (None, None)
    return [pid, cgroup, start, end, perms, rss, touched, *idle, method, path]
