"""The zoo of the matrix: each kind is what it says, and the kernel's accounts of it agree."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from tests import oracle, zoo_kernel
from tests.kernel_settings import THP
from tests.looks import settled
from tests.workloads import Unavailable
from tests.zoo import ZOO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.target import Target
    from tests.zoo_kernel import Row

PAGE = oracle.PAGE
# The page of a THP that a child wrote, of all its pages.
ONE = Fraction(PAGE, int((THP / "hpage_pmd_size").read_text()) if THP.exists() else PAGE)
HALF = Fraction(1, 2)

# What a kind's areas hold, as a share of their size; words that are not named are 0. Counted by
# hand, from what the target does to them.
SHARES: dict[str, dict[str, Fraction | int]] = {
    "small": {"rss": 1, "uss": 1, "anon": 1, "dirty": 1},
    "sparse": {"rss": Fraction(PAGE, 1 << 20), "anon": Fraction(PAGE, 1 << 20)},
    "many": {"rss": 1, "uss": 1, "anon": 1},
    # one file thrice: read, a private copy, and the same pages as the first again
    "file": {"rss": 1, "uss": Fraction(1, 3), "shared": Fraction(2, 3), "anon": Fraction(1, 3)},
    "deleted": {"rss": 1, "uss": 1},
    "shared": {"rss": Fraction(3, 4), "uss": Fraction(3, 4)},
    "sysv": {"rss": HALF, "uss": HALF},
    "forked": {"rss": 1, "uss": HALF, "shared": HALF, "anon": 1},
    "thp": {"rss": 1, "uss": 1, "anon": 1, "thp": 1, "huge": 1},
    "thp child writes": {"rss": 1, "uss": ONE, "shared": 1 - ONE, "anon": 1, "thp": 1},
    "thp child keeps": {"rss": 1, "uss": 1 - ONE, "shared": ONE, "anon": 1, "thp": 1},
    "hugetlb": {"hugetlb": 1, "private_hugetlb": 1, "huge": 1},
    "hugetlb shared": {"hugetlb": 1, "shared_hugetlb": 1, "huge": 1},
    "hugetlb untouched": {"hugetlb": Fraction(1, 8), "huge": Fraction(1, 8)},
    "hugetlb protected": {
        "hugetlb": Fraction(2, 3),
        "marker": Fraction(1, 3),
        "uffd_wp": Fraction(2, 3),
    },
    "zero": {"present": 1, "zero": 1},
    "zero huge": {"present": 1, "zero": 1, "thp": 0},
    "guard": {"rss": HALF, "anon": HALF, "guard": HALF, "bit_swapped": HALF},
    "uffd-wp": {"rss": 1, "anon": 1, "uffd_wp": HALF},
    "markers": {"rss": Fraction(1, 1024), "marker": Fraction(1023, 1024), "uffd_wp": 1},
    "swapped": {"rss": HALF, "swap": HALF, "swap_entries": HALF, "anon": HALF},
    "swapped shmem": {"rss": HALF, "swap": HALF, "swap_entries": 0},
    "swap cache": {"rss": 1, "uss": 1, "clean": 1, "anon": 1},
    "swapped back": {"rss": 1, "uss": 1, "clean": 1, "anon": 1},
    "ksm": {"rss": 1, "shared": 1, "ksm": 1, "anon": 1},
    "ksm two": {"rss": 1, "shared": 1, "ksm": 1, "anon": 1},
    # until Linux 6.14 its pages come by faults, and count as pages of files
    "perf ring": {"rss": 0 if zoo_kernel.RELEASE >= (6, 14) else 1},
    "PROT_NONE": {"rss": 1, "uss": 1, "anon": 1},
    "untouched": {},
    "mlock": {"rss": 1, "locked": 1, "anon": 1},
    "lazyfree": {"rss": 1, "clean": 1, "anon": 1},
    "lazyfree rewritten": {"rss": 1, "clean": HALF, "dirty": HALF, "anon": 1},
    "droppable": {"rss": 1, "dirty": 1, "anon": 1},
}
ZEROS = ("rss", "hugetlb", "zero", "swap", "guard", "marker", "locked", "ksm", "thp")


@pytest.fixture(scope="module", name="animal", params=ZOO)
def _animal(request: pytest.FixtureRequest) -> Iterator[tuple[str, Target]]:
    try:
        with ZOO[request.param]() as target:
            yield request.param, target
    except Unavailable as reason:
        pytest.skip(str(reason))


def total(rows: list[Row], word: str) -> int:
    return sum(row.words[word] for row in rows)


def own(rows: list[Row], target: Target) -> list[Row]:
    """Mappings of the target's areas."""
    areas = target.areas.values()
    return [row for row in rows if any(row.start < a.end and a.start < row.end for a in areas)]


@pytest.mark.usefixtures("need_frames")
def test_each_kind_is_what_it_says(animal: tuple[str, Target]) -> None:
    kind, target = animal
    if kind not in SHARES:
        pytest.skip(f"{kind}: its areas share mappings with other memory")
    size = sum(area.end - area.start for area in target.areas.values())

    def differences() -> dict[str, object]:
        smaps = own(zoo_kernel.by_smaps(target.pid), target)
        pages = own(zoo_kernel.by_pages(target.pid), target)
        told = set(smaps[0].words) | set(pages[0].words)
        wanted = {word: size * SHARES[kind].get(word, 0) for word in {*ZEROS, *SHARES[kind]} & told}
        got = {word: total(smaps if word in smaps[0].words else pages, word) for word in wanted}
        return {word: (got[word], wanted[word]) for word in wanted if got[word] != wanted[word]}

    settled(differences)


@pytest.mark.usefixtures("need_frames")
def test_smaps_and_the_pages_agree(animal: tuple[str, Target]) -> None:
    _, target = animal

    def differences() -> dict[str, object]:
        smaps, pages = zoo_kernel.by_smaps(target.pid), zoo_kernel.by_pages(target.pid)
        assert [row[:2] for row in smaps] == [row[:2] for row in pages]
        return {
            f"{row.path} {row.start:x} {word}": (row.words[word], truth >> 10 << 10)
            for row, judged in zip(smaps, pages, strict=True)
            for word, truth in judged.words.items()
            if word in row.words and row.words[word] != truth >> 10 << 10
        }

    settled(differences)


def test_smaps_and_its_rollup_agree(animal: tuple[str, Target]) -> None:
    _, target = animal

    def differences() -> dict[str, object]:
        smaps, rollup = zoo_kernel.by_smaps(target.pid), zoo_kernel.rollup(target.pid)
        return {
            word: (total(smaps, word), rollup[word])
            for word in rollup
            # smaps rounds the PSS of each mapping down to a KiB, the rollup its sum
            if not 0 <= rollup[word] - total(smaps, word) < (word == "pss") * 1024 * len(smaps) + 1
        }

    settled(differences)


@pytest.mark.usefixtures("need_frames")
def test_status_and_the_pages_agree(animal: tuple[str, Target]) -> None:
    _, target = animal

    def differences() -> dict[str, object]:
        status, pages = zoo_kernel.status(target.pid), zoo_kernel.by_pages(target.pid)
        sums = {word: total(pages, word) for word in pages[0].words}
        sums |= {"rss_anon": sums["anon"], "swap_anon": sums["swap_entries"]}
        return {
            word: (status[word], sums[word])
            for word in status.keys() & sums.keys()
            if abs(status[word] - sums[word])
            > (0 if word == "hugetlb" else zoo_kernel.STATUS_SLACK)
        }

    settled(differences)
