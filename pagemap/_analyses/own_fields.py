"""What smaps has of a mapping beside sums: page sizes, the protection key, flags."""

from __future__ import annotations

from pagemap._vocabulary.text import printable
from pagemap._vocabulary.vm_flags import in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["OWN_LINES", "own_fields"]

OWN_LINES = (b"KernelPageSize", b"MMUPageSize", b"THPeligible", b"ProtectionKey", b"VmFlags")
"""The lines that it is in."""

_DIGITS = 10  # of a number without a unit


def own_fields(
    lines: dict[bytes, Any], seen: dict[tuple[Any, ...], tuple[object, ...]]
) -> tuple[object, ...]:
    """The last fields of a `MappingFootprintRow`; `seen` keeps them, because few differ."""
    texts = tuple(map(lines.get, OWN_LINES))
    found = seen.get(texts)
    if found is None:
        kernel, mmu, eligible, key, flags = texts
        eligible = _number(eligible)
        found = seen[texts] = (
            kernel,
            mmu,
            None if eligible is None else bool(eligible),
            _number(key),
            None if flags is None else in_words(printable(flags.decode("ascii", "replace"))),
        )
    return found


def _number(text: bytes | None) -> int | None:
    """The number in a line; None where there is no line, or something else in it."""
    text = text and text.strip()
    return int(text) if text and text.isdigit() and len(text) <= _DIGITS else None
