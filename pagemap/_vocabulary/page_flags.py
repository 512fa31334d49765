"""Flags of frames in words: their letters and names, and filters in the language of page-types.

page-types, the kernel's own tool, says which pages it wants in one of four ways; several filters
must all hold::

    a,b      one of these flags at least
    a,b=b    of these flags, just those on the right
    a,~b     all of these, and none of those after a tilde
    =a,b     these flags and no others

A flag is a name of a `pagemap.PageFlag`, the beginning of one alone, or a number of bits.
"""

from __future__ import annotations

from pagemap._errors import UsageError
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.record import Record, field

__all__ = ["Filter", "flag_names", "letters", "parse_filter", "parse_flags", "parse_word"]


class Filter(Record):
    """Words to keep: ``word & mask == bits``, or with `any` those with some bit of `mask`."""

    mask: int = field("", "the bits that are looked at")
    bits: int = field("", "those of them that are set")
    any: bool = field("", "whether one bit of the mask is enough")


_BITS = {flag.name: 1 << flag.bit for flag in PAGE_FLAGS}
_ALIASES = {
    "anon": _BITS["anonymous"],
    "idle_page": _BITS["idle"],
    "compound": _BITS["compound_head"] | _BITS["compound_tail"],
}
_KNOWN = sum(_BITS.values())
_WORDS = 1 << 64
_RAW = _WORDS - (1 << 32)
"""What is never seen without raw: the kernel's internal bits, and those that page-types adds."""

_DIGITS = frozenset("0123456789")
_HEX_DIGITS = frozenset("0123456789abcdef")


def letters(word: int) -> str:
    """A character for each known flag, in the order of their bits: its letter, or ``_``.

    A ``?`` behind them says that there are bits which nobody here knows.
    """
    text = "".join(flag.letter if word >> flag.bit & 1 else "_" for flag in PAGE_FLAGS)
    return f"{text}?" if word & ~_KNOWN else text


def flag_names(word: int) -> list[str]:
    """The names of the flags in `word`, in the order of their bits; ``bit_N`` has no other name.

    >>> flag_names(1 << 2 | 1 << 30)
    ['referenced', 'bit_30']
    """
    names = {flag.bit: flag.name for flag in PAGE_FLAGS}
    return [names.get(bit, f"bit_{bit}") for bit in range(word.bit_length()) if word >> bit & 1]


def parse_flags(text: str, *, option: str = "flags") -> int:
    """The bits of flags parted by commas. Raises UsageError for what is none of them.

    >>> hex(parse_flags("locked,referenced,0x10"))
    '0x15'
    """
    bits = 0
    for word in text.split(","):
        bits |= parse_word(word, option=option)
    return bits


def parse_word(text: str, *, option: str = "flags") -> int:
    """The bits of one flag: a name, the beginning of one alone, or a number (0x for hex)."""
    name = text.strip().lower().replace("-", "_")
    if not name:
        raise UsageError(f"{option} has an empty name; give names parted by commas")
    if name[0] in _DIGITS:
        return _number(name, text, option)
    if name.startswith("bit_") and name[4:].isdecimal() and len(name) < 7 and int(name[4:]) < 64:
        return 1 << int(name[4:])
    known = {**_BITS, **_ALIASES}
    if name in known:
        return known[name]
    begun = [each for each in _BITS if each.startswith(name)]
    if len(begun) == 1:
        return _BITS[begun[0]]
    if begun:
        raise UsageError(f"{option}: {text!r} may be {', '.join(begun)}; write more of it")
    raise UsageError(f"{option} knows no {text!r}; {_hint(name, list(known))}")


def _number(name: str, text: str, option: str) -> int:
    digits, base = (name[2:], 16) if name[:2] == "0x" else (name, 10)
    allowed = _HEX_DIGITS if base == 16 else _DIGITS
    if not digits or len(digits) > 20 or not allowed.issuperset(digits):
        raise UsageError(f"{option} knows no {text!r}; a number is decimal, or 0x and hexadecimal")
    bits = int(digits, base)
    if bits >= _WORDS:
        raise UsageError(f"{option}: {text!r} has more than 64 bits")
    return bits


def _hint(name: str, choices: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, choices, n=1)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(choices)}"


def parse_filter(text: str, *, raw: bool, option: str = "bits") -> Filter:
    """The filter that `text` is, in the language above; `raw` says which flags will be seen.

    Raises UsageError for one that is malformed, or that nothing could ever fit.

    >>> parse_filter("referenced,~dirty", raw=False)
    Filter(mask=20, bits=4, any=False)
    """
    left, equals, right = text.partition("=")
    if equals and "~" in text:
        raise UsageError(f"{option} {text!r}: a tilde and = do not go together")
    wanted = parse_flags(right, option=option) if right else 0
    if equals and not left:
        parsed = Filter(_WORDS - 1, wanted, any=False)
    elif equals:
        parsed = Filter(parse_flags(left, option=option), wanted, any=False)
    else:
        parsed = _without_equals(left, option)
    if parsed.bits & ~parsed.mask:
        names = ", ".join(flag_names(parsed.bits & ~parsed.mask))
        raise UsageError(f"{option} {text!r} fits nothing: {names} is not on the left")
    shown = parsed.mask if parsed.mask != _WORDS - 1 else parsed.bits
    if not raw and (hidden := shown & _RAW):
        raise UsageError(
            f"{option} {text!r}: {', '.join(flag_names(hidden))} is seen with raw alone"
        )
    return parsed


def _without_equals(text: str, option: str) -> Filter:
    plain = without = 0
    for word in text.split(","):
        name = word.strip()
        if name.startswith("~"):
            without |= parse_word(name[1:], option=option)
        else:
            plain |= parse_word(name, option=option)
    if plain & without:
        raise UsageError(f"{option} {text!r} fits nothing: {flag_names(plain & without)[0]} twice")
    if without:
        return Filter(plain | without, plain, any=False)
    return Filter(plain, 0, any=True)
