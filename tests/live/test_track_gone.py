"""Pages of shared memory that are written and leave the page table in the same round.

No entry is left of them. What was written, the test knows, because it wrote it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import re
import threading
import time
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._history import shared_pages
from tests import mappings, oracle
from tests.mappings import PAGE
from tests.userfault import address_of
from tests.writer import found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = 96
DONTNEED, PAGEOUT = 4, 21
STEPS = int(os.environ.get("PAGEMAP_ROUNDS", "200")) // 4  # rounds of a history, and of the race


@pytest.fixture(scope="module", autouse=True)
def method() -> str:
    try:
        with pagemap.track(bytearray(1)) as tracker:
            return tracker.method
    except (pagemap.Unsupported, pagemap.AccessDenied) as reason:
        pytest.skip(str(reason))


@contextlib.contextmanager
def shared(path: Path | None = None) -> Iterator[tuple[mmap.mmap, int]]:
    """Memory shared through a file, or through none, without huge pages; and where it is."""
    fd = os.memfd_create("shared") if path is None else os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.truncate(fd, PAGES * PAGE)
        with mmap.mmap(fd, PAGES * PAGE) as area:
            area.madvise(15)  # MADV_NOHUGEPAGE
            yield area, address_of(area)
    finally:
        os.close(fd)


class Model:
    """What the kernel has of each page, said naively, and what a round must and may find."""

    def __init__(self, start: int, method: str) -> None:
        self.start = start
        self.leaves_marks = method == "userfaultfd"
        self.entries: dict[int, str] = {}  # protected, or not: None where there is no entry
        self.before: set[int] = set()
        self.begin()

    def begin(self) -> None:
        """All that is there is protected, and what was found to be gone has a mark of that."""
        if self.leaves_marks:
            self.entries |= dict.fromkeys(self.before, "protected")
        self.entries = dict.fromkeys(self.entries, "protected")
        self.before = set(self.entries)
        self.written: set[int] = set()
        self.touched: set[int] = set()
        self.dropped: set[int] = set()

    def do(self, order: str, page: int) -> None:
        self.touched.add(page)
        if order == "write":
            mappings.write(self.start, [page])
            self.entries[page] = "written"
            self.written.add(page)
            self.dropped.discard(page)
        elif order == "read":
            mappings.read(self.start, [page])
            self.entries.setdefault(page, "written")
        else:
            mappings.advise(self.start + page * PAGE, 1, DONTNEED)
            self.dropped.add(page)
            if self.entries.get(page) == "written" or not self.leaves_marks:
                self.entries.pop(page, None)

    @property
    def wanted(self) -> set[int]:
        """What a userfaultfd finds."""
        there = {page for page, entry in self.entries.items() if entry == "written"}
        return there | (self.before - set(self.entries))

    @property
    def least(self) -> set[int]:
        """What was written, but for what came and went in this round.

        Without marks not what went and came back either: by a read, of a page nearby perhaps.
        """
        found = {page for page in self.written if page in self.before or page in self.entries}
        if self.leaves_marks:
            return found
        entries = oracle.entries(os.getpid(), self.start, self.start + PAGES * PAGE)
        return {page for page in found if page not in self.dropped or not entries[page] >> 63}


@pytest.mark.parametrize("of_a_file", [False, True])
def test_histories(of_a_file: bool, method: str, tmp_path: Path) -> None:
    """Writes, reads and drops at random: no write is missed, and nothing is made up."""
    with shared(tmp_path / "file" if of_a_file else None) as (_, start):
        model = Model(start, method)
        for page in range(PAGES):
            model.do("write", page)
        with pagemap.track((start, start + PAGES * PAGE)) as tracker:
            model.begin()
            for step in range(STEPS):
                for _ in range(random.choice([0, 1, 5, 40])):
                    order = random.choice(["write", "write", "read", "drop"])
                    model.do(order, random.randrange(PAGES))
                looked = found(tracker.written, start, PAGES) if step % 3 == 0 else None
                least = model.least
                rows = tracker.collect()
                seen = found(rows, start, PAGES)
                assert seen == sorted(set(seen))
                assert looked in (None, seen)
                assert least <= set(seen) <= model.touched, step
                if method == "userfaultfd":
                    assert set(seen) == model.wanted, step
                    gone = rows.where(lambda row: row.how == "gone")
                    missing = model.before - set(model.entries)
                    assert set(found(gone, start, PAGES)) == missing
                model.begin()


def test_evicted_by_the_kernel(tmp_path: Path) -> None:
    """As reclaim does it: of a file that is written back before."""
    with shared(tmp_path / "file") as (area, start):
        mappings.write(start, range(PAGES))
        with pagemap.track((start, start + PAGES * PAGE)) as tracker:
            tracker.collect()
            written = [page for page in range(PAGES) if page % 3 == 0]
            mappings.write(start, written)
            area.flush()
            mappings.advise(start, PAGES, PAGEOUT)
            for rows in (tracker.written, tracker.collect()):
                assert set(written) <= set(found(rows, start, PAGES))
                if tracker.method == "userfaultfd":
                    assert found(rows, start, PAGES) == written
            assert "first touched" in str(rows.about["unseen"])
            assert found(tracker.collect(), start, PAGES) == []


def test_by_mapping(method: str) -> None:
    with shared() as (_, start), pagemap.track() as tracker:
        mappings.write(start, range(PAGES))
        tracker.collect()
        mappings.write(start, [1, 2, 3])
        mappings.advise(start + 2 * PAGE, 30, DONTNEED)
        rows = tracker.collect()
        (row,) = [each for each in tracker.by_mapping(rows) if each.start == start]
        if method == "userfaultfd":
            assert (row.written, row.gone, row.new) == (3 * PAGE, 2 * PAGE, 0)
            assert row.share == 1 / (row.populated or 0) * PAGE
        else:
            assert (row.written, row.gone) == (31 * PAGE, 30 * PAGE)


def test_another_file_in_its_place(method: str, tmp_path: Path) -> None:
    """What it has is not what was there; of what was split the rest is known all the same."""
    with shared(tmp_path / "file") as (_, start):
        mappings.write(start, range(PAGES))
        with pagemap.track((start, start + PAGES * PAGE)) as tracker:
            tracker.collect()
            fd = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
            os.truncate(fd, PAGES * PAGE)
            mappings.map_file(fd, start + 10 * PAGE, 20)
            mappings.write(start, [5, 40])
            mappings.advise(start, PAGES, DONTNEED)
            seen = found(tracker.collect(), start, PAGES)
            if method == "userfaultfd":
                assert seen == [5, 40]
            else:  # all of them may have been written
                assert seen == [*range(10), *range(30, PAGES)]
            mappings.write(start, [12])
            assert found(tracker.collect(), start, PAGES) == [12]
            mappings.write(start, [12])
            mappings.advise(start, PAGES, DONTNEED)
            assert 12 in found(tracker.collect(), start, PAGES)
            os.close(fd)


def test_the_same_file_mapped_anew(method: str, tmp_path: Path) -> None:
    """What was written there before is of it, also in a look that has it not tracked yet."""
    with shared(tmp_path / "file") as (_, start):
        mappings.write(start, range(0, PAGES, 2))
        with pagemap.track((start, start + PAGES * PAGE)) as tracker:
            tracker.collect()
            fd = os.open(tmp_path / "file", os.O_RDWR)
            mappings.write(start, [40, 80])
            mappings.map_file(fd, start, PAGES)
            os.close(fd)
            looked = found(tracker.written, start, PAGES)
            assert {40, 80} <= set(looked)
            mappings.write(start, [60])
            looked = found(tracker.written, start, PAGES)
            assert looked == sorted(set(looked))
            assert {40, 60, 80} <= set(looked)
            if method == "userfaultfd":
                assert looked == found(tracker.collect(), start, PAGES)


def test_a_bound_is_said(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Of what is past it nothing is known, as `about` says.

    To protect memory for the first time marks what is untouched around it, which is a region, too.
    """
    monkeypatch.setattr(shared_pages, "MOST", 4 if method == "userfaultfd" else 2)
    fd = os.memfd_create("shared")
    os.truncate(fd, PAGE)
    far = 1 << 10
    start = mappings.reserved(3 * far)
    for number in range(3):
        mappings.map_file(fd, start + number * far * PAGE, 1)
        mappings.write(start, [number * far])
    with pagemap.track((start, start + 3 * far * PAGE)) as tracker:
        for number in range(3):
            mappings.write(start, [number * far])
            mappings.advise(start + number * far * PAGE, 1, DONTNEED)
        rows = tracker.collect()
    said = re.search("in any round above (0x[0-9a-f]+)", str(rows.about["unseen"]))
    assert said is not None
    assert start + (far + 1) * PAGE <= int(said[1], 16) < start + 2 * far * PAGE
    assert found(rows, start, 3 * far) == [0, far]
    mappings.unmap(start, 3 * far)
    os.close(fd)


class Evictor(threading.Thread):
    """Writes each page and has it dropped at once, having had them all populated for some rounds.

    `log` has of each such write how many rounds had ended when it began, and when all was over.
    """

    def __init__(self, start: int, rounds: list[set[int]]) -> None:
        super().__init__()
        self.log: list[tuple[int, int, int]] = []
        self.stop = False
        self._start, self._rounds = start, rounds

    def run(self) -> None:
        while not self.stop:
            for page in range(PAGES):
                ended = len(self._rounds)
                mappings.write(self._start, [page])
                mappings.advise(self._start + page * PAGE, 1, DONTNEED)
                self.log.append((page, ended, len(self._rounds)))
            self._wait()
            mappings.write(self._start, range(PAGES))
            self._wait()

    def _wait(self) -> None:
        """Until a round has ended that began after now, and one more."""
        until = len(self._rounds) + 3
        while len(self._rounds) < until and not self.stop:
            time.sleep(0.0001)


def test_a_race() -> None:
    """What is written and dropped while a round ends is in this one or in the next."""
    with shared() as (_, start):
        mappings.write(start, range(PAGES))
        rounds: list[set[int]] = []
        with pagemap.track((start, start + PAGES * PAGE)) as tracker:
            evictor = Evictor(start, rounds)
            tracker.collect()
            evictor.start()
            try:
                while len(rounds) < 2 * STEPS:
                    rounds.append(set(found(tracker.collect(), start, PAGES)))
            finally:
                evictor.stop = True
                evictor.join()
            rounds.append(set(found(tracker.collect(), start, PAGES)))
    assert evictor.log
    assert [
        (page, first, last)
        for page, first, last in evictor.log
        if not any(page in each for each in rounds[first : last + 2])
    ] == []
