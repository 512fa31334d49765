"""Escapes names chosen by others, so that they cannot control a terminal or a spreadsheet."""

from __future__ import annotations

try:
    # What json itself uses; json brings along re and enum, and they take longer than many a table.
    from _json import encode_basestring_ascii as _quoted
except ImportError:
    from json.encoder import py_encode_basestring_ascii as _quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["csv_cell", "json_string", "json_text", "printable"]

# With one of these begins what a spreadsheet computes; some take the full-width ones for them.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_KEPT = 1 << 16  # spellings: names of strangers hold any character


def printable(text: str) -> str:
    r"""`text` on one line that drives no terminal: control characters and stray bytes as octal.

    That is the kernel's own way in /proc/PID/maps, which has ``\012`` for a newline.

    >>> printable("two\nlines")
    'two\\012lines'
    """
    if text.isprintable():
        return text
    text = text.replace("\n", "\\012")  # the usual one, at the speed of memory
    return text if text.isprintable() else text.translate(_PRINTABLE)


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


def json_string(text: str) -> str:
    r"""`text` as a string of JSON, in ASCII, with stray bytes as `printable` has them.

    JSON could hold them as lone surrogates, but then most readers refuse all of it.

    >>> print(json_string("bad\udcff"), json_string("two\nlines"))
    "bad\\377" "two\nlines"
    """
    return _quoted(_without_strays(text))


def json_text(value: object) -> str:
    """`value`, of dicts, lists, numbers and texts, as JSON; anything else as its str()."""
    import json

    return json.dumps(_spelled(value), separators=(",", ":"))


def _spelled(value: object) -> object:
    if isinstance(value, dict):
        return {_without_strays(str(key)): _spelled(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(each) for each in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _without_strays(str(value))


def _without_strays(text: str) -> str:
    return text if text.isascii() else text.translate(_DECODED)


class _Spellings(dict[int, str]):
    """What stands for a character, for str.translate: itself, or octal if it is not harmless."""

    def __init__(self, is_harmless: Callable[[str], bool]) -> None:
        self._is_harmless = is_harmless

    def __missing__(self, code: int) -> str:
        character = chr(code)
        spelled = character if self._is_harmless(character) else _octal(character)
        if len(self) >= _KEPT:
            self.clear()
        self[code] = spelled
        return spelled


_PRINTABLE = _Spellings(str.isprintable)
_DECODED = _Spellings(lambda character: not "\udc80" <= character <= "\udcff")


def _octal(character: str) -> str:
    # Not os.fsencode(): where the locale is not UTF-8 it fails on what maps decodes.
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
