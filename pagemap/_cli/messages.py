"""Messages of the command: lines on stderr that begin with its name."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from pagemap._errors import PagemapError
    from pagemap._snapshot import Snapshot

_LONGEST = 4096  # PATH_MAX: a longer word is the name of nothing
_SHOWN = 60

__all__ = ["complain", "ends_midway", "mute", "tell", "unwritten", "why"]


def complain(message: str) -> None:
    """Write ``pagemap: message`` to stderr.

    A message may have several lines, but nothing in it drives the terminal: arguments too are names
    that somebody else may have chosen. Of a word that can be no name its ends are shown.
    """
    from pagemap._vocabulary.text import printable

    if len(message) > _LONGEST:
        message = " ".join(map(_shortened, message.split(" ")))
    lines = "\n".join(map(printable, _strays_in_octal(message).split("\n")))
    tell(f"pagemap: {lines}\n")


def _shortened(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[:_SHOWN]}…{word[-_SHOWN:]}"


def _strays_in_octal(message: str) -> str:
    """The same where repr() spelled bytes that are not UTF-8 as Python does: as `printable`."""
    if "\\udc" not in message:
        return message
    import re

    stray = re.compile(r"(?<!\\)\\udc([89a-f][0-9a-f])")
    return stray.sub(lambda found: f"\\{int(found[1], 16):03o}", message)


def ends_midway(snapshot: Snapshot) -> str:
    """What there is to say of a file that ends within a moment."""
    last = snapshot.moments - 1
    return (
        f"{snapshot.path} ends within a moment: the writing of it was cut short, or goes on; the "
        f"last whole moment is {last}, of {snapshot.about['begin']}"
    )


def tell(text: str) -> None:
    """Write `text` to stderr. One that is closed or full is nobody's failure."""
    # Without a descriptor 2 Python has no stderr, and print() would then write to stdout.
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _forget(sys.stderr)


def why(error: OSError) -> str:
    """An error of the operating system that reached the top, as a message."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def unwritten(error: OSError) -> PagemapError:
    """The error for what stdout did not take; what it still holds will go nowhere."""
    from pagemap._errors import PagemapError

    mute(sys.stdout)
    message = f"cannot write to standard output: {why(error)}"
    return PagemapError(message, errno=error.errno, operation="write")


def mute(stream: TextIO | None) -> None:
    """Let what `stream` still holds go nowhere, or Python would try to write it again at exit."""
    if stream is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.dup2(nowhere, stream.fileno())
    except OSError:  # io.UnsupportedOperation: a stream in memory, which has nothing to fail
        pass
    finally:
        os.close(nowhere)


def _forget(stream: TextIO) -> None:
    """Drop what `stream` still holds: Python would fail to write it at exit, which is code 120."""
    try:
        kept = os.dup(stream.fileno())
    except OSError:  # closed, or a stream in memory
        return
    try:
        mute(stream)
        stream.flush()
    finally:
        os.dup2(kept, stream.fileno())
        os.close(kept)
