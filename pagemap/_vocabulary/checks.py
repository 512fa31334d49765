"""Checks arguments that mean the same everywhere: numbers, names, threads."""

from __future__ import annotations

import operator
import os

from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

__all__ = ["check_int", "check_names", "check_number", "check_several", "check_threads"]


def check_int(name: str, value: object, low: int, high: int, *, address: bool = False) -> int:
    """The argument `name`, an int from `low` up to, without, `high`, and no bool.

    Raises TypeError and UsageError, which name it, and write an `address` in hexadecimal.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if not low <= value < high:
        form = "#x" if address else "d"
        raise UsageError(f"{name} must be from {low} to {high - 1:{form}}, not {value:{form}}")
    return value


def check_number(name: str, value: object, wanted: str) -> float:
    """The argument `name`, a number as a float, and no bool. Raises UsageError: not `wanted`."""
    try:
        if not isinstance(value, (bool, str, bytes)):
            return float(value)  # type: ignore[arg-type] # of numpy, of fractions: whatever has one
    except (TypeError, OverflowError):
        pass
    raise UsageError(f"{name} must be {wanted}, not {value!r}")


def check_several(name: str, value: object, wanted: str) -> None:
    """The argument `name`, which may be iterated over, and no text, which is one thing.

    Raises TypeError: it must be `wanted`.
    """
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} must be {wanted}, not {value!r}")


def check_names(name: str, value: object, known: Collection[str] | None = None) -> list[str]:
    """The argument `name`, several words; those that they mean among `known`, where that is given.

    A word alone is refused: it would be taken for its letters. Words are taken as `understand`
    takes them. Raises TypeError, and UsageError, which says what may have been meant.
    """
    several: Any = [None] if isinstance(value, (str, bytes)) else value
    words: list[str] = list(several) if hasattr(several, "__iter__") else [several]
    if not all(isinstance(word, str) for word in words):
        example = f", as [{value!r}]" if isinstance(value, str) else ""
        raise TypeError(f"{name} must be a sequence of str{example}, not {value!r}")
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
        raise TypeError(f"threads must be an int or None, not {threads!r}")
    if wanted < 1:
        raise UsageError(f"threads must be 1 or more, not {wanted}")
    return min(wanted, len(os.sched_getaffinity(0)))
