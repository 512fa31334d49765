"""Bytes, pages and addresses: the page size of this machine, and numbers as people write them.

Addresses and sizes are in bytes everywhere in pagemap; a count is in pages.
"""

from __future__ import annotations

import os
from bisect import bisect_right

from pagemap._errors import UsageError
from pagemap._vocabulary.checks import check_several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "ADDRESS_END",
    "PAGE_SHIFT",
    "PAGE_SIZE",
    "clipped",
    "compact_size",
    "format_size",
    "page_range",
    "page_ranges",
    "parse_address",
    "parse_range",
]

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
"""The size of a page in bytes: 4096 on x86-64, up to 65536 elsewhere."""

PAGE_SHIFT = PAGE_SIZE.bit_length() - 1
"""The binary logarithm of PAGE_SIZE: an address shifted right by it is a virtual page number."""

assert PAGE_SIZE == 1 << PAGE_SHIFT, f"the page size is not a power of two: {PAGE_SIZE}"

ADDRESS_END = 1 << 64
"""The first number, in bytes, that is no address."""

_DIGITS = frozenset("0123456789")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def format_size(size: int) -> str:
    """`size` bytes as people read it, in powers of 1024: ``512 B``, ``4.0 KiB``, ``1.5 GiB``."""
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        value /= 1024
        # 1023.95 would be written as 1024.0: that is one of the next unit.
        if value < 1023.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} EiB"


def compact_size(size: int) -> str:
    """`size` bytes in a cell that is narrow and has no blanks: ``4.0K`` for 4.0 KiB.

    >>> compact_size(4096), compact_size(0), compact_size(-4096)
    ('4.0K', '0', '-4.0K')
    """
    if size < 0:
        return f"-{compact_size(-size)}"
    return format_size(size).replace(" ", "").removesuffix("iB").removesuffix("B")


def parse_address(text: str, what: str = "address") -> int:
    """The address, in bytes, that `text` names: hexadecimal, with ``0x`` or with a letter in it.

    Digits alone are refused: tables and /proc/PID/maps have hexadecimal ones without 0x, and people
    write decimal ones. `what` is said of it in errors, as PFNs are written likewise. Raises
    UsageError when it is none, or is 2**64 or more.

    >>> parse_address("0x1000")
    4096
    >>> parse_address("7fff12ab") == 0x7fff12ab
    True
    """
    digits = _hexadecimal(text)
    if digits is None:
        raise UsageError(f"malformed {what} {text!r}: give 0x and hexadecimal digits")
    if digits is text and _two_ways(text):
        raise UsageError(f"{what} {text!r} can be read in two ways: {_readings(text)}")
    return _bounded(digits, text, what)


def _hexadecimal(text: str) -> str | None:
    """The hexadecimal digits of `text`, without 0x; None where it is something else."""
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    # int() alone would also take signs, underscores, spaces and other scripts' digits.
    if not digits or not _HEX_DIGITS.issuperset(digits):
        return None
    # 0b11 with a letter b in it would be hexadecimal: whoever types it means 3.
    binary = digits is text and text[:2] in ("0b", "0B") and frozenset("01").issuperset(text[2:])
    return None if binary else digits


def _two_ways(digits: str) -> bool:
    """Whether these digits are one number in hexadecimal, and another in decimal."""
    return _DIGITS.issuperset(digits) and len(digits.lstrip("0")) > 1


def _readings(*digits: str) -> str:
    # int() refuses texts of thousands of digits, and no address has so many
    bare = [each.lstrip("0")[:32] or "0" for each in digits]
    hexadecimal = "-".join(f"0x{each}" for each in bare)
    decimal = "-".join(f"{int(each):#x}" for each in bare)
    return f"write {hexadecimal} if it is hexadecimal, {decimal} if it is decimal"


def parse_range(text: str, what: str = "address") -> tuple[int, int]:
    """The addresses ``(start, end)``, in bytes, of a range written as in /proc/PID/maps.

    START-END are both hexadecimal, which ``0x`` or a letter in one of them must show; END is the
    first address past the range. Raises UsageError when it is not of this form, when START >= END,
    or when either is 2**64 or more.

    >>> parse_range("1000-0x3000")
    (4096, 12288)
    """
    first, dash, last = text.partition("-")
    if not dash:
        raise UsageError(f"malformed range {text!r}: give START-END, as in /proc/PID/maps")
    parts: list[str] = []
    for part in (first, last):
        digits = _hexadecimal(part)
        if digits is None:
            raise UsageError(f"malformed range {text!r}: {part!r} is not a hexadecimal {what}")
        parts.append(digits)
    start, end = (_bounded(digits, digits, what) for digits in parts)
    if start >= end:
        raise UsageError(f"empty range {text!r}: START must be below END")
    if parts == [first, last] and _DIGITS.issuperset(first) and _two_ways(last):
        raise UsageError(f"range {text!r} can be read in two ways: {_readings(first, last)}")
    return start, end


def page_range(start: int, end: int) -> tuple[int, int]:
    """The least range of whole pages around the bytes from `start` up to `end`.

    Raises UsageError when `start` is not below `end`, or they are past 64 bits.

    >>> page_range(PAGE_SIZE + 1, PAGE_SIZE + 2) == (PAGE_SIZE, 2 * PAGE_SIZE)
    True
    """
    if not type(start) is int is type(end):
        bounds: tuple[object, object] = (start, end)
        if not all(isinstance(each, int) and not isinstance(each, bool) for each in bounds):
            raise TypeError(f"a range is two addresses in bytes, of int, not {start!r}, {end!r}")
    if not 0 <= start < end <= ADDRESS_END:
        raise UsageError(
            f"{start:#x}-{end:#x} is not a range: START must be below END, and END at most 2**64"
        )
    return start & -PAGE_SIZE, -(-end & -PAGE_SIZE)


def page_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges as `page_range` widens them, in order, each page in one of them only.

    Those that touch are one. Raises UsageError as `page_range` does, TypeError for what are none.

    >>> page_ranges([(PAGE_SIZE, PAGE_SIZE + 1), (0, 1)]) == [(0, 2 * PAGE_SIZE)]
    True
    """
    check_several("ranges", ranges, "a sequence of ranges (start, end) in bytes")
    merged: list[tuple[int, int]] = []
    for start, end in sorted(page_range(*_bounds(each)) for each in ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _bounds(each: tuple[int, int]) -> tuple[int, int]:
    try:
        start, end = each
    except (TypeError, ValueError):
        raise TypeError(f"a range is (start, end) in bytes, not {each!r}") from None
    return start, end


def clipped(
    start: int, end: int, ranges: Sequence[tuple[int, int]] | None
) -> Iterator[tuple[int, int]]:
    """What of a mapping lies in ranges that `page_ranges` gave; all of it where they are None.

    Of the ranges those alone are looked at that reach into the mapping, and the one before.

    >>> list(clipped(4, 8, [(0, 2), (3, 5), (6, 7), (7, 9)]))
    [(4, 5), (6, 7), (7, 8)]
    """
    if ranges is None:
        yield start, end
        return
    for at in range(max(0, bisect_right(ranges, (start, ADDRESS_END)) - 1), len(ranges)):
        first, last = ranges[at]
        if first >= end:
            break
        if start < last:
            yield max(start, first), min(end, last)


def _bounded(digits: str, text: str, what: str) -> int:
    number = int(digits, 16)
    if number >= ADDRESS_END:
        raise UsageError(f"{what} {text!r} is out of bounds: addresses have at most 64 bits")
    return number
