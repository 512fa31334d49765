"""Filters that select pages: one language for dump, regions, types and maps.

::

    a,b      pages that are a and b
    a,~b     pages that are a and not b
    a/b      pages that are a or b, or both
    a,b=b    of the words before =, pages have those after it and no others
    =a,b     pages that are a and b and nothing else

The last two forms are those of page-types, the kernel's own tool. A page must match all filters.
The words depend on what is read: entries (`PAGE_WORDS`), categories of a scan, or flags of frames.
`present`, `file`, `swap` and `soft_dirty` are among all of these, and mean the same in each.
"""

from __future__ import annotations

from pagemap._errors import UsageError
from pagemap._vocabulary.checks import check_names
from pagemap._vocabulary.names import understand, unknown
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    # A word as it was typed, and whose argument it is: the name that it means.
    Read = Callable[[str, str], str]

__all__ = ["LANGUAGE", "Filter", "parse_filters", "words_of"]

LANGUAGE = """\
  a,b      pages that are a and b
  a,~b     pages that are a and not b
  a/b      pages that are a or b, or both
  a,b=b    of the words before =, pages have those after it and no others
  =a,b     pages that are a and b and nothing else"""
"""The language, for a help text."""


class Filter(Record):
    """What a page must be to be kept."""

    all_of: tuple[str, ...] = field("", "it is all of these", ())
    none_of: tuple[str, ...] = field("", "and none of these", ())
    any_of: tuple[tuple[str, ...], ...] = field("", "and at least one of each of these groups", ())
    exact: bool = field("", "and nothing but `all_of`", default=False)


def words_of(known: Collection[str]) -> Read:
    """A function that reads words: `known` are all there are, in any spelling of `understand`."""

    def read(word: str, what: str) -> str:
        name = understand(word, known)
        if name is None:
            raise UsageError(unknown(what, word, known))
        return name

    return read


def parse_filters(
    only: Sequence[str],
    without: Sequence[str],
    read: Read,
    *,
    names: tuple[str, str] = ("only", "without"),
) -> list[Filter]:
    """The filters in `only`, in the language above, and one made of the words in `without`.

    A page must match all of them. `read` turns a word into a name; `names` are the names of the two
    arguments in errors. Raises UsageError for a filter that cannot be understood or that no page
    can match, TypeError for what is not a sequence of texts.

    >>> parse_filters(["present,~file"], [], words_of(["present", "file"]))
    [Filter(all_of=('present',), none_of=('file',), any_of=(), exact=False)]
    """
    filters = [_parsed(text, read, names[0]) for text in check_names(names[0], only)]
    plain = [_plain(word, read, names[1]) for text in check_names(names[1], without)
             for word in text.split(",")]  # fmt: skip
    if plain:
        filters.append(Filter(none_of=tuple(dict.fromkeys(plain))))
    wanted = {name for each in filters for name in each.all_of}
    for each in filters:
        for name in each.none_of:
            if name in wanted:
                raise UsageError(f"no page is both {name} and not {name}")
    return filters


def _parsed(text: str, read: Read, what: str) -> Filter:
    left, equals, right = text.partition("=")
    if equals and ("~" in text or "/" in text):
        raise UsageError(f"{what} {text!r}: = cannot be combined with ~ and /")
    if equals:
        wanted = _each(right, read, what)
        among = _each(left, read, what)
        strange = [name for name in wanted if name not in among]
        if among and strange:
            raise UsageError(f"{what} {text!r} matches nothing: {strange[0]} is not before the =")
        rest = tuple(name for name in among if name not in wanted)
        return Filter(wanted, rest, exact=not among)
    all_of: dict[str, None] = {}
    none_of: dict[str, None] = {}
    any_of = []
    for word in text.split(","):
        bare = word.strip()
        if "/" in bare:
            any_of.append(tuple(_plain(each, read, what) for each in bare.split("/")))
        elif bare.startswith("~"):
            none_of[_plain(bare[1:], read, what)] = None
        else:
            all_of[_plain(bare, read, what)] = None
    return Filter(tuple(all_of), tuple(none_of), tuple(any_of))


def _each(text: str, read: Read, what: str) -> tuple[str, ...]:
    words = text.split(",") if text.strip() else ()
    return tuple(dict.fromkeys(_plain(word, read, what) for word in words))


def _plain(word: str, read: Read, what: str) -> str:
    bare = word.strip()
    if not bare:
        raise UsageError(f"{what} has an empty word; separate words by commas")
    for sign in "~/=":
        if sign in bare:
            raise UsageError(f"{what} {bare!r}: {sign} is not allowed there")
    return read(bare.lower(), what)
