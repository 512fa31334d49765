"""Bytes, pages and addresses: the page size of this machine, and numbers as people write them.

Addresses and sizes are in bytes everywhere in pagemap; a count is in pages.
"""

from __future__ import annotations

import os

from pagemap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ADDRESS_END",
    "PAGE_SHIFT",
    "PAGE_SIZE",
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


def parse_address(text: str) -> int:
    """The address, in bytes, that `text` names: hexadecimal with ``0x``, decimal without.

    Raises UsageError when it is neither, or is 2**64 or more.

    >>> parse_address("0x1000")
    4096
    >>> parse_address("4096")
    4096
    """
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    # int() alone would also take signs, underscores, spaces and other scripts' digits.
    if digits is not text:
        if digits and _HEX_DIGITS.issuperset(digits):
            return _bounded(int(digits, 16), text)
    elif text and _DIGITS.issuperset(text):
        # Leading zeros stand apart: int() refuses texts of thousands of digits.
        return _bounded(int(text.lstrip("0")[:32] or "0"), text)
    elif text and _HEX_DIGITS.issuperset(text) and not _is_binary(text):
        raise UsageError(f"malformed address {text!r}: write 0x{text} if it is hexadecimal")
    raise UsageError(
        f"malformed address {text!r}: give 0x and hexadecimal digits, or decimal digits"
    )


def _is_binary(text: str) -> bool:
    # To advise 0x0b1 for what was meant to be 1 would be worse than no hint.
    return text[:2] in ("0b", "0B") and frozenset("01").issuperset(text[2:])


def parse_range(text: str) -> tuple[int, int]:
    """The addresses ``(start, end)``, in bytes, of a range written as in /proc/PID/maps.

    START-END are both hexadecimal, with or without ``0x``; END is the first address past the range.
    Raises UsageError when it is not of this form, when START >= END, or when either is 2**64 or
    more.

    >>> parse_range("1000-0x3000")
    (4096, 12288)
    """
    first, dash, last = text.partition("-")
    if not dash:
        raise UsageError(f"malformed range {text!r}: give START-END, as in /proc/PID/maps")
    start, end = (_bound(part, text) for part in (first, last))
    if start >= end:
        raise UsageError(f"empty range {text!r}: START must be below END")
    return start, end


def page_range(start: int, end: int) -> tuple[int, int]:
    """The least range of whole pages around the bytes from `start` up to `end`.

    Raises UsageError when `start` is not below `end`, or they are past 64 bits.

    >>> page_range(PAGE_SIZE + 1, PAGE_SIZE + 2) == (PAGE_SIZE, 2 * PAGE_SIZE)
    True
    """
    if not 0 <= start < end <= ADDRESS_END:
        raise UsageError(
            f"{start:#x}-{end:#x} is no range: START must be below END, and END at most 2**64"
        )
    return start & -PAGE_SIZE, -(-end & -PAGE_SIZE)


def page_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges as `page_range` widens them, in order, each page in one of them only.

    Those that touch are one. Raises UsageError as `page_range` does.

    >>> page_ranges([(PAGE_SIZE, PAGE_SIZE + 1), (0, 1)]) == [(0, 2 * PAGE_SIZE)]
    True
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(page_range(*each) for each in ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _bound(part: str, text: str) -> int:
    digits = part[2:] if part[:2] in ("0x", "0X") else part
    if not digits or not _HEX_DIGITS.issuperset(digits):
        raise UsageError(f"malformed range {text!r}: {part!r} is no hexadecimal address")
    return _bounded(int(digits, 16), part)


def _bounded(address: int, text: str) -> int:
    if address >= ADDRESS_END:
        raise UsageError(f"address {text!r} is out of bounds: addresses have at most 64 bits")
    return address
