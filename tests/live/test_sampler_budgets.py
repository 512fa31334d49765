"""Samples within a budget: the next goes on where the last one stopped, and none looks for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pagemap._history.sampler import COUNTS, Sample, Sampler
from tests import oracle, workloads
from tests.live.sampling import MIB, made_dense, steady, way_of_counting  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE


def parts(sampler: Sampler, **limits: float) -> Iterator[Sample]:
    """Samples of parts, one after another, up to the end."""
    resume: int | None = None
    for _ in range(100_000):
        sample = sampler.sample(**limits, resume=resume)  # type: ignore[arg-type]
        yield sample
        if sample.resume is None:
            return
        assert sample.resume > (resume or 0)
        resume = sample.resume
    raise AssertionError("it goes on for ever")


def added(samples: Sequence[Sample]) -> dict[str, int | None]:
    """The sum of parts."""
    return {
        name: None if None in column else sum(column)
        for name in COUNTS
        if (column := [getattr(sample, name) for sample in samples])
    }


@pytest.mark.parametrize("limit", [1, 100, 4096, 4097, 9000])
def test_budget_of_pages(start: Start, way: str, limit: int) -> None:
    """A budgeted sample goes on where the last one stopped: the parts are the whole."""
    target = start(workloads.dense(64 * MIB if limit > 1 else 8 * MIB))  # a part for each page
    target.stop()
    with Sampler(target.pid, counts=["rss", "anon", "present"]) as sampler:
        whole = sampler.sample()
        assert whole.present is not None
        found = list(parts(sampler, max_pages=limit))
        assert all(sample.partial for sample in found)
        # a limit of 10 pages was one of 4,096
        assert max(sample.present or 0 for sample in found) <= limit * PAGE
        sums = added(found)
        if way == "scan" or sums["rss"] is not None:
            assert sums == {name: getattr(whole, name) for name in COUNTS}
        assert len(found) <= whole.present // PAGE // min(limit, 512) + 50
        large = sampler.sample(max_pages=whole.present // PAGE + 1)
        assert (large.partial, large.present) == (False, whole.present)
        assert steady(sampler.sample()) == steady(whole)


def test_budget_of_time(dense: Target, way: str) -> None:
    with Sampler(dense.pid, counts=["present", "uss"]) as sampler:
        whole = sampler.sample()
        for seconds in (1e-6, 1e-9, 1e-12):  # the last is less than a clock can tell
            found = list(parts(sampler, max_seconds=seconds))
            assert found[0].partial
            sums = added(found)
            assert sums["present"] == whole.present
            # which pages of files are mapped here alone, other processes change
            assert abs((sums["uss"] or 0) - (whole.uss or 0)) < MIB
        for seconds in (3600.0, 1e15, float("inf")):
            assert steady(sampler.sample(max_seconds=seconds)) == steady(whole)


def test_budget_where_nothing_is(start: Start, way: str) -> None:
    """A page in 16 MiB of a gigabyte: to look for them must not use up a limit of pages."""
    target = start(workloads.sparse(1 << 30))
    target.stop()
    with Sampler(target.pid) as sampler:
        whole = sampler.sample()
        assert whole.present is not None
        assert steady(sampler.sample(max_pages=2 * whole.present // PAGE)) == steady(whole)
