"""Our own process while another of its threads maps and unmaps: never wrong, never an exception."""

from __future__ import annotations

import contextlib
import mmap
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pagemap._history.sampler import Sampler
from tests import oracle
from tests.live import scanning

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pagemap
from pagemap._analyses import tally_plan

PAGE = oracle.PAGE
MIB = 1 << 20
SECONDS = 0.7
STILL = 4 * MIB  # of memory that stays, and is known


@contextlib.contextmanager
def mapping_and_unmapping() -> Iterator[None]:
    """Another thread that makes, touches, shrinks and drops mappings all the time."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        draw = random.Random(1)
        try:
            while not stop.is_set():
                size = draw.randrange(1, 300) * PAGE
                shared = draw.choice([mmap.MAP_PRIVATE, mmap.MAP_SHARED])
                with mmap.mmap(-1, size, shared | mmap.MAP_ANONYMOUS) as memory:
                    for at in range(0, size, draw.randrange(1, 9) * PAGE):
                        memory[at] = 1
                    if draw.random() < 0.5:
                        memory.madvise(mmap.MADV_DONTNEED)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to fail with it
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert failed == []


@pytest.fixture(scope="module")
def still() -> Iterator[tuple[int, int]]:
    """Written anonymous memory that rests, between two pages that nobody may touch."""
    with mmap.mmap(-1, STILL + 2 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        start = oracle.address_of(memory) + PAGE
        for at in range(PAGE, STILL + PAGE, PAGE):
            memory[at] = 1
        yield start, start + STILL


@pytest.fixture(params=[True, False], ids=["scan", "entries"])
def process(request: pytest.FixtureRequest) -> Iterator[pagemap.Process]:
    with scanning.opened("self", scan=request.param) as process:
        yield process


def for_a_while() -> Iterator[None]:
    end = time.monotonic() + SECONDS
    yield
    while time.monotonic() < end:
        yield


def test_tally(process: pagemap.Process, still: tuple[int, int]) -> None:
    asked = ["present", "rss", "swap", "anon", "uss", "file", "shmem"]
    asked = tally_plan.tellable(process, asked)
    with mapping_and_unmapping():
        for _ in for_a_while():
            seen = []
            for counts in process.tally(asked):
                seen.append((counts.start, counts.end))
                assert counts.size == counts.end - counts.start
                for name in asked:
                    value = getattr(counts, name)
                    if value is None and name in ("file", "shmem", "swap"):
                        # of what was mapped anew since maps was read nobody tells which, nor what
                        # of shared memory is in swap, where the machine swaps
                        continue
                    if value is None:  # without a scan only frames tell which are of zeros
                        assert not process.can_scan, name
                        assert not process.pfns_visible, name
                        assert name not in ("present", "uss"), name
                    else:
                        assert 0 <= value <= counts.size, name
                assert counts.present is not None
                if process.can_scan:  # else anon is of smaps, a moment later
                    assert (counts.anon or 0) <= counts.present
                if counts.start < still[0] and still[1] < counts.end:
                    assert counts.present >= STILL
            assert any(start < still[0] and still[1] < end for start, end in seen)


def test_pages(process: pagemap.Process, still: tuple[int, int]) -> None:
    expected = list(process.pages(still).entries)
    assert all(oracle.has(entry, "present") for entry in expected)
    with mapping_and_unmapping():
        for _ in for_a_while():
            assert list(process.pages(still).entries) == expected
            for mapping in process.maps():
                if mapping.size < 64 * MIB:  # gone by now, or another: then it reads as it is
                    pages = process.pages(mapping)
                    assert len(pages) in (0, mapping.size // PAGE)


def test_populated(process: pagemap.Process, still: tuple[int, int]) -> None:
    expected = list(process.pages(still).entries)
    with mapping_and_unmapping():
        for _ in for_a_while():
            got: list[int] = []
            for mapping, pages in process.populated(threads=3):
                assert mapping.start <= pages.start < pages.end <= mapping.end
                start, end = max(pages.start, still[0]), min(pages.end, still[1])
                if start < end:
                    got += pages.between(start, end).entries
            assert got == expected


def test_regions(process: pagemap.Process, still: tuple[int, int]) -> None:
    with mapping_and_unmapping():
        for _ in for_a_while():
            last = 0
            for region in process.regions(only=["present"]).rows():
                assert last <= region.start < region.end
                last = region.end
            [inside] = process.regions(only=["present"], ranges=[still]).rows()
            assert (inside.start, inside.end) == still


def test_sample(process: pagemap.Process, still: tuple[int, int]) -> None:
    del process  # a Sampler opens its own
    with Sampler() as sampler, mapping_and_unmapping():
        for _ in for_a_while():
            sample = sampler.sample()
            assert not sample.partial
            assert sample.rss is not None
            assert sample.rss >= STILL
            assert sample.anon is not None
            assert sample.anon >= STILL
            assert sample.anon <= sample.rss
            assert sample.uss is not None
            assert sample.uss >= STILL
