"""Which pages are meant: one language for dump, regions, types and maps.

::

    a,b      pages that are all of these
    a,~b     a, and not b
    a/b      a or b, or both
    a,b=b    of the words on the left, just those on the right
    =a,b     these and nothing else

The last two are those of page-types, the kernel's own tool. Several filters must all hold. What
the words are depends on what is looked at: entries (`PAGE_WORDS`), categories of a scan, flags of
frames; all of them have `present`, `file`, `swap` and `soft_dirty`, in one meaning.
"""

from __future__ import annotations

from pagemap._errors import UsageError
from pagemap._vocabulary.checks import check_names
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.words import choices, understand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    # A word as it was typed, and whose argument it is: the name that it means.
    Read = Callable[[str, str], str]

__all__ = ["LANGUAGE", "Filter", "parse_filters", "words_of"]

LANGUAGE = """\
  a,b      pages that are all of these
  a,~b     a, and not b
  a/b      a or b, or both
  a,b=b    of the words on the left, just those on the right
  =a,b     these and nothing else"""
"""The language, for a help text."""


class Filter(Record):
    """Names of what pages must be; a page that fits is kept."""

    all_of: tuple[str, ...] = field("", "they are all of these", ())
    none_of: tuple[str, ...] = field("", "and none of these", ())
    any_of: tuple[tuple[str, ...], ...] = field("", "and one at least of each of these groups", ())
    exact: bool = field("", "and nothing but `all_of`", default=False)


def words_of(known: Collection[str]) -> Read:
    """How words are read where these are all that there are; spelt as `understand` takes them."""

    def read(word: str, what: str) -> str:
        name = understand(word, known)
        if name is None:
            raise UsageError(f"{what} has no {word!r}. {choices(word, known)}")
        return name

    return read


def parse_filters(
    only: Sequence[str],
    without: Sequence[str],
    read: Read,
    *,
    names: tuple[str, str] = ("only", "without"),
) -> list[Filter]:
    """The filters that `only` gives, in the language above, and `without`: words, none of which.

    All must hold. `read` knows the words; `names` are what the arguments are called in errors.
    Raises UsageError for what cannot be understood, or that no page could fit, TypeError for what
    is no sequence of texts.

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
        raise UsageError(f"{what} {text!r}: = does not go together with ~ and /")
    if equals:
        wanted = _each(right, read, what)
        among = _each(left, read, what)
        strange = [name for name in wanted if name not in among]
        if among and strange:
            raise UsageError(f"{what} {text!r} fits nothing: {strange[0]} is not on the left")
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
        raise UsageError(f"{what} has an empty word; give words parted by commas")
    for sign in "~/=":
        if sign in bare:
            raise UsageError(f"{what} {bare!r}: {sign} cannot stand there")
    return read(bare.lower(), what)
