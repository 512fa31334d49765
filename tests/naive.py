"""What is found without looking at every page, found by looking at every page.

The naive twin of csrc/kernel/scan.c, classify.c and populated.c and of the modules above them: an
entry at a time, with category logic of its own. Nothing of `pagemap` is imported.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PAGE = oracle.PAGE

# PAGE_IS_* of include/uapi/linux/fs.h, those that an entry tells as well.
CATEGORIES = {"file": 4, "present": 8, "swap": 16, "soft_dirty": 128, "guard": 256}
_ENTRY_NAMES = {"file": "file_or_shared", "swap": "swapped"}

Stretch = tuple[int, int, int]
"""Addresses from start to end, in bytes, and the categories of all pages between."""


class Query(NamedTuple):
    """What to find, in categories."""

    any_of: int = 0
    all_of: int = 0
    none_of: int = 0
    returned: int = 0

    def words(self) -> dict[str, list[str]]:
        """The same as `Process.regions` takes it."""
        any_of, all_of, none_of, told = (
            [word for word, bit in CATEGORIES.items() if mask & bit] for mask in self
        )
        only = [*all_of, "/".join([*any_of, any_of[0]])] if any_of else all_of
        return {"only": only, "without": none_of, "tell": told}


def bits(text: str) -> int:
    """The categories that a region tells, as bits."""
    return sum(CATEGORIES[word] for word in text.split("|") if word)


TYPES = oracle.swap_type_names()


@functools.lru_cache(maxsize=4096)
def categories(entry: int, *, hidden_is_swap: bool = True) -> int:
    """What a page with this entry is; swap is what lies in swap, not whatever has bit 62."""
    here = {name: oracle.has(entry, _ENTRY_NAMES.get(name, name)) for name in CATEGORIES}
    kind = oracle.kind(entry, TYPES)
    here["swap"] = kind == "swap" or (kind == "hidden" and hidden_is_swap)
    return sum(bit for name, bit in CATEGORIES.items() if here[name])


def populated(entry: int) -> bool:
    """Whether there is something behind the page: bit 62 or 63."""
    return oracle.has(entry, "present") or oracle.has(entry, "swapped")


def matches(found: int, query: Query) -> bool:
    """Whether a page of these categories is asked for."""
    if query.any_of and not found & query.any_of:
        return False
    return found & query.all_of == query.all_of and not found & query.none_of


def joined(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Neighbours alike as one."""
    last: Stretch | None = None
    for start, end, what in stretches:
        if last and last[1] == start and last[2] == what:
            last = last[0], end, what
            continue
        if last:
            yield last
        last = start, end, what
    if last:
        yield last


def stretches(
    mappings: Sequence[oracle.MapsLine],
    entries: Sequence[Sequence[int]],
    *,
    hidden_is_swap: bool = True,
) -> list[Stretch]:
    """The mappings page by page, untouched pages too; memory without struct pages left out."""
    pages = (
        (
            line.start + i * PAGE,
            line.start + (i + 1) * PAGE,
            categories(entry, hidden_is_swap=hidden_is_swap),
        )
        for line, words in zip(mappings, entries, strict=True)
        # A scan passes over VM_PFNMAP (pagemap_scan_test_walk), which is what these are.
        if not line.label.startswith(b"[vvar")
        for i, entry in enumerate(words)
    )
    return list(joined(pages))


def regions(
    found: Iterable[Stretch],
    query: Query,
    *,
    start: int = 0,
    end: int = 2**64,
    max_pages: int | None = None,
) -> list[Stretch]:
    """Those that match, from `start` to `end` widened to pages, up to `max_pages` of them."""
    if not query.any_of | query.all_of | query.none_of:
        query = query._replace(any_of=CATEGORIES["present"] | CATEGORIES["swap"])
    start, end = start // PAGE * PAGE, -(-end // PAGE) * PAGE
    result = []
    left = 2**64 if max_pages is None else max_pages
    for begin, stop, what in found:
        first, last = max(begin, start), min(stop, end)
        last = min(last, first + left * PAGE)
        if first < last and matches(what, query):
            left -= (last - first) // PAGE
            result.append((first, last, what & query.returned))
    return list(joined(result))


def entries_of(pid: int, mappings: Iterable[oracle.MapsLine]) -> list[list[int]]:
    """The entries of each mapping, one read for each page."""
    return [oracle.entries(pid, line.start, line.end) for line in mappings]
