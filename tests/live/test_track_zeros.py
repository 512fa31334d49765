"""Zeros that are written to pages of huge pages, which the kernel splits in the same round.

From Linux 6.12 on it maps those that are all zeros to the page of zeros then, as what was only read
is. Who copies what a round finds must have what is in memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import random
import threading
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._core import lib
from tests import kernel_settings, mappings
from tests.held_tracker import tracked
from tests.mappings import PAGE
from tests.userfault import address_of
from tests.writer import found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Look = Callable[[], set[int]]

FREE, DONTNEED, HUGEPAGE, COLD, PAGEOUT, COLLAPSE = 8, 4, 14, 20, 21, 25
READ = 64  # pages behind the huge ones, which nobody writes to
ROUNDS = int(os.environ.get("PAGEMAP_ROUNDS", "200")) // 10

pytestmark = pytest.mark.usefixtures("need_own_tracking")


class Area:
    """Two huge pages full of ones, and pages behind them that were not touched yet."""

    def __init__(self, start: int, huge: int) -> None:
        self.start, self.huge = start, huge
        self.pages = 2 * huge
        self.size = (self.pages + READ) * PAGE
        self.fill()

    def fill(self) -> None:
        """Ones in all of it, huge again where the kernel can."""
        ctypes.memset(self.start, 1, self.pages * PAGE)
        for half in range(2):
            mappings.advise(self.start + half * self.huge * PAGE, self.huge, COLLAPSE)

    def put(self, page: int, byte: int) -> None:
        ctypes.memset(self.start + page * PAGE, byte, PAGE)

    def split(self, page: int, advice: int = COLD) -> None:
        """Have the kernel split the huge page that it is in."""
        mappings.advise(self.start + page * PAGE, 1, advice)

    def bytes_of(self, page: int) -> bytes:
        return ctypes.string_at(self.start + page * PAGE, PAGE)


@pytest.fixture
def area() -> Iterator[Area]:
    try:
        with (
            kernel_settings.transparent_huge_pages() as size,
            mmap.mmap(-1, 4 * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory,
        ):
            start = -(-address_of(memory) // size) * size
            mappings.advise(start, 2 * size // PAGE, HUGEPAGE)
            try:
                yield Area(start, size // PAGE)
            except OSError as error:
                pytest.skip(f"no huge page here: {error.strerror}")
    except kernel_settings.Unavailable as reason:
        pytest.skip(str(reason))


@contextlib.contextmanager
def by_python(area: Area) -> Iterator[tuple[Look, Look]]:
    pages = area.size // PAGE
    with pagemap.track((area.start, area.start + area.size)) as tracker:
        yield (
            lambda: set(found(tracker.written, area.start, pages)),
            lambda: set(found(tracker.collect(), area.start, pages)),
        )


@contextlib.contextmanager
def by_the_library(area: Area) -> Iterator[tuple[Look, Look]]:
    with tracked(area.start, area.size // PAGE) as tracker:
        yield (
            lambda: set(tracker.found(flags=lib.PM_TRACK_PEEK, capacity=3)),
            lambda: set(tracker.found(capacity=random.choice([1, 3, 100]))),
        )


BOTH = pytest.mark.parametrize("way", [by_python, by_the_library])


@BOTH
@pytest.mark.parametrize("advice", [None, COLD, PAGEOUT, FREE])
def test_it_is_split(
    area: Area,
    way: Callable[[Area], contextlib.AbstractContextManager[tuple[Look, Look]]],
    advice: int | None,
) -> None:
    """Zeros were in no round then. What is only read is in none, before and after."""
    last = area.pages + READ - 1
    with way(area) as (look, collect):
        assert collect() == set()
        area.put(5, 0)
        area.put(9, 7)
        mappings.read(area.start, [3, area.pages, last])
        if advice is not None:
            area.split(100, advice)
        freed = {100} if advice == FREE else set()
        assert look() - freed == {5, 9}
        assert collect() - freed == {5, 9}
        mappings.read(area.start, [5, area.pages + 1, last])
        assert look() - freed == collect() - freed == set()
        area.put(5, 0)
        mappings.write(area.start, [last])
        assert collect() - freed == {5, last}


@BOTH
def test_what_is_mapped_anew(
    area: Area, way: Callable[[Area], contextlib.AbstractContextManager[tuple[Look, Look]]]
) -> None:
    """Pages were there before, in another mapping: to read these is no write."""
    with way(area) as (look, collect):
        for _ in range(2):
            mappings.map_at(area.start + 8 * PAGE, 8)
            assert collect() == set()
            mappings.read(area.start, [8, 10])
            assert look() == collect() == set()
            mappings.write(area.start, [10])
            assert collect() == {10}


@BOTH
def test_thrown_away_and_read(
    area: Area, way: Callable[[Area], contextlib.AbstractContextManager[tuple[Look, Look]]]
) -> None:
    """Its bytes are others: it counts as written, once."""
    area.split(1)
    with way(area) as (look, collect):
        mappings.advise(area.start + 8 * PAGE, 8, DONTNEED)
        mappings.read(area.start, [10])
        assert look() == collect() == {10}
        mappings.read(area.start, [10])
        assert collect() == set()


class History:
    """Writes at random, and what a copy has that takes over what rounds find."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self.copy = [area.bytes_of(page) for page in range(area.pages)]
        self.written: set[int] = set()
        self.stop = False

    def do(self) -> None:
        area = self.area
        page = random.randrange(area.pages)
        order = random.choice(["data", "zeros", "zeros", "many", "byte", "read", "split", "huge"])
        if order == "split":
            area.split(page, random.choice([COLD, PAGEOUT]))
        elif order == "huge":
            with contextlib.suppress(OSError):
                mappings.advise(area.start, area.huge, COLLAPSE)
        elif order == "read":
            mappings.read(area.start, [page, random.randrange(area.pages, area.size // PAGE)])
        elif order == "many":
            count = random.randrange(min(40, area.pages - page))
            self.written.update(range(page, page + count))
            ctypes.memset(area.start + page * PAGE, random.randrange(2), count * PAGE)
        else:
            self.written.add(page)
            if order == "byte":
                mappings.write(area.start, [page])
            else:
                area.put(page, 0 if order == "zeros" else random.randrange(256))

    def take(self, pages: set[int]) -> None:
        for page in pages:
            self.copy[page] = self.area.bytes_of(page)

    def differs(self) -> list[int]:
        return [page for page, has in enumerate(self.copy) if has != self.area.bytes_of(page)]

    def run(self) -> None:
        while not self.stop:
            self.do()


@BOTH
def test_histories(
    area: Area, way: Callable[[Area], contextlib.AbstractContextManager[tuple[Look, Look]]]
) -> None:
    """No write is missed. Nothing is made up but what was zeros, and lost its mark in a split."""
    history = History(area)
    for _ in range(max(1, ROUNDS // 40)):
        with way(area) as (look, collect):
            history.written.clear()
            for _ in range(min(40, ROUNDS)):
                for _ in range(random.choice([0, 1, 5, 40])):
                    history.do()
                looked = look()
                seen = collect()
                assert looked == seen
                assert history.written <= seen
                assert all(not any(area.bytes_of(page)) for page in seen - history.written)
                history.take(seen)
                assert history.differs() == []
                history.written.clear()
        area.fill()
        history.take(set(range(area.pages)))


@BOTH
def test_a_race(
    area: Area, way: Callable[[Area], contextlib.AbstractContextManager[tuple[Look, Look]]]
) -> None:
    """A thread goes on while rounds begin and end."""
    history = History(area)
    for _ in range(max(1, ROUNDS // 20)):
        with way(area) as (_, collect):
            history.stop = False
            thread = threading.Thread(target=history.run)
            thread.start()
            try:
                for _ in range(20):
                    history.take(collect())
            finally:
                history.stop = True
                thread.join()
            history.take(collect())
            assert history.differs() == []
        area.fill()
        history.take(set(range(area.pages)))
