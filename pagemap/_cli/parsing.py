"""Values of options that several subcommands have: names and numbers."""

from __future__ import annotations

from pagemap._errors import UsageError
from pagemap._vocabulary.names import understand, unknown
from pagemap._vocabulary.units import page_ranges, parse_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["parse_count", "parse_limit", "parse_names", "parse_ranges", "parse_size"]

_UNITS = {"k": 10, "m": 20, "g": 30}


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
    if text.isascii() and text.isdecimal() and len(text) < 19 and int(text) >= least:
        return int(text)
    raise UsageError(f"{option} needs a number from {least} on, not {text!r}")


def parse_ranges(texts: Iterable[str]) -> list[tuple[int, int]]:
    """The ranges that `texts` give, as whole pages, in order, each page in one of them only."""
    return page_ranges(map(parse_range, texts))


def parse_size(word: str) -> int:
    """The bytes that ``64K``, ``2MiB`` or ``4096`` are. Raises UsageError for what is no size."""
    number, shift = word.lower().removesuffix("b").removesuffix("i"), 0
    if number[-1:] in _UNITS:
        shift = _UNITS[number[-1]]
        number = number[:-1]
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise UsageError(f"give a size such as 64K or 2M, not {word!r}")
    return int(number) << shift
