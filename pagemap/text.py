"""Names that others chose, as text that does no harm to who reads it."""

from __future__ import annotations

try:
    # What json itself uses; json brings along re and enum, and they take longer than many a table.
    from _json import encode_basestring_ascii as json_string
except ImportError:
    from json.encoder import py_encode_basestring_ascii as json_string

__all__ = ["json_string", "printable"]


def printable(text: str) -> str:
    r"""`text` on one line that drives no terminal: control characters and stray bytes as octal.

    That is the kernel's own way in /proc/PID/maps, which has ``\012`` for a newline.

    >>> printable("two\nlines")
    'two\\012lines'
    """
    if text.isprintable():
        return text
    # Not os.fsencode(): where the locale is not UTF-8 it fails on what maps decodes.
    return "".join(
        c
        if c.isprintable()
        else "".join(f"\\{byte:03o}" for byte in c.encode("utf-8", "surrogateescape"))
        for c in text
    )
