"""Checks arguments that mean the same everywhere: numbers, names, threads."""

from __future__ import annotations

import operator
import os

from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

__all__ = ["check_int", "check_names", "check_threads"]


def check_int(name: str, value: object, low: int, high: int) -> int:
    """The argument `name`, an int from `low` up to, without, `high`, and no bool.

    Raises TypeError and UsageError, which name it.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is an int, not {value!r}")
    if not low <= value < high:
        raise UsageError(f"{name} must be from {low} to {high - 1:#x}, not {value:#x}")
    return value


def check_names(name: str, value: object, known: Collection[str] | None = None) -> list[str]:
    """The argument `name`, several words; those that they mean among `known`, where that is given.

    A word alone is refused: it would be taken for its letters. Words are taken as `understand`
    takes them. Raises TypeError, and UsageError, which says what may have been meant.
    """
    several: Any = [None] if isinstance(value, (str, bytes)) else value
    words: list[str] = list(several) if hasattr(several, "__iter__") else [several]
    if not all(isinstance(word, str) for word in words):
        raise TypeError(f"{name} is a sequence of str, as ['present'], not {value!r}")
    return words if known is None else [_known(name, word, known) for word in words]


def _known(name: str, word: str, known: Collection[str]) -> str:
    from pagemap._vocabulary.names import understand, unknown

    found = understand(word, known)
    if found is None:
        raise UsageError(unknown(name, word, known))
    return found


def check_threads(threads: int | None) -> int | None:
    """How many threads to use: as asked, but no more than processors that this process may use.

    None stays None, for as many as pay. Raises TypeError for what is no integer, UsageError for
    less than 1.
    """
    if threads is None:
        return None
    try:
        wanted = operator.index(threads)
    except TypeError:
        wanted = None
    if wanted is None or isinstance(threads, bool):
        raise TypeError(f"threads is an int or None, not {threads!r}")
    if wanted < 1:
        raise UsageError(f"threads must be 1 or more, not {wanted}")
    return min(wanted, len(os.sched_getaffinity(0)))
