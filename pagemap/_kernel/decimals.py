"""Decimal numbers in texts of the kernel: a file that is not its own may say anything."""

from __future__ import annotations

__all__ = ["MOST", "number"]

MOST = 1 << 48
"""More than any number of pages, KiB or users: sums of these in bytes still have 64 bits."""

_DIGITS = 15


def number(word: str | bytes) -> int | None:
    """What a word of decimal digits says; None where it is none, or no number of a kernel.

    >>> number("4096"), number(b"12"), number("-1"), number("9" * 5000)
    (4096, 12, None, None)
    """
    if not word.isdigit() or not word.isascii() or len(word) > _DIGITS:
        return None
    found = int(word)
    return found if found < MOST else None
