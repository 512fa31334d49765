"""Values of options that several subcommands have: names and numbers."""

from __future__ import annotations

from pagemap._errors import UsageError
from pagemap._vocabulary.names import understand, unknown
from pagemap._vocabulary.units import PAGE_SIZE, page_ranges, parse_address, parse_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "parse_count",
    "parse_file_ranges",
    "parse_limit",
    "parse_names",
    "parse_ranges",
    "parse_size",
]

_UNITS = {"k": 10, "m": 20, "g": 30}
_MOST = 1 << 63  # bytes
_LONGEST = 19  # digits, for numbers that C has no room for
_DIGITS = 16  # of a number of pages: more are past all files


def parse_names(
    texts: Iterable[str],
    known: Iterable[str],
    *,
    option: str,
    aliases: Mapping[str, str] | None = None,
) -> list[str]:
    """The names among `known` in `texts`, each of which may have several, separated by commas.

    Words are taken as `understand` takes them, in either case of letters. Raises UsageError for a
    name that is not known, and says which may have been meant.

    >>> parse_names(["present,soft-dirty"], ["present", "soft_dirty"], option="--only")
    ['present', 'soft_dirty']
    """
    allowed = list(known)
    found: dict[str, None] = {}
    for text in texts:
        for word in text.split(","):
            if not (word := word.strip()):
                raise UsageError(f"{option} has an empty name; separate names by commas")
            name = understand(word.lower(), allowed, aliases)
            if name is None:
                others = [each for each, real in (aliases or {}).items() if real in allowed]
                raise UsageError(unknown(option, word, [*allowed, *others]))
            found[name] = None
    return list(found)


def parse_count(text: str | None, *, option: str) -> int | None:
    """The number from 1 on that `text` gives, None for None. Raises UsageError for all else."""
    return _number(text, 1, option)


def parse_limit(text: str | None, *, option: str) -> int | None:
    """The same from 0 on."""
    return _number(text, 0, option)


def _number(text: str | None, least: int, option: str) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) < _LONGEST and int(text) >= least:
        return int(text)
    needed = f"{option} needs a number from {least} on"
    if text.isascii() and text.isdecimal() and len(text) >= _LONGEST:
        needed += f" of less than {_LONGEST} digits"
    raise UsageError(f"{needed}, not {text!r}")


def parse_ranges(texts: Iterable[str]) -> list[tuple[int, int]]:
    """The ranges that `texts` give, as whole pages, in order, each page in one of them only."""
    return page_ranges(map(parse_range, texts))


def parse_file_ranges(texts: Iterable[str]) -> list[tuple[int, int]]:
    """The same of a file: numbers of pages, or bytes with a unit or 0x, as ``64K-2M``."""
    found = []
    for text in texts:
        bounds = [_offset(word) for word in text.split("-")]
        if len(bounds) != 2 or None in bounds:
            raise UsageError(
                f"malformed range {text!r} of a file: give START-END in pages, as 0-16, or in "
                "bytes, as 64K-2M or 0x1000-0x3000"
            )
        start, end = (bound or 0 for bound in bounds)
        if start >= end:
            raise UsageError(f"empty range {text!r}: START must be below END")
        found.append((start, end))
    return page_ranges(found)


def _offset(word: str) -> int | None:
    """The bytes that come before in a file."""
    if word.isascii() and word.isdecimal():
        return int(word) * PAGE_SIZE if len(word) < _DIGITS else None
    try:
        return parse_address(word, "offset") if word[:2].lower() == "0x" else parse_size(word)
    except UsageError:
        return None


def parse_size(word: str) -> int:
    """The bytes that ``64K``, ``2MiB`` or ``4096`` are. Raises UsageError for what is no size."""
    number, shift = word.lower().removesuffix("b").removesuffix("i"), 0
    if number[-1:] in _UNITS:
        shift = _UNITS[number[-1]]
        number = number[:-1]
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise UsageError(f"give a size such as 64K or 2M, not {word!r}")
    size = int(number) << shift
    if size >= _MOST:
        raise UsageError(f"{word!r} is larger than any file or memory")
    return size
