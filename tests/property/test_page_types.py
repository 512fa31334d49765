"""Frames, page types and their filters against naive twins: any words, entries and orders."""

from __future__ import annotations

import array
import itertools
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap._kernel.frames import NO_WORD, FrameReader
from pagemap._native import types as native
from pagemap._vocabulary.filters import parse_filters
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.page_flags import (
    Bits,
    divide,
    flag_names,
    letters,
    parse_flags,
    read_word,
)
from tests import naive, oracle, page_words
from tests.property import fake, strategies
from tests.property.test_dump import PID, mappings

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = oracle.PAGE
WORD = st.one_of(
    st.integers(0, 2**64 - 2),
    st.lists(st.integers(0, 62), max_size=5).map(lambda bits: sum(1 << b for b in set(bits))),
    st.sampled_from([0, 0x868, 0x5828, 1 << 20, 1 << 17 | 1 << 15]),
)
PFNS = st.lists(
    st.one_of(
        st.integers(0, 90), st.integers(0, 2**64 - 1), st.sampled_from([2**64 - 1, 2**60, 100, 99])
    ),
    max_size=200,
)


Row = tuple[int, "int | None", "int | None", "int | None", "int | None", "int | None"]
"""Address, PFN, swap offset, flags, map count and cgroup of a page."""


class Memory(NamedTuple):
    """What the files about frames hold."""

    flags: list[int]
    counts: list[int]
    cgroups: list[int]


def words_of(draw: Callable[[st.SearchStrategy[int]], int], count: int) -> list[int]:
    few = [draw(WORD) for _ in range(4)]
    numbers = random.Random(draw(st.integers(0, 1 << 32)))
    return [numbers.choice(few) for _ in range(count)]


@st.composite
def memories(draw: Callable[..., int]) -> Memory:
    count = draw(st.integers(1, 120))
    return Memory(
        words_of(draw, count),
        [draw(st.integers(0, 3)) for _ in range(count)],
        [draw(st.integers(0, 2)) for _ in range(count)],
    )


def write(folder: str, memory: Memory) -> None:
    for name, column in zip(("kpageflags", "kpagecount", "kpagecgroup"), memory, strict=True):
        (Path(folder) / name).write_bytes(array.array("Q", column).tobytes())


@given(
    memory=memories(), pfns=PFNS, piece=st.sampled_from([1, 7, 1 << 14]), threads=st.integers(1, 3)
)
def test_frames(memory: Memory, pfns: list[int], piece: int, threads: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("pagemap._kernel.frames.PIECE", piece),
        mock.patch("pagemap._native.pipeline.ALONE_PAGES", 16),
    ):
        write(folder, memory)
        with FrameReader(procfs=folder) as reader:
            assert reader.end == len(memory.flags)
            frames = reader.read(pfns, ("flags", "mapcounts", "cgroups"), threads=threads)
            raw = reader.words("flags", pfns, threads=threads, raw=True)
            for given_as in (array.array("Q", pfns), memoryview(array.array("Q", pfns))):
                again = reader.words("flags", given_as, threads=threads)
                assert list(again) == list(frames.flags or ())
    assert list(frames.pfns) == pfns
    shown = memory._replace(flags=[page_words.known(word) or 0 for word in memory.flags])
    assert list(raw) == [memory.flags[p] if p < len(memory.flags) else NO_WORD for p in pfns]
    for column, words in zip((frames.flags, frames.mapcounts, frames.cgroups), shown, strict=True):
        assert column is not None
        assert column.readonly
        assert list(column) == [words[p] if p < len(words) else NO_WORD for p in pfns]
    for at, (pfn, frame) in enumerate(zip(pfns, frames, strict=True)):
        assert frame == frames[at] == frames[at - len(frames)]
        assert frame.pfn == (None if pfn == 2**64 - 1 else pfn)
        there = pfn < len(memory.flags)
        assert frame.flags == (shown.flags[pfn] if there else None)
        assert frame.cgroup == (memory.cgroups[pfn] if there else None)


@given(word=WORD, entry=st.integers(0, 2**64 - 1), raw=st.booleans())
def test_words(word: int, entry: int, raw: bool) -> None:
    assert native.word_of(word, entry, raw=raw) == page_words.shown(word, entry, raw=raw)


def test_what_means_nothing_by_its_names() -> None:
    """The bits that C drops are those of the vocabulary, whatever their numbers."""
    bits = {flag.name: 1 << flag.bit for flag in PAGE_FLAGS if flag.bit < 32}
    users = sum(bits[name] for name in page_words.OF_USERS)
    for name in bits.keys() - {"compound_head", "compound_tail"}:
        kept = 0 if name in page_words.NOBODYS else users
        word = bits[name] | users
        assert native.word_of(word, 0, raw=False) == bits[name] | kept, name


@given(word=WORD)
def test_names_and_letters(word: int) -> None:
    known = {flag.bit: flag for flag in PAGE_FLAGS}
    names = [known[b].name if b in known else f"bit_{b}" for b in range(64) if word >> b & 1]
    assert flag_names(word) == names
    text = letters(word)
    strange = any(b not in known for b in range(64) if word >> b & 1)
    assert len(text) == len(PAGE_FLAGS) + strange
    assert text.endswith("?") == strange
    for flag, letter in zip(PAGE_FLAGS, text, strict=False):
        assert letter == (flag.letter if word >> flag.bit & 1 else "_")
    if names:
        assert parse_flags(",".join(names)) == parse_flags(hex(word)) == word


def passes(word: int, left: set[int], right: set[int] | None, without: set[int]) -> bool:
    """Whether a word fits a filter, by sets of bits."""
    bits = {bit for bit in range(64) if word >> bit & 1}
    if right is not None:
        return bits & left == right if left else bits == right
    if without:
        return left <= bits and not without & bits
    return bool(left & bits)


OF_ENTRIES = {"file", "swap", "guard", "marker", "migrating", "poisoned", "device"}
OF_FRAMES = [flag.name for flag in PAGE_FLAGS if flag.name not in OF_ENTRIES]
NAMES = st.sets(st.sampled_from(OF_FRAMES), min_size=1, max_size=4)


def bits_of(text: str, *, raw: bool) -> list[Bits]:
    """A filter of flags."""
    flags, entries = divide(parse_filters([text], [], read_word), raw=raw)
    assert entries == []
    return flags


@given(
    names=NAMES,
    other=st.integers(0, 15),
    form=st.sampled_from(["all", "any", "equal", "without", "exactly"]),
    words=st.lists(WORD, max_size=20),
)
def test_filters(names: set[str], other: int, form: str, words: list[int]) -> None:
    bits = {flag.name: flag.bit for flag in PAGE_FLAGS}
    ordered = sorted(names)
    some = {name for at, name in enumerate(ordered) if other >> at & 1}
    text, left, without = ",".join(ordered), {bits[name] for name in names}, set()
    right: set[int] | None = None
    if form == "equal":
        text, right = f"{text}={','.join(sorted(some))}", {bits[name] for name in some}
    elif form == "exactly":
        text, right, left = f"={text}", left, set()
    elif form == "any":
        text = "/".join(ordered)
    elif form == "all":
        right = left
    elif form == "without":
        without = {bits[name] for name in some}
        right = None if without else left
        text, left = ",".join(f"~{n}" if n in some else n for n in ordered), left - without
    parsed = bits_of(text, raw=True)
    for word in words:
        kept = all(word & f.mask if f.any else word & f.mask == f.bits for f in parsed)
        assert kept == passes(word, left, right, without), text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("presen", "knows no 'presen'"),
        ("anonymus", "did you mean anonymous?"),
        ("re", "may be referenced, reclaim, reserved, readahead"),
        ("", "empty word"),
        ("lru,,dirty", "empty word"),
        ("~", "empty word"),
        ("lru=dirty", "matches nothing: dirty is not before the ="),
        ("lru,~lru", "no page is both lru and not lru"),
        ("lru,~0x20", "no page is both lru and not lru"),
        ("compound,~compound_tail", "no page is both compound_tail and not"),
        ("lru/present", "cannot be combined by /"),
        ("=present", "present is not a flag"),
        ("~lru=dirty", "cannot be combined"),
        ("lru=~dirty", "cannot be combined"),
        ("0x10000000000000000", "more than 64 bits"),
        ("0xg", "a number is decimal"),
        ("reserved", "reserved: internal to the kernel"),
        ("=swap", "swap: internal to the kernel"),
        ("bit_64", "knows no"),
    ],
)
def test_filters_that_cannot_be(text: str, said: str) -> None:
    with pytest.raises(pagemap.UsageError, match=said.replace("?", r"\?")):
        divide(parse_filters([text], [], read_word), raw=False)


def test_the_words_of_page_types_itself() -> None:
    """Its names that are not ours, its numbers, and filters of nothing on one side."""
    assert parse_flags("idle_page,anon,compound") == 1 << 25 | 1 << 12 | 3 << 15
    assert parse_flags("LRU,swapb,32,0x1") == 1 << 5 | 1 << 14 | 1
    assert bits_of("=", raw=False) == [(2**64 - 1, 0, False)]
    assert bits_of("lru=", raw=False) == [(1 << 5, 0, False)]
    assert bits_of("0x20,anonymous=anon", raw=False) == [(1 << 12 | 1 << 5, 1 << 12, False)]
    assert bits_of("=swap,lru", raw=True) == [(2**64 - 1, 1 << 62 | 1 << 5, False)]


@given(
    memory=memories(),
    entries=strategies.entries(),
    maps=mappings(),
    raw=st.booleans(),
    cgroup=st.one_of(st.none(), st.integers(0, 2)),
    filters=st.lists(st.sampled_from(["0xff/0xff00", "~0x8,~0x10", "0x20=", "=0x868"]), max_size=2),
    threads=st.integers(1, 3),
    most=st.sampled_from([1, 3, 1000]),
)
def test_types_and_runs_of_a_process(
    memory: Memory,
    entries: list[int],
    maps: bytes,
    raw: bool,
    cgroup: int | None,
    filters: list[str],
    threads: int,
    most: int,
) -> None:
    # PFNs that are mostly there, and some that are not
    entries = [e & ~(2**54 - 1) | e % 130 if e >> 63 else e for e in entries]
    entries = [0, *(e & ~(1 << 62) if e >> 63 else e if e >> 62 else 0 for e in entries)]
    kept, entry_filters = divide(parse_filters(filters, [], read_word), raw=raw)
    assert not entry_filters
    pages = naive_pages(memory, entries, maps, raw=raw, cgroup=cgroup)
    pages = [
        page
        for page in pages
        if page[3] is None
        or all((page[3] & f.mask if f.any else page[3] & f.mask == f.bits) for f in kept)
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("pagemap._native.types_blocks.BLOCK_PAGES", 13),
        mock.patch("pagemap._analyses.page_survey._Reach.LEAST", 29),
        mock.patch("pagemap._native.pipeline.ALONE_PAGES", 16),
        mock.patch("pagemap._native.probes.pfns", return_value=True),
    ):
        write(folder, memory)
        fake.write_process(Path(folder), PID, entries, maps)
        with (
            pagemap.Process(PID, procfs=folder) as process,
            mock.patch("pagemap._analyses.page_runs.ROWS", most),
        ):
            types = process.page_types(raw=raw, only=filters, cgroup=cgroup, threads=threads)
            found = [
                [
                    row
                    for table in process.page_runs(
                        raw=raw,
                        only=filters,
                        cgroup=cgroup,
                        mapcounts=True,
                        cgroups=True,
                        threads=threads,
                        each=each,
                    )
                    for row in table
                ]
                for each in (False, True)
            ]
    counts: dict[int | None, int] = {}
    for page in pages:
        counts[page[3]] = counts.get(page[3], 0) + 1
    runs, singles = found
    assert {each.flags: each.pages for each in types} == counts
    unknown = counts.pop(None, 0)
    assert [each.pages for each in types] == [
        *sorted(counts.values(), reverse=True),
        *([unknown] if unknown else []),
    ]
    assert types.about["unknown"] == unknown
    assert types.total().pages == len(pages) == sum(run.pages for run in runs)
    assert [
        (row.address, row.pfn, row.swap_offset, row.flags, row.mapcount, row.cgroup)
        for row in singles
    ] == pages
    assert [
        (
            (run.address or 0) + at * PAGE,
            None if run.pfn is None else run.pfn + at,
            None if run.swap_offset is None else run.swap_offset + at,
            run.flags,
            run.mapcount,
            run.cgroup,
        )
        for run in runs
        for at in range(run.pages)
    ] == pages
    for run in (*runs, *singles):
        assert run.letters == (None if run.flags is None else letters(run.flags))
        assert run.names == ("unknown" if run.flags is None else ",".join(flag_names(run.flags)))
    if most < 1000:  # where a table ends, a run may
        return
    for one, other in itertools.pairwise(runs):
        alike = (one.flags, one.mapcount, one.cgroup) == (other.flags, other.mapcount, other.cgroup)
        assert (one.address or 0) + one.pages * PAGE != other.address or not (
            alike and one.pfn is not None and one.pfn + one.pages == other.pfn
        )


def naive_pages(
    memory: Memory, entries: list[int], maps: bytes, *, raw: bool, cgroup: int | None
) -> list[Row]:
    """Each page that counts."""
    result: list[Row] = []
    for line in oracle.parse_maps(maps):
        for address in range(line.start, line.end, PAGE):
            entry = entries[address // PAGE] if address // PAGE < len(entries) else 0
            pfn = oracle.pfn(entry)
            if oracle.has(entry, "present"):
                if pfn is None or pfn >= len(memory.flags):
                    result.append((address, pfn, None, None, None, None))
                    continue
                if cgroup is not None and memory.cgroups[pfn] != cgroup:
                    continue
                flags = page_words.shown(memory.flags[pfn], entry, raw=raw)
                result.append((address, pfn, None, flags, memory.counts[pfn], memory.cgroups[pfn]))
            elif cgroup is None and (kind := oracle.kind(entry, naive.TYPES)) in ("swap", "hidden"):
                flags = page_words.shown(0, entry, raw=raw)
                offset = oracle.place(entry) // 32 if kind == "swap" else None
                result.append((address, None, offset, flags, None, None))
    return result
