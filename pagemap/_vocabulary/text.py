"""Names that others chose, as text that does no harm to who reads it."""

from __future__ import annotations

try:
    # What json itself uses; json brings along re and enum, and they take longer than many a table.
    from _json import encode_basestring_ascii as json_string
except ImportError:
    from json.encoder import py_encode_basestring_ascii as json_string

__all__ = ["csv_cell", "json_string", "printable"]

# With one of these begins what a spreadsheet computes; some take the full-width ones for them.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")


def printable(text: str) -> str:
    r"""`text` on one line that drives no terminal: control characters and stray bytes as octal.

    That is the kernel's own way in /proc/PID/maps, which has ``\012`` for a newline.

    >>> printable("two\nlines")
    'two\\012lines'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _octal(c) for c in text)


def csv_cell(text: str) -> str:
    r"""`text` as a cell of CSV that drives neither a terminal nor a spreadsheet.

    That is `printable`, with the first character in octal too where a spreadsheet would take the
    cell for a formula; in quotes where a comma or a quote is in it. A semicolon is in octal as
    well: in many languages a spreadsheet parts the cells of a file there, quotes or not.

    >>> csv_cell('a "b", c')
    '"a ""b"", c"'
    >>> csv_cell("=1+2"), csv_cell("-bash")
    ('\\0751+2', '\\055bash')
    >>> csv_cell("a;=1+2")
    'a\\073=1+2'
    """
    text = printable(text).replace(";", _octal(";"))
    # A tab or the end of a line, which some look past, is in octal by now.
    if text[:1] in _FORMULA:
        text = _octal(text[0]) + text[1:]
    if "," in text or '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _octal(character: str) -> str:
    # Not os.fsencode(): where the locale is not UTF-8 it fails on what maps decodes.
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
