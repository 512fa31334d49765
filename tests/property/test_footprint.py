"""Footprints of a fake process, and of made-up text of smaps, against plain sums."""

from __future__ import annotations

import array
import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap._analyses.gentle import Gentle
from pagemap._kernel import smaps, swap_types
from tests import oracle
from tests.property import fake, strategies
from tests.property.test_dump import PID, mappings

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = oracle.PAGE
TYPES = swap_types.kinds()
UNTOLD = {
    "shared?": ("shared_clean", "shared_dirty"),
    "private?": ("private_clean", "private_dirty"),
    "swap?": ("swap",),
    "hugetlb?": ("hugetlb_pss",),
}
ZONE = "Node 0, zone   Normal\n  pages free 1\n        spanned  %d\n  start_pfn:           0\n"
FIELDS = {
    "rss": "Rss",
    "pss": "Pss",
    "swap": "Swap",
    "swap_pss": "SwapPss",
    "shared_clean": "Shared_Clean",
    "shared_dirty": "Shared_Dirty",
    "private_clean": "Private_Clean",
    "private_dirty": "Private_Dirty",
    "shared_hugetlb": "Shared_Hugetlb",
    "private_hugetlb": "Private_Hugetlb",
}
NAMES = {name.encode() for name in FIELDS.values()}
UPTODATE, DIRTY, ANONYMOUS, SWAPCACHE, SWAPBACKED, HEAD, TAIL, HUGE, ZERO = FLAGS = [
    1 << bit for bit in (3, 4, 12, 13, 14, 15, 16, 17, 24)
]

words = st.one_of(
    st.sets(st.sampled_from([*FLAGS, 1 << 40])).map(sum),
    st.just(DIRTY),
    st.just(ANONYMOUS | SWAPBACKED),
)


def alone(
    frames: list[int | None], counts: list[int], at: int, entry: int, flags: list[int]
) -> bool:
    """Whether the page `at` is mapped once: by the counts, where its folio's pages differ."""
    first = last = at
    while goes_on(frames, flags, first):
        first -= 1
    while last + 1 < len(frames) and goes_on(frames, flags, last + 1):
        last += 1
    found = {counts[frame] for frame in frames[first : last + 1] if frame is not None}
    frame = frames[at]
    assert frame is not None
    return counts[frame] < 2 if len(found) > 1 else oracle.has(entry, "exclusive")


def goes_on(frames: list[int | None], flags: list[int], at: int) -> bool:
    """Whether the page has the next frame of the folio that the page before has part of."""
    frame, before = frames[at], frames[at - 1] if at else None
    return frame is not None and before == frame - 1 and bool(flags[frame] & TAIL)


def plain(
    entries: list[int], counts: list[int], flags: list[int], *, shared: bool, back: bool
) -> dict[str, int | None]:
    """What these pages hold, by the rules of smaps; in bytes, both pss in 2^-12 of one."""
    sums = dict.fromkeys((*FIELDS, "uss", "hugetlb_pss", "anon", "shmem", *UNTOLD), 0)
    frames = [
        frame if frame is not None and frame < len(counts) else None
        for frame in map(oracle.pfn, entries)
    ]
    for at, (entry, frame) in enumerate(zip(entries, frames, strict=True)):
        if not oracle.has(entry, "present"):
            if oracle.has(entry, "swapped") and not oracle.has(entry, "guard"):
                # no entry has type 0 and offset 0: there the kernel hides which it is
                place = entry % 2**55
                sums["swap" if place else "swap?"] += PAGE * (not place or TYPES[entry % 32] == 2)
        elif frame is not None:
            word = flags[frame]
            private = alone(frames, counts, at, entry, flags)
            whose = "private" if private else "shared"
            first = at
            while goes_on(frames, flags, first):
                first -= 1
            head = frames[first]
            assert head is not None
            if first != at and not word & UPTODATE and flags[head] & HEAD:
                word |= flags[head] & (UPTODATE | DIRTY | SWAPCACHE | SWAPBACKED)
            if word & HUGE:
                sums[f"{whose}_hugetlb"] += PAGE
                sums["hugetlb_pss"] += (PAGE << 12) // (counts[frame] or 1)
                sums["hugetlb?"] += not private and counts[frame] < 2
            elif counts[frame] and not word & ZERO:
                if word & ANONYMOUS:
                    kept = word & SWAPBACKED and not word & SWAPCACHE and not back
                    state = "dirty" if kept else "?"
                else:
                    written = word & SWAPBACKED or not word & UPTODATE
                    state = "?" if shared and written else "clean"
                if word & DIRTY:
                    state = "dirty"
                sums["rss"] += PAGE
                sums["anon"] += PAGE * bool(word & ANONYMOUS)
                sums["shmem"] += PAGE * (word & (ANONYMOUS | SWAPBACKED) == SWAPBACKED)
                sums["uss"] += PAGE * private
                sums["pss"] += (PAGE << 12) // counts[frame]
                sums[f"{whose}?" if state == "?" else f"{whose}_{state}"] += PAGE
    return {**sums}


def rounded(sums: dict[str, int | None]) -> dict[str, int | None]:
    """As a footprint has them: None where a page's state is not known."""
    result = {name: sums[name] for name in (*FIELDS, "uss", "hugetlb_pss", "anon", "shmem")}
    for name in ("pss", "hugetlb_pss"):
        result[name] = (sums[name] or 0) >> 12
    for untold, names in UNTOLD.items():
        if sums[untold]:
            result |= dict.fromkeys(names)
    return {**result, "swap_pss": None}


def picked(row: pagemap.FootprintRow | pagemap.MappingFootprintRow, names: Iterable[str]) -> object:
    return {name: getattr(row, name) for name in names}


@given(
    entries=strategies.entries(),
    maps=mappings(),
    counts=st.lists(st.integers(0, 7), min_size=8, max_size=8),
    flags=st.lists(words, min_size=8, max_size=8),
    frames=st.integers(0, 60),
    known=st.booleans(),
    back=st.sampled_from([None, 0, 0, 1]),
)
def test_gentle(
    entries: list[int],
    maps: bytes,
    counts: list[int],
    flags: list[int],
    frames: int,
    known: bool,
    back: int | None,
) -> None:
    # most drawn frames are past any machine's memory: bring some of them into this one
    entries = [0, *(word & ~(2**55 - 1) | word % 64 if word >> 63 else word for word in entries)]
    counts, flags = (8 * counts)[:frames], (8 * flags)[:frames]
    lines = oracle.parse_maps(maps)
    parts = [entries[line.start // PAGE : line.end // PAGE] for line in lines]
    expected = [
        (
            line.start,
            line.end,
            plain(part, counts, flags, shared=line.perms[3] == "s", back=back != 0),
        )
        for line, part in zip(lines, parts, strict=True)
    ]
    mapped = [oracle.pfn(entry) for part in parts for entry in part]
    no_sums = plain([], [], [], shared=False, back=False)
    wordless = any(frame is not None and frame >= frames for frame in mapped)
    with tempfile.TemporaryDirectory() as folder:
        fake.write_process(Path(folder), PID, entries, maps)
        (Path(folder) / "swaps").write_text("Filename Type Size Used Priority\n")
        if back is not None:
            (Path(folder) / "vmstat").write_text(f"nr_free_pages 7\npswpin {back}\npswpout 9\n")
        if known:  # past this no frame has a word: it is a driver's
            (Path(folder) / "zoneinfo").write_text(ZONE % frames)
        for name, column in (("kpagecount", counts), ("kpageflags", flags)):
            (Path(folder) / name).write_bytes(array.array("Q", column).tobytes())
        with pagemap.Process(PID, procfs=folder) as process, Gentle(1, procfs=folder) as gentle:
            process.pfns_visible = True
            if wordless and not (known and frames):
                with pytest.raises(pagemap.PagemapError, match="ends at frame"):
                    process.footprint(gentle=gentle)
                return
            found = process.footprints(gentle=gentle)
            whole = process.footprint(gentle=gentle)
    assert [(row.start, row.end, picked(row, rounded(no_sums))) for row in found] == [
        (start, end, rounded(sums)) for start, end, sums in expected
    ]
    total = {name: sum(sums[name] or 0 for _, _, sums in expected) for name in no_sums}
    assert picked(whole, rounded(no_sums)) == rounded({**total})
    assert whole.file == total["rss"] - total["anon"] - total["shmem"]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """The text of smaps: the known fields among others, below each line of maps."""
    names = draw(st.permutations([*FIELDS.values(), "Size", "Locked", "Pss_Anon"]))
    text = b""
    # the oracle ends a line at a carriage return too, the kernel does not
    for line in draw(mappings()).replace(b"\r", b"_").split(b"\n")[:-1]:
        text += line + b"\n"
        for name in names:
            text += b"%-15s %8d kB\n" % (name.encode() + b":", draw(st.integers(0, 10**9)))
        text += b"THPeligible:           0\nVmFlags: rd mr mw me \n"
    return text


@given(text=texts(), cuts=st.lists(st.integers(0, 1 << 12)))
def test_smaps(text: bytes, cuts: list[int]) -> None:
    lines = text.splitlines(keepends=True)
    bounds = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    blocks = [b"".join(lines[one:two]) for one, two in itertools.pairwise(bounds)]
    found = list(smaps.parse(blocks, NAMES))
    expected = [
        (each.start, each.end, {key.encode(): each.sizes[key] for key in FIELDS.values()})
        for each in oracle.parse_smaps(text)
    ]
    assert [(m.start, m.end, sizes) for m, sizes in found] == expected
    for _, sizes in found[:1]:
        rollup = b"00400000-7fff0000 ---p 00000000 00:00 0      [rollup]\n" + b"".join(
            b"%s: %d kB\n" % (name, size >> 10) for name, size in sizes.items()
        )
        assert smaps.parse_rollup(rollup, NAMES) == sizes
