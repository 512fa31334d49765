"""Names as callers type them: different spellings of the same name are understood.

The command and the library share this, so a word that one of them takes is good for the other.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["nearest", "spell", "understand", "unknown"]

# The whole name says what the bit means; nobody wants to type it.
_SHORT = {"file": "file_or_shared"}
_SPELT = {name: short for short, name in _SHORT.items()}


def spell(name: str) -> str:
    """A name of the vocabulary as it is written on a command line: ``soft-dirty``, ``file``."""
    return _SPELT.get(name, name).replace("_", "-")


def understand(
    word: str, known: Iterable[str], aliases: Mapping[str, str] | None = None
) -> str | None:
    """The name among `known` that `word` means, None where it means none of them.

    ``soft-dirty`` and ``soft_dirty`` are the same, as are ``file`` and ``file_or_shared``, and
    `aliases` are other names of some.

    >>> understand("soft-dirty", ["present", "soft_dirty"])
    'soft_dirty'
    """
    allowed = tuple(known)
    name = word.replace("-", "_")
    for each in (name, _SHORT.get(name), _SPELT.get(name), (aliases or {}).get(name)):
        if each in allowed:
            return each
    return None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that looks most like `word`, if any does."""
    from difflib import get_close_matches

    like = {name.replace("_", "-"): name for name in known}
    found = get_close_matches(word.lower().replace("_", "-"), like, n=1)
    return like[found[0]] if found else None


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """The message that `word` is none of the names of `what`, with that which looks most like it.

    >>> unknown("only", "soft-drity", ["present", "soft_dirty"])
    "only knows no 'soft-drity'; did you mean soft_dirty? choose from present, soft_dirty"
    """
    names = tuple(known)
    near = nearest(word, names)
    hint = f"did you mean {near}? " if near else ""
    return f"{what} knows no {word!r}; {hint}choose from {', '.join(names)}"
