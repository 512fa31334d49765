"""How the doctor says what does not work."""

from __future__ import annotations

from errno import errorcode

from pagemap._vocabulary.rows.finding import FindingRow

__all__ = ["failed", "wanting"]


def failed(name: str, error: OSError, remedy: str | None = None) -> FindingRow:
    """What the kernel answered with this error."""
    number = error.errno or 0
    reason = error.strerror or str(error)
    return FindingRow(name, False, f"{reason} ({_symbol(number)})", remedy, number)


def wanting(name: str, *needed: FindingRow) -> FindingRow | None:
    """That it was not tried, by the first that it needs and that does not work; None if all do."""
    for each in needed:
        if not each.ok:
            return FindingRow(
                name, False, f"not tried, for want of {each.name}", each.remedy, each.errno
            )
    return None


def _symbol(number: int) -> str:
    return errorcode.get(number, f"errno {number}")
