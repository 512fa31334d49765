"""Footprints of a fake process, and of made-up text of smaps, against plain sums."""

from __future__ import annotations

import array
import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap import smaps
from pagemap.gentle import Gentle
from tests import oracle
from tests.property import fake, strategies
from tests.property.test_dump import PID, mappings

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = oracle.PAGE
NO_SWAP = 23  # types from here on are no swap areas
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
UPTODATE, DIRTY, ANONYMOUS, SWAPCACHE, SWAPBACKED, TAIL, HUGE, ZERO = FLAGS = [
    1 << bit for bit in (3, 4, 12, 13, 14, 16, 17, 24)
]

words = st.one_of(
    st.sets(st.sampled_from([*FLAGS, 1 << 40])).map(sum),
    st.just(DIRTY),
    st.just(ANONYMOUS | SWAPBACKED),
)


def plain(entries: list[int], counts: list[int], flags: list[int]) -> dict[str, int]:
    """What these pages hold, by the rules of smaps; in bytes, pss in 2^-12 of one."""
    sums = dict.fromkeys(FIELDS, 0)
    for entry in entries:
        frame = oracle.pfn(entry)
        whose = "private" if oracle.has(entry, "exclusive") else "shared"
        if not oracle.has(entry, "present"):
            guard = oracle.has(entry, "guard")
            if oracle.has(entry, "swapped") and not guard and entry % 32 < NO_SWAP:
                sums["swap"] += PAGE
        elif frame is not None and frame < len(counts):
            word = flags[frame]
            if word & HUGE:
                sums[f"{whose}_hugetlb"] += PAGE
            elif counts[frame] and not word & ZERO:
                # of a tail an older kernel tells next to nothing
                told = not word & TAIL or word & UPTODATE
                kept = not word & SWAPCACHE and word & ANONYMOUS and (word & SWAPBACKED or not told)
                state = "dirty" if word & DIRTY or kept else "clean"
                sums["rss"] += PAGE
                sums["pss"] += (PAGE << 12) // counts[frame]
                sums[f"{whose}_{state}"] += PAGE
    return sums


def rounded(sums: dict[str, int]) -> dict[str, int | None]:
    return told({**sums, "pss": sums["pss"] >> 12, "swap_pss": None})


def told(sums: Mapping[str, int | None]) -> dict[str, int | None]:
    """With what follows of the kernel's sums."""
    clean, dirty = sums["private_clean"], sums["private_dirty"]
    assert clean is not None
    assert dirty is not None
    hugetlb = sums["private_hugetlb"] if not sums["shared_hugetlb"] else None
    return {**sums, "uss": clean + dirty, "hugetlb_pss": hugetlb}


@given(
    entries=strategies.entries(),
    maps=mappings(),
    counts=st.lists(st.integers(0, 7), min_size=8, max_size=8),
    flags=st.lists(words, min_size=8, max_size=8),
    frames=st.integers(0, 60),
)
def test_gentle(
    entries: list[int], maps: bytes, counts: list[int], flags: list[int], frames: int
) -> None:
    # most drawn frames are past any machine's memory: bring some of them into this one
    entries = [0, *(word & ~(2**55 - 1) | word % 64 if word >> 63 else word for word in entries)]
    counts, flags = (8 * counts)[:frames], (8 * flags)[:frames]
    expected = [
        (line.start, line.end, plain(entries[line.start // PAGE : line.end // PAGE], counts, flags))
        for line in oracle.parse_maps(maps)
    ]
    with tempfile.TemporaryDirectory() as folder:
        fake.write_process(Path(folder), PID, entries, maps)
        for name, column in (("kpagecount", counts), ("kpageflags", flags)):
            (Path(folder) / name).write_bytes(array.array("Q", column).tobytes())
        with pagemap.Process(PID, procfs=folder) as process, Gentle(1, procfs=folder) as gentle:
            process.pfns_visible = True
            found = list(process.footprints(gentle=gentle))
            whole = process.footprint(gentle=gentle)
    assert [(m.start, m.end, held._asdict()) for m, held in found] == [
        (start, end, rounded(sums)) for start, end, sums in expected
    ]
    total = {name: sum(sums[name] for _, _, sums in expected) for name in FIELDS}
    assert whole._asdict() == rounded(total)
    parts = whole.shared_clean, whole.shared_dirty, whole.private_clean, whole.private_dirty
    assert whole.rss == sum(part for part in parts if part is not None)
    assert whole.shared == total["shared_clean"] + total["shared_dirty"]


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
    found = list(smaps.parse(blocks))
    expected = [
        (each.start, each.end, told({name: each.sizes[key] for name, key in FIELDS.items()}))
        for each in oracle.parse_smaps(text)
    ]
    assert [(m.start, m.end, held._asdict()) for m, held in found] == expected
    total = smaps.total(held for _, held in found)
    assert {name: getattr(total, name) for name in FIELDS} == {
        name: sum(sizes[name] or 0 for _, _, sizes in expected) for name in FIELDS
    }
    rollup = b"00400000-7fff0000 ---p 00000000 00:00 0      [rollup]\n" + b"".join(
        b"%s: %d kB\n" % (key.encode(), getattr(total, name) >> 10) for name, key in FIELDS.items()
    )
    assert smaps.parse_rollup(rollup)[:-1] == total[:-1]
