"""Counts of pages against smaps, the kernel's own account, exactly, on stopped targets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle

if TYPE_CHECKING:
    from tests.workloads import Target

PAGE = oracle.PAGE
TRIES = 5
# Mappings whose pages smaps leaves out, by VmFlags: of devices and the like (vvar), and of hugetlb.
UNCOUNTED = {"io", "pf", "mm", "ht"}

Accounts = list[tuple[oracle.Smaps, pagemap.Pages]]


def accounts(target: Target) -> Accounts:
    """Each mapping as smaps has it, with its pages; taken while nothing moved."""
    smaps = Path(f"/proc/{target.pid}/smaps")

    def own(text: bytes) -> list[bytes]:
        # What else is there also tells of other processes, which map the same libraries.
        return re.findall(rb"^(?:Rss|Swap|Anonymous): .*$", text, re.MULTILINE)

    with pagemap.Process(target.pid) as process:
        ranges = [(mapping.start, mapping.end) for mapping in process.maps()]
        for _ in range(TRIES):
            text = smaps.read_bytes()
            pages = process.pages_of(ranges)
            if own(text) == own(smaps.read_bytes()):
                break
    parsed = oracle.parse_smaps(text)
    assert [(each.start, each.end) for each in parsed] == ranges
    return list(zip(parsed, pages, strict=True))


@pytest.fixture(scope="module")
def accounted(stopped: Target) -> Accounts:
    return accounts(stopped)


def total(found: Accounts, field: str) -> int:
    """A field of smaps over these mappings, in pages."""
    return sum(account.sizes.get(field, 0) for account, _ in found) // PAGE


def area(target: Target, found: Accounts, name: str) -> tuple[pagemap.Pages, Accounts]:
    """The pages of an area, and the accounts of the mappings that it is made of."""
    wanted = target.areas[name]
    with pagemap.Process(target.pid) as process:
        pages = process.pages((wanted.start, wanted.end))
    own = [
        (account, pages)
        for account, pages in found
        if wanted.start <= account.start and account.end <= wanted.end
    ]
    return pages, own


def test_every_mapping(accounted: Accounts, need_pfns: None) -> None:
    frames = {frame for _, pages in accounted for frame in pages.pfns() if frame != oracle.NONE}
    # Read but never written: present for the page table, nobody's memory for smaps.
    zeros = oracle.zero_frames(frames)
    checked = 0
    for account, pages in accounted:
        if account.flags & UNCOUNTED:
            continue
        zero = sum(frame in zeros for frame in pages.pfns())
        counts = pages.counts()
        where = f"{account.start:x}-{account.end:x}"
        assert (counts.present - zero) * PAGE == account.sizes["Rss"], where
        assert (counts.anonymous - zero) * PAGE == account.sizes["Anonymous"], where
        # A guard region has a marker where a swapped page has its place.
        assert (counts.swapped - (counts.guard or 0)) * PAGE == account.sizes["Swap"], where
        checked += 1
    assert checked > 10


def test_rollup(stopped: Target, accounted: Accounts) -> None:
    """The sum over all mappings is what smaps_rollup says: no mapping was left out."""
    counts = [pages.counts() for _, pages in accounted]
    rollup = oracle.smaps_rollup(stopped.pid)
    assert sum(c.swapped - (c.guard or 0) for c in counts) * PAGE == rollup["Swap"]
    # Present are also pages of zeros and of hugetlb, which Rss leaves out.
    assert sum(c.present for c in counts) * PAGE >= rollup["Rss"]
    assert rollup["Rss"] == total(accounted, "Rss") * PAGE


# What each area must be, by how tests/target_kinds.c makes it, as parts of its pages.
EXPECTED = {
    ("dense", "dense"): {"present": 1.0, "anonymous": 1.0, "exclusive": 1.0},
    ("sparse", "sparse"): {"present": PAGE / (16 << 20), "anonymous": PAGE / (16 << 20)},
    ("file", "clean"): {"present": 1.0, "file_or_shared": 1.0, "exclusive": 0.0},
    ("file", "written"): {"present": 1.0, "anonymous": 1.0, "exclusive": 1.0},
    ("file", "shared"): {"present": 1.0, "file_or_shared": 1.0, "exclusive": 0.0},
    ("deleted", "deleted"): {"present": 1.0, "file_or_shared": 1.0, "exclusive": 1.0},
    ("shared", "anonymous"): {"present": 0.5, "file_or_shared": 0.5, "anonymous": 0.0},
    ("shared", "memfd"): {"present": 1.0, "file_or_shared": 1.0, "anonymous": 0.0},
    ("thp", "thp"): {"present": 1.0, "anonymous": 1.0, "exclusive": 1.0},
    ("hugetlb", "hugetlb"): {"present": 1.0, "anonymous": 1.0},
    ("swapped", "swapped"): {"present": 0.0, "swapped": 1.0, "guard": 0.0},
    ("swapped", "resident"): {"present": 1.0, "swapped": 0.0},
    ("guard", "guard"): {"present": 0.5, "guard": 0.5, "swapped": 0.5, "anonymous": 0.5},
    ("ksm", "ksm"): {"present": 1.0, "anonymous": 1.0, "exclusive": 0.0},
    ("many", "many"): {"present": 1.0, "anonymous": 1.0, "exclusive": 1.0},
    ("zero", "zero"): {"present": 1.0, "file_or_shared": 0.0, "exclusive": 0.0},
    ("untouchable", "untouchable"): {"present": 0.0, "swapped": 0.0, "file_or_shared": 0.0},
    ("uffd_wp", "protected"): {"present": 1.0, "uffd_wp": 1.0},
    ("uffd_wp", "open"): {"present": 1.0, "uffd_wp": 0.0},
}


def test_areas(kind: str, stopped: Target, accounted: Accounts) -> None:
    untold = frozenset(oracle.FLAGS) - oracle.told_here()
    for name in stopped.areas:
        if kind in ("idle", "odd_path"):
            continue
        pages, own = area(stopped, accounted, name)
        counts = pages.counts()
        expected = {
            flag: None if flag in untold else share * len(pages)
            for flag, share in EXPECTED[kind, name].items()
        }
        assert {flag: getattr(counts, flag) for flag in expected} == expected, name
        # Kernels that track soft-dirty say so of each mapping, and call new ones wholly dirty.
        if own and all("sd" in account.flags for account, _ in own):
            assert counts.soft_dirty == len(pages), name


def test_areas_in_smaps(kind: str, stopped: Target, accounted: Accounts) -> None:
    """The same without rights: areas are known to hold no page of zeros, or nothing else."""
    for name in stopped.areas:
        pages, own = area(stopped, accounted, name)
        if sum(len(pages) for _, pages in own) != len(pages):
            continue  # it shares a mapping with a neighbour
        counts = pages.counts()
        if kind == "hugetlb":
            assert total(own, "Private_Hugetlb") == counts.present
        elif kind == "zero":
            assert total(own, "Rss") == 0
        else:
            assert total(own, "Rss") == counts.present
            assert total(own, "Swap") == counts.swapped - (counts.guard or 0)
            assert total(own, "Anonymous") == counts.anonymous
            # USS: what would be given back if the process went away.
            private = total(own, "Private_Clean") + total(own, "Private_Dirty")
            assert private == counts.exclusive


def test_smaps_knows_the_kinds(kind: str, accounted: Accounts) -> None:
    """The targets are what they claim to be, in the kernel's words."""
    words = {"thp": "AnonHugePages", "hugetlb": "Private_Hugetlb", "swapped": "Swap", "ksm": "KSM"}
    if field := words.get(kind):
        assert total(accounted, field) > 0
    assert total(accounted, "Rss") > 0
