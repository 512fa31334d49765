"""What pagemap says of a process, through each of its doors, in the words of tests/zoo_kernel.py.

Each door gives rows of words in bytes: one for each mapping, by its first address, or one for the
whole process. None is what it does not know; a word that it does not tell is not there.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pagemap
from pagemap._analyses.gentle import Gentle
from pagemap._analyses.tally_plan import tellable
from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.target import Target

    Words = dict[str, int | None]
    Rows = dict[int, Words]
    Door = Callable[[Target], Rows]

__all__ = ["DOORS", "FRAMES", "WHOLE", "WORDS"]

PAGE = oracle.PAGE
WHOLE = -1
"""The key of the row of a whole process."""


def _bytes(pages: int | None) -> int | None:
    return None if pages is None else pages * PAGE


TALLIED = (
    *("present", "rss", "zero", "hugetlb", "swap", "guard", "marker", "anon", "uss", "uffd_wp"),
    "huge",
)


def maps(target: Target) -> Rows:
    """`pagemap maps`, and Process.tally."""
    with pagemap.Process(target.pid) as process:
        return {
            row.start: {word: getattr(row, word) for word in TALLIED}
            for row in process.tally(tellable(process, TALLIED))
        }


HUGE = {
    "present": "present",
    "rss": "rss",
    "zero": "zero",
    "hugetlb": "hugetlb",
    "anon": "anon",
    "thp": "pmd",
}


def huge(target: Target) -> Rows:
    """`pagemap huge`, and Process.huge."""
    with pagemap.Process(target.pid) as process:
        return {
            row.start: {word: getattr(row, name) for word, name in HUGE.items()}
            for row in process.huge()
        }


FOOTPRINT = (
    "rss",
    "pss",
    "uss",
    "shared",
    "clean",
    "dirty",
    "swap",
    "hugetlb",
    "shared_hugetlb",
    "private_hugetlb",
)


def _words(footprint: pagemap.FootprintRow | pagemap.MappingFootprintRow) -> Words:
    words = {word: getattr(footprint, word) for word in FOOTPRINT}
    if words["pss"] is not None:
        words["pss"] = words["pss"] >> 10 << 10  # the kernel tells it in KiB
    return words


def footprints(target: Target) -> Rows:
    """`pagemap footprint PID --by mapping`, or as it is called: smaps."""
    with pagemap.Process(target.pid) as process:
        return {each.start: _words(each) for each in process.footprints()}


def footprint(target: Target) -> Rows:
    """`pagemap footprint PID`."""
    with pagemap.Process(target.pid) as process:
        return {WHOLE: _words(process.footprint())}


def gentle(target: Target) -> Rows:
    """`pagemap footprint --gentle`."""
    with pagemap.Process(target.pid) as process, Gentle(1) as walk:
        return {each.start: _words(each) for each in process.footprints(gentle=walk)}


def sample(target: Target) -> Rows:
    """Sampler.sample."""
    names = "rss", "swap", "anon", "huge", "uss", "present", "zero", "hugetlb"
    with pagemap.Sampler(target.pid) as sampler:
        taken = sampler.sample()
        assert not taken.partial
        return {WHOLE: {name: getattr(taken, name) for name in names}}


REGIONS = {
    "present": "present",
    "swap": "swap",
    "guard": "guard",
    "zero": "pfnzero",
    "huge": "huge",
}


def regions(target: Target) -> Rows:
    """`pagemap regions --only WORD`."""
    with pagemap.Process(target.pid) as process:
        words: Words = {}
        for word, category in REGIONS.items():
            # an entry tells these without PAGEMAP_SCAN
            if word in ("present", "swap") or process.can_find(category):
                words[word] = process.regions(only=[category]).snapshot().total().size
        return {WHOLE: words}


DUMPED = {
    "present": "present",
    "swap": "swap",
    "guard": "guard",
    "marker": "marker",
    "uffd_wp": "uffd_wp",
    "uss": "exclusive",
}


def dump(target: Target) -> Rows:
    """`pagemap dump --only WORD`: how many rows there are."""
    words: Words = {}
    for word, spelled in DUMPED.items():
        out = io.BytesIO()
        try:
            pagemap.dump(target.pid, out, only=[spelled], header=False)
        except (pagemap.PfnsHidden, pagemap.Unsupported):
            words[word] = None
        else:
            words[word] = out.getvalue().count(b"\n") * PAGE
    return {WHOLE: words}


TYPES = {"anon": "anonymous", "zero": "zero_page", "hugetlb": "huge", "flag_ksm": "ksm"}


def types(target: Target) -> Rows:
    """`pagemap types PID --only NAME`."""
    words: Words = {}
    with pagemap.Process(target.pid) as process:
        for word, bit in TYPES.items():
            words[word] = _bytes(process.page_types(only=[bit]).total().pages)
    return {WHOLE: words}


def sharing(target: Target) -> Rows:
    """`pagemap sharing PID... --targets-only`: frames that several of the family map, each once."""
    found = pagemap.sharing([target.pid, *target.children], only=True)
    return {WHOLE: {"family": found.total[0].shared}}


DOORS: dict[str, Door] = {
    door.__name__: door
    for door in (maps, huge, footprints, footprint, gentle, sample, regions, dump, types, sharing)
}
"""By name."""

FRAMES = ("huge", "gentle", "types", "sharing")
"""The doors that need PFNs, and the files about frames."""


def _told(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(words)


WORDS: dict[str, tuple[str, ...]] = {
    "maps": TALLIED,
    "huge": _told(HUGE),
    "footprints": FOOTPRINT,
    "footprint": FOOTPRINT,
    "gentle": FOOTPRINT,
    "sample": ("rss", "swap", "anon", "huge", "uss", "present", "zero", "hugetlb"),
    "regions": _told(REGIONS),
    "dump": _told(DUMPED),
    "types": _told(TYPES),
    "sharing": ("family",),
}
"""The words of each door: what a cell is missing of must be missing for a reason."""
