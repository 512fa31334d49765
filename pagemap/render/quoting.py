"""Cells of CSV that hold text of somebody else's choosing."""

from __future__ import annotations

__all__ = ["quoted"]


def quoted(text: str) -> str:
    """`text` as a cell: in quotes where a comma, a quote or the end of a line is in it.

    >>> quoted('a "b", c')
    '"a ""b"", c"'
    """
    if any(c in text for c in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
