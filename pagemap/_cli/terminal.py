"""The terminal that output goes to, if it is one: its size, and what it takes."""

from __future__ import annotations

import os
import sys

__all__ = ["encoding_of", "is_bold", "lines_of", "takes_blocks", "width_of", "wrapped"]

_USUAL_WIDTH = 80
_USUAL_LINES = 24


def width_of(fd: int) -> int | None:
    """The width of the terminal that the descriptor is, in characters; None when it is none.

    COLUMNS, where it is a number, is believed instead.
    """
    if not os.isatty(fd):
        return None
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdecimal() and int(said[:9]):
        return int(said[:9])
    try:
        return os.get_terminal_size(fd).columns or _USUAL_WIDTH
    except OSError:
        return _USUAL_WIDTH


def lines_of(fd: int) -> int | None:
    """How many lines the terminal has; None when the descriptor is none."""
    if not os.isatty(fd):
        return None
    try:
        return os.get_terminal_size(fd).lines or _USUAL_LINES
    except OSError:
        return _USUAL_LINES


def encoding_of(fd: int) -> tuple[str, str]:
    """How text is written there, as `str.encode` takes it: the encoding, and what is done else.

    Into files and pipes go the bytes of a path as they are. A terminal that does not take UTF-8
    gets its own encoding: among the bytes of UTF-8 it may find control characters.
    """
    if not os.isatty(fd):
        return "utf-8", "surrogateescape"
    encoding = "utf-8" if sys.stdout is None else sys.stdout.encoding
    return encoding, "backslashreplace"


def takes_blocks(fd: int) -> bool:
    """Whether bars can be drawn there with block characters: on a terminal that takes UTF-8."""
    return os.isatty(fd) and encoding_of(fd)[0].lower().replace("-", "") == "utf8"


def is_bold(fd: int) -> bool:
    """Whether a line may be emphasised there (see no-color.org)."""
    return os.isatty(fd) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def wrapped(line: str, width: int | None) -> str:
    r"""A sentence, on as many lines as it needs, each ended: what is too long for one is indented.

    >>> wrapped("what is told of it", 12)
    'what is told\n  of it\n'
    """
    if width is None or len(line) <= width:
        return f"{line}\n"
    from textwrap import fill

    first = line[: len(line) - len(line.lstrip())]
    return fill(line.lstrip(), width, initial_indent=first, subsequent_indent=f"{first}  ") + "\n"
