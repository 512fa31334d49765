"""Flags of frames in words: their letters and names, and filters by them.

A flag is a name of a `pagemap.PageFlag`, the beginning of one alone, or a number of bits. Filters
(`pagemap._vocabulary.filters`) take words of entries as well: `present`, `swap`.
"""

from __future__ import annotations

from pagemap._errors import UsageError
from pagemap._vocabulary.filters import Filter
from pagemap._vocabulary.flags import PAGE_WORDS
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.names import understand
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.page_types import FlagRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Bits",
    "described",
    "divide",
    "flag_names",
    "letters",
    "parse_flags",
    "parse_word",
    "read_word",
]


class Bits(Record):
    """Flags to keep: ``word & mask == bits``, or with `any` those with some bit of `mask`."""

    mask: int = field("", "the bits that are looked at")
    bits: int = field("", "those of them that are set")
    any: bool = field("", "whether one bit of the mask is enough")


_BITS = {flag.name: 1 << flag.bit for flag in PAGE_FLAGS}
_ALIASES = {
    "anon": _BITS["anonymous"],
    "idle_page": _BITS["idle"],
    "hugetlb": _BITS["huge"],
    "compound": _BITS["compound_head"] | _BITS["compound_tail"],
}
_ENTRY_WORDS = frozenset(word for word, _ in PAGE_WORDS)
_FLAG_OF_ENTRY = {
    "file_or_shared": "file",
    "soft_dirty": "softdirty",
    "exclusive": "mmap_exclusive",
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


def described(word: int) -> list[FlagRow]:
    """Each flag in `word`, explained.

    >>> [row.name for row in described(0x900000)]
    ['nopage', 'offline']
    """
    known = {flag.bit: flag for flag in PAGE_FLAGS}
    bits = [bit for bit in range(64) if word >> bit & 1]
    return [
        FlagRow(
            bit,
            known[bit].letter if bit in known else "?",
            name,
            known[bit].meaning if bit in known else "",
        )
        for bit, name in zip(bits, flag_names(word), strict=True)
    ]


def parse_flags(text: str, *, option: str = "flags") -> int:
    """The bits of flags separated by commas. Raises UsageError for an unknown flag.

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
        raise UsageError(f"{option} has an empty name; separate names by commas")
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


def read_word(word: str, what: str) -> str:
    """A word of a filter of pages by their flags: one of entries (`PAGE_WORDS`), else of flags."""
    name = understand(word, _ENTRY_WORDS)
    if name is not None:
        return name
    bits = parse_word(word, option=what)
    return flag_names(bits)[0] if bits and not bits & (bits - 1) else word


def divide(filters: Sequence[Filter], *, raw: bool) -> tuple[list[Bits], list[Filter]]:
    """The filters of flags, and those of entries; `raw` says which flags will be seen.

    Raises UsageError for one that nothing could fit, or that mixes both where it cannot.

    >>> divide([Filter(("referenced", "present"), ("dirty",))], raw=False)[0]
    [Bits(mask=20, bits=4, any=False)]
    """
    flags: list[Bits] = []
    entries: list[Filter] = []
    wanted = refused = 0
    for each in filters:
        if each.exact:  # of all flags that there are, no entry can have one more
            flags.append(Bits(_WORDS - 1, _bits(map(_as_flag, each.all_of)), any=False))
            continue
        of_flags = [word for word in each.all_of if word not in _ENTRY_WORDS]
        not_flags = [word for word in each.none_of if word not in _ENTRY_WORDS]
        if of_flags or not_flags:
            these, others = _bits(of_flags), _bits(not_flags)
            flags.append(Bits(these | others, these, any=False))
            wanted, refused = wanted | these, refused | others
        groups: list[tuple[str, ...]] = []
        for group in each.any_of:
            mixed = {word in _ENTRY_WORDS for word in group}
            if len(mixed) > 1:
                raise UsageError(
                    f"{'/'.join(group)}: flags of frames and words about entries cannot be "
                    "combined by /"
                )
            if True in mixed:
                groups.append(group)
            else:
                flags.append(Bits(_bits(group), 0, any=True))
        rest = Filter(
            tuple(word for word in each.all_of if word in _ENTRY_WORDS),
            tuple(word for word in each.none_of if word in _ENTRY_WORDS),
            tuple(groups),
        )
        if any(rest):
            entries.append(rest)
    if wanted & refused:
        name = flag_names(wanted & refused)[0]
        raise UsageError(f"no page is both {name} and not {name}")
    for bits in flags:
        shown = bits.bits if bits.mask == _WORDS - 1 else bits.mask
        if not raw and (hidden := shown & _RAW):
            names = ", ".join(flag_names(hidden))
            raise UsageError(f"{names}: internal to the kernel, and only among raw flags")
    return flags, entries


def _as_flag(word: str) -> str:
    """The flag that page-types has for a word of entries."""
    flag = _FLAG_OF_ENTRY.get(word, word)
    if flag in _ENTRY_WORDS and flag != "swap":
        raise UsageError(f"{word} is not a flag of frames, so = cannot be used with it")
    return flag


def _bits(words: Iterable[str]) -> int:
    bits = 0
    for word in words:
        bits |= parse_word(word)
    return bits
