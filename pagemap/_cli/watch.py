"""Output again and again: on a terminal in the place of the last, else one below another."""

from __future__ import annotations

import math
import os
from select import POLLERR, poll
from time import monotonic

from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._cli.output import Output

__all__ = ["parse_seconds", "room", "rounds"]

_MOST_SECONDS = 1 << 20  # twelve days: what poll() takes, in milliseconds, is less than twice that

# To the upper left corner, and clear what is below.
_CLEAR = b"\x1b[H\x1b[J"

_USUAL_LINES = 24
_OTHER_LINES = 6  # of the screen: titles, the total, some messages, and the cursor


def parse_seconds(text: str | None, *, option: str) -> float | None:
    """The time that `text` gives, None for None. Raises UsageError for what is none."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _MOST_SECONDS:
        raise UsageError(f"{option} wants a time in seconds, above 0, not {text!r}")
    return seconds


def room(output: Output) -> int | None:
    """The rows of a table that its terminal has room for; None when it is no terminal."""
    if not os.isatty(output.fd):
        return None
    try:
        lines = os.get_terminal_size(output.fd).lines or _USUAL_LINES
    except OSError:
        lines = _USUAL_LINES
    return max(lines - _OTHER_LINES, 1)


def rounds(seconds: float, output: Output) -> Iterator[int]:
    """Count rounds, one each `seconds`; each writes to `output` what there is then.

    Raises BrokenPipeError as soon as nobody reads any more, also between two rounds.
    """
    drawn = os.isatty(output.fd)
    waiter = poll()
    waiter.register(output.fd, 0)
    number = 0
    while True:
        began = monotonic()
        if drawn:
            output.write(_CLEAR)
        elif number:
            output.write(b"\n")
        yield number
        number += 1
        left = began + seconds - monotonic()
        if any(event & POLLERR for _, event in waiter.poll(max(left, 0.0) * 1000)):
            raise BrokenPipeError
