"""A Sampler over a made-up /proc: every count known, every budget exact."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap.sampler import COUNTS, Sample, Sampler
from tests.unit import fake_proc
from tests.unit.fake_proc import line

if TYPE_CHECKING:
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


@pytest.fixture
def procfs(tmp_path: Path) -> str:
    maps = line(2, 6) + line(6, 8) + line(10, 14, "[heap]") + line(200, 201, "[vsyscall]")
    return fake_proc.make(tmp_path, maps=maps, entries=ENTRIES)


def test_counts(procfs: str) -> None:
    with Sampler(4242, procfs=procfs) as sampler:
        for _ in range(2):
            assert sampler.sample() == Sample(4, 1, 3, 1, None, 2, partial=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rss", 4), ("swapped", 1), ("anonymous", 3), ("file", 1), ("exclusive", 2)],
)
def test_one_count(procfs: str, name: str, value: int) -> None:
    with Sampler(4242, [name], procfs=procfs) as sampler:
        sample = sampler.sample()
    assert sample._asdict() == {**dict.fromkeys(COUNTS), name: value, "partial": False}


def test_budgets(procfs: str) -> None:
    with Sampler(4242, procfs=procfs) as sampler:
        # a step takes all of a stretch that is shorter than a block
        assert sampler.sample(max_pages=1) == Sample(2, 1, 1, 1, None, 1, partial=True)
        assert sampler.sample(max_pages=3) == Sample(2, 1, 1, 1, None, 1, partial=True)
        assert sampler.sample(max_pages=6) == Sample(4, 1, 3, 1, None, 2, partial=False)
        assert sampler.sample(max_seconds=1e-12).partial
        assert not sampler.sample(max_seconds=float("inf")).partial


def test_values() -> None:
    sample = Sample(1, 2, 3, 4, 5, 6, partial=True)
    assert pickle.loads(pickle.dumps(sample)) == sample
    assert Sample._fields == (*COUNTS, "partial")


def test_what_cannot_be_asked(procfs: str) -> None:
    with pytest.raises(pagemap.UsageError, match="uss"):
        Sampler(4242, ["rss", "uss"], procfs=procfs)
    with pytest.raises(pagemap.Unsupported, match="huge"):
        Sampler(4242, ["huge"], procfs=procfs)
    with pytest.raises(pagemap.NoSuchProcess):
        Sampler(4243, procfs=procfs)
    sampler = Sampler(4242, procfs=procfs)
    for bad in ({"max_pages": -1}, {"max_seconds": -1e-9}):
        with pytest.raises(pagemap.UsageError):
            sampler.sample(**bad)
    sampler.close()
    with pytest.raises(pagemap.ClosedProcess):
        sampler.sample()
    with pytest.raises(pagemap.ClosedProcess), sampler:
        pass
