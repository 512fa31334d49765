r"""A progress bar of plain characters, which any terminal shows and which needs no library.

It is one line, written over itself by a carriage return, and blanks remove it at the end.
"""

from __future__ import annotations

import sys
from time import monotonic

from pagemap._cli.terminal import width_of

__all__ = ["PlainBar", "line_of"]

_EVERY = 0.1  # seconds between two lines
_MOST = 40  # characters of the bar itself, as rich has it
_LEAST = 8  # a shorter one says nothing


class PlainBar:
    """A bar on stderr that counts `unit`, of work that began at `begun`."""

    def __init__(self, unit: str, begun: float) -> None:
        self._unit = unit
        self._begun = begun
        self._shown = 0  # characters
        self._next = begun

    def show(self, done: int, total: int | None) -> None:
        """Show that `done` of `total` are done."""
        now = monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY
        # the last column stays free: some terminals begin a new line with it
        width = (width_of(sys.stderr.fileno()) or 80) - 1
        line = line_of(done, total, self._unit, now - self._begun, width)
        self._put("\r" + line.ljust(min(self._shown, width)))
        self._shown = len(line)

    def stop(self) -> None:
        """Remove it from the terminal."""
        self._put("\r" + " " * self._shown + "\r")
        self._shown = 0

    def _put(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def line_of(done: int, total: int | None, unit: str, seconds: float, width: int) -> str:
    """The line, of at most `width` characters, after so many seconds of work.

    >>> line_of(30, 120, "pages", 10, 34)
    '[##        ]  30/120 pages 0:00:30'
    """
    if not total:
        return f"{done} {unit}"[:width]
    done = min(done, total)
    count = f"{done:>{len(str(total))}}/{total} {unit} {_clock(done, total, seconds)}"
    inside = min(_MOST, width - len(count) - len("[] "))
    if inside < _LEAST:
        return count[:width]
    return f"[{'#' * (inside * done // total):<{inside}}] {count}"


def _clock(done: int, total: int, seconds: float) -> str:
    """How long the rest takes, if it goes on as fast; not known while nothing is done."""
    if not done:
        return "-:--:--"
    minutes, second = divmod(round(seconds * (total - done) / done), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"
