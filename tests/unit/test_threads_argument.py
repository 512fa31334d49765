"""`threads=`: judged at the call and alike everywhere, and bounded by the processors there are."""

from __future__ import annotations

import io
import os
import resource
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._native import pipeline
from pagemap._vocabulary import checks
from tests import tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOORS: dict[str, Callable[[pagemap.Process, Any], object]] = {
    "tally": lambda process, threads: process.tally(threads=threads),
    "huge": lambda process, threads: process.huge(threads=threads),
    "populated": lambda process, threads: process.populated(threads=threads),
    "page_types": lambda process, threads: process.page_types(threads=threads),
    "dump": lambda process, threads: pagemap.dump(process, io.BytesIO(), threads=threads),
    "words": lambda _, threads: pagemap.FrameReader().words("flags", [1], threads=threads),
    "read": lambda _, threads: pagemap.FrameReader().read([1], threads=threads),
    "page_types of all": lambda _, threads: pagemap.page_types(threads=threads),
    "page_runs": lambda _, threads: pagemap.page_runs(threads=threads),
    "owners": lambda _, threads: pagemap.owners([1], threads=threads),
    "sharing": lambda _, threads: pagemap.sharing(threads=threads),
}


@pytest.fixture
def process() -> Iterator[pagemap.Process]:
    with pagemap.Process("self") as process:
        yield process


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("threads", [0, -1, -(1 << 70)])
def test_less_than_one_is_refused_at_the_call(
    process: pagemap.Process, door: Callable[..., object], threads: int
) -> None:
    """Some calls took 0 and negatives for 1, and some judged them when the first row was asked."""
    with pytest.raises(pagemap.UsageError, match=rf"^threads must be 1 or more, not {threads}$"):
        door(process, threads)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("threads", [True, 2.0, "2", (2,)])
def test_what_is_no_integer_is_a_type_error(
    process: pagemap.Process, door: Callable[..., object], threads: object
) -> None:
    with pytest.raises(TypeError, match=r"^threads must be an int or None, not "):
        door(process, threads)


def test_no_more_than_the_processors_that_may_be_used() -> None:
    allowed = len(os.sched_getaffinity(0))
    assert checks.check_threads(None) is None
    assert checks.check_threads(1) == 1
    assert checks.check_threads(1 << 70) == allowed


def test_fewer_where_this_process_is_kept_to_fewer() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert checks.check_threads(64) == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_an_absurd_number_starts_few_threads_and_takes_little_memory(
    process: pagemap.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`threads=100000` took 18 GB for buffers before a thread ran, and the OOM killer came."""
    monkeypatch.setattr(pipeline, "ALONE_PAGES", 1)
    before = tasks.count()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    most = 0
    for _ in process.populated(threads=2000):
        most = max(most, tasks.count() - before)
    assert most < len(os.sched_getaffinity(0))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 << 10  # KiB
