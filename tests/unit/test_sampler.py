"""A Sampler over a made-up /proc: every count known, every budget exact."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._history.sampler import COUNTS, Sample, Sampler
from tests.unit import fake_proc
from tests.unit.fake_proc import line

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

PRESENT, SWAPPED, FILE, EXCLUSIVE = 1 << 63, 1 << 62, 1 << 61, 1 << 56
ENTRIES = {
    0: 0,
    3: PRESENT | EXCLUSIVE,
    4: PRESENT | FILE,
    5: SWAPPED,
    10: PRESENT,
    11: PRESENT | EXCLUSIVE,
    40: PRESENT,  # where nothing is mapped: nobody's
}
ALL = {"uss": 2, "present": 4, "hugetlb": 0}


@pytest.fixture
def procfs(tmp_path: Path) -> str:
    maps = line(2, 6) + line(6, 8) + line(10, 14, "[heap]") + line(200, 201, "[vsyscall]")
    root = fake_proc.make(tmp_path, maps=maps, entries=ENTRIES)
    # PFNs are hidden and nothing is scanned: of zero pages the kernel's own sums alone know
    (tmp_path / "4242" / "smaps_rollup").write_text("Rss: 12 kB\nAnonymous: 8 kB\nSwap: 4 kB\n")
    (tmp_path / "4242" / "status").write_text("Name:\tfake\nVmSwap:\t 4 kB\nHugetlbPages: 0 kB\n")
    return root


@pytest.fixture(params=[False, True], ids=["no swap", "swap"])
def swap_in_use(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    used: bool = request.param
    monkeypatch.setattr("pagemap._native.procmap.swap_in_use", lambda: used)
    return used


def expected(names: Collection[str], *, swap_used: bool) -> dict[str, int | bool | None]:
    counts = {name: count * fake_proc.PAGE_SIZE for name, count in ALL.items()}
    counts |= {
        "rss": 12 << 10,
        "anon": 8 << 10,
        "file_or_shared": 4 << 10,
        "swap": 4 << 10 if swap_used else 0,
    }
    return {
        **dict.fromkeys(COUNTS),
        **{name: count for name, count in counts.items() if name in names},
        "partial": False,
        "resume": None,
    }


def test_counts(procfs: str, swap_in_use: bool) -> None:
    """In bytes, as footprints are; what lies in swap is not guessed from bit 62."""
    with Sampler(4242, procfs=procfs) as sampler:
        for _ in range(2):
            assert sampler.sample()._asdict() == expected(COUNTS, swap_used=swap_in_use)
        assert sampler.rss() == fake_proc.PAGE_SIZE


@pytest.mark.parametrize("name", [*ALL, "rss", "anon", "file_or_shared", "swap"])
def test_one_count(procfs: str, name: str, swap_in_use: bool) -> None:
    with Sampler(4242, [name], procfs=procfs) as sampler:
        assert sampler.sample()._asdict() == expected([name], swap_used=swap_in_use)


def test_budgets(procfs: str) -> None:
    page = fake_proc.PAGE_SIZE
    with Sampler(4242, ["present", "uss", "anon"], procfs=procfs) as sampler:
        first = sampler.sample(max_pages=1)
        assert (first.present, first.uss, first.partial) == (page, page, True)
        assert first.resume == 4 * page
        first = sampler.sample(max_pages=3)
        assert (first.present, first.uss, first.partial) == (2 * page, page, True)
        assert first.anon is None  # only of the whole the kernel tells
        assert first.resume == 6 * page
        rest = sampler.sample(max_pages=6, resume=first.resume)
        assert (rest.present, rest.uss, rest.partial) == (2 * page, page, True)
        assert rest.resume is None
        whole = sampler.sample(max_pages=6)
        assert (whole.present, whole.partial, whole.resume) == (4 * page, False, None)
        assert sampler.sample(max_seconds=1e-12).partial
        assert not sampler.sample(max_seconds=float("inf")).partial


def test_values() -> None:
    sample = Sample(1, 2, 3, 4, 5, 6, 7, 8, 9, partial=True, resume=10)
    assert pickle.loads(pickle.dumps(sample)) == sample
    assert Sample._fields == (*COUNTS, "partial", "resume")


def test_what_cannot_be_asked(procfs: str) -> None:
    with pytest.raises(pagemap.UsageError, match="exclusive"):
        Sampler(4242, ["rss", "exclusive"], procfs=procfs)
    with pytest.raises(pagemap.Unsupported, match="huge"):
        Sampler(4242, ["huge"], procfs=procfs)
    with pytest.raises(pagemap.NoSuchProcess):
        Sampler(4243, procfs=procfs)
    sampler = Sampler(4242, procfs=procfs)
    for bad in ({"max_pages": -1}, {"max_seconds": -1e-9}, {"resume": -1}):
        with pytest.raises(pagemap.UsageError):
            sampler.sample(**bad)
    sampler.close()
    with pytest.raises(pagemap.ClosedProcess):
        sampler.sample()
    with pytest.raises(pagemap.ClosedProcess), sampler:
        pass
