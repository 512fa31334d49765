"""Random histories of a fake process, against a naive twin that goes from page to page."""

from __future__ import annotations

import os
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

import pagemap
from tests import naive_diff, oracle
from tests.naive_diff import Naive, Page, Rules
from tests.property import fake

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = oracle.PAGE
PID = 4242
PAGES = 96
COUNTS = (
    *("size", "rss", "anon", "present", "zero", "uss", "swap", "guard", "marker", "migrating"),
    *("poisoned", "device", "uffd_wp"),
)
HIDDEN = ("swap", "marker", "migrating", "poisoned", "device")
BY_ZERO = ("rss", "anon", "file", "shmem", "zero")
TYPES = oracle.swap_type_names()

SORTS = (
    None,  # nothing is mapped
    ("rw-p", "00:00", 0, ""),
    ("r--p", "00:00", 0, ""),
    ("rw-p", "00:00", 0, "[heap]"),
    ("rw-p", "08:01", 5, "/file"),
    ("r--p", "08:01", 5, "/file"),
    ("r--p", "08:01", 5, "/file (deleted)"),
    ("rw-p", "08:01", 6, "/file"),
    ("rw-s", "08:01", 5, "/file"),
)


class Look(NamedTuple):
    """A process at one moment."""

    maps: bytes
    entries: list[int]


@st.composite
def sorts(draw: st.DrawFn) -> list[int]:
    """The sort of mapping of each page."""
    pages: list[int] = [0]
    while len(pages) < PAGES:
        sort = draw(st.integers(0, len(SORTS) - 1))
        pages += [sort] * draw(st.sampled_from([1, 2, 3, 7, 20]))
    return pages[:PAGES]


@st.composite
def words(draw: st.DrawFn) -> int:
    """An entry without its PFN, and which of two frames of its own the page has."""
    flags = draw(
        st.sampled_from([0, 1 << 55, 1 << 56, 1 << 57, 1 << 61, 3 << 56, 1 << 61 | 1 << 56])
    )
    present = st.integers(0, 2).map(lambda frame: 1 << 63 | flags | frame)
    swapped = st.sampled_from([0, 1, 23, 24, 25, 26, 27, 28, 29, 30, 31]).flatmap(
        lambda kind: st.sampled_from([0, 1, 1 << 1, 1 << 2, 7]).map(
            lambda offset: 1 << 62 | flags & 3 << 56 | offset << 5 | kind
        )
    )
    one = st.one_of(
        present, present, present, swapped, st.sampled_from([0, 0, 1 << 55, 1 << 62 | 1 << 58])
    )
    return draw(one)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[int], list[int], list[int]]:
    """The mappings and the entries of two looks, the second mostly like the first."""
    before, other = draw(sorts()), draw(sorts())
    pool = draw(st.lists(words(), min_size=1, max_size=12))
    chosen = st.lists(st.integers(0, len(pool) - 1), min_size=PAGES, max_size=PAGES)
    first, second = draw(chosen), draw(chosen)
    borders = sorted(draw(st.lists(st.integers(0, PAGES), max_size=6)))
    after, again = list(before), list(first)
    for start, end in zip(borders[::2], borders[1::2], strict=False):
        after[start:end] = other[start:end]
    for start, end in pairwise(borders):
        again[start:end] = second[start:end] if (end - start) % 3 else first[start:end]
    return before, [pool[i] for i in first], after, [pool[i] for i in again]


def look_of(mapped: list[int], entries: list[int], zero: int) -> Look:
    """The files of a process like this: page numbers are places in files."""
    lines = []
    begin = 0
    for at in range(1, PAGES + 1):
        if at < PAGES and mapped[at] == mapped[begin]:
            continue
        sort = SORTS[mapped[begin]]
        if sort is not None:
            perms, dev, inode, path = sort
            offset = begin * PAGE if inode else 0
            bounds = f"{begin * PAGE:08x}-{at * PAGE:08x}"
            lines.append(f"{bounds} {perms} {offset:08x} {dev} {inode} ".ljust(73) + path + "\n")
        begin = at
    words = [_framed(word, at, zero) if mapped[at] else 0 for at, word in enumerate(entries)]
    return Look("".join(lines).encode(), words)


def _framed(word: int, at: int, zero: int) -> int:
    """The entry with a frame of this page's own, or with that of zeros."""
    if not word >> 63:
        return word
    frame = word & 3
    if frame == 2 and zero:
        return 1 << 63 | (word & (1 << 55 | 1 << 57)) | zero
    return word - frame + (1 << 20) + 8 * at + frame


def _write(root: Path, look: Look) -> str:
    root.mkdir()
    fake.write_process(root, PID, look.entries, look.maps)
    boot = root / "sys/kernel/random"
    boot.mkdir(parents=True)
    (boot / "boot_id").write_text("of both\n")
    (root / "swaps").write_text("Filename Type Size Used Priority\n/disk partition 64 8 -1\n")
    (root / "kpageflags").symlink_to("/proc/kpageflags")
    return str(root)


def _zero_frame() -> int:
    """A frame of zeros, where PFNs and their flags can be read; else 0."""
    if not oracle.pfns_visible() or not oracle.may_read("/proc/kpageflags"):
        return 0
    import mmap

    memory = mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    assert memory[0] == 0
    start = oracle.address_of(memory)
    return oracle.place(oracle.entries(os.getpid(), start, start + PAGE)[0])


ZERO = _zero_frame()
VISIBLE = oracle.pfns_visible()


def _twin(a: Look, b: Look) -> Naive:
    rules = Rules(frames=VISIBLE, zeros=bool(ZERO))  # a fake kernel tells all flags

    def page_of(look: Look, at: int) -> Page:
        entry = look.entries[at // PAGE]
        if not entry >> 62:
            entry = 0  # no scan tells of what is not populated
        zero = bool(ZERO) and oracle.pfn(entry) == ZERO
        return naive_diff.page(entry, TYPES, zero=zero)

    return Naive(
        oracle.parse_maps(a.maps),
        oracle.parse_maps(b.maps),
        lambda at: page_of(a, at),
        lambda at: page_of(b, at),
        rules,
    )


@given(history=histories(), threads=st.integers(1, 2))
def test_a_random_history(
    history: tuple[list[int], list[int], list[int], list[int]], threads: int
) -> None:
    before, entries, after, again = history
    a, b = look_of(before, entries, ZERO), look_of(after, again, ZERO)
    twin = _twin(a, b)
    with tempfile.TemporaryDirectory() as folder:
        roots = [_write(Path(folder, name), look) for name, look in (("a", a), ("b", b))]
        with (
            pagemap.Process(PID, procfs=roots[0]) as first,
            pagemap.Process(PID, procfs=roots[1]) as second,
        ):
            rows = list(pagemap.diff(first, second, threads=threads))
            kinds = list(pagemap.diff(first, second, by="kind"))
            paths = list(pagemap.diff(first, second, by="path"))
            regions = list(pagemap.diff_regions(first, second).rows())
            change = [
                _changes(first.tally(counts).total(), second.tally(counts).total(), counts)
                for counts in [["present", "uffd_wp", "uss"]]
            ]
    wanted = {key: sums for key, sums in twin.sums.items() if sums["amount"]}
    found = _by_start(rows)
    assert set(found) == set(wanted), (set(found) ^ set(wanted), [r[:9] for r in rows])
    for key, sums in wanted.items():
        for name in ("amount", *COUNTS):
            if (sums["hidden"] and name in HIDDEN) or (not ZERO and name in BY_ZERO):
                assert found[key][name] is None
            else:
                assert found[key][name] == sums[name] * PAGE, (name, key)
    for name, amount in change[0].items():
        assert sum(getattr(row, name) for row in rows) == amount
        assert sum(getattr(row, name) for row in kinds) == amount
        assert sum(getattr(row, name) for row in paths) == amount
    found_kinds = {
        at: region.kind
        for region in regions
        for at in range(region.start, region.end, PAGE)
        if region.before != "none" or region.after != "none"
    }
    assert found_kinds == {at: kinds[-1] for at, kinds in twin.kinds.items()}


def _by_start(rows: Iterable[pagemap.DiffRow]) -> dict[tuple[str, str], dict[str, int | None]]:
    """The amounts by where a mapping begins; one that is gone may begin where another does now."""
    found: dict[tuple[str, str], dict[str, int | None]] = {}
    for row in rows:
        key = f"{row.start:#x}", row.kind
        before = found.setdefault(key, dict.fromkeys(("amount", *COUNTS), 0))
        for name, known in before.items():
            more = getattr(row, name)
            before[name] = None if known is None or more is None else known + more
    return found


def _changes(before: object, after: object, counts: list[str]) -> dict[str, int]:
    return {name: getattr(after, name) - getattr(before, name) for name in counts}
