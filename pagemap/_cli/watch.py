"""Repeated output: on a terminal in place of the last, otherwise one below the other."""

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

__all__ = ["parse_seconds", "rounds"]

_MOST_SECONDS = 1 << 20  # twelve days: what poll() takes, in milliseconds, is less than twice that

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

# To the upper left corner, and clear what is below.
_CLEAR = b"\x1b[H\x1b[J"


def parse_seconds(text: str, *, option: str) -> float:
    """The time that `text` gives: seconds, or a number with a unit. Raises UsageError for none.

    >>> parse_seconds("500ms", option="--every"), parse_seconds("1.5", option="--every")
    (0.5, 1.5)
    """
    number = text.rstrip("hms")
    unit = text[len(number) :] or "s"
    try:
        seconds = float(number) * _UNITS.get(unit, math.nan)
    except ValueError:
        seconds = math.nan
    if seconds > _MOST_SECONDS:
        raise UsageError(f"{option} is too long: {text!r}; the most are {_MOST_SECONDS} seconds")
    if not seconds > 0:  # nor nan
        raise UsageError(
            f"{option} needs a time above 0, in seconds or with a unit (10, 1.5s, 500ms, 2m, 1h), "
            f"not {text!r}"
        )
    return seconds


def rounds(
    seconds: float,
    output: Output,
    *,
    drawn: bool = True,
    count: int | None = None,
    waits: bool = False,
) -> Iterator[int]:
    """Count rounds, one each `seconds`; each writes to `output` what there is then.

    They end after `count`, where that is given. Where it `waits`, the first is not at once, but
    after that time, too.

    What is `drawn`, and not rows alone, comes on a terminal in the place of the last, and elsewhere
    after an empty line.
    Raises BrokenPipeError as soon as nobody reads any more, also between two rounds.
    """
    in_place = drawn and os.isatty(output.fd)
    waiter = poll()
    waiter.register(output.fd, 0)
    number = 0
    due = monotonic() + (seconds if waits else 0.0)
    while number != count:
        left = due - monotonic()
        if any(event & POLLERR for _, event in waiter.poll(max(left, 0.0) * 1000)):
            raise BrokenPipeError
        due = monotonic() + seconds
        if in_place:
            output.write(_CLEAR)
        elif drawn and number:
            output.write(b"\n")
        yield number
        number += 1
