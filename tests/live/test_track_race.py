"""A thread writes while rounds begin and end: each write is in a round that can have seen it.

The writer counts before and after each write. So of each write it is known which rounds it may
belong to: from the first that ended after the write began, to the first that began after it ended.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import threading
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import pagemap
from tests import mappings
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = mmap.PAGESIZE
PAGES = 1009  # no multiple of anything: the same page comes again after many rounds
ROUNDS = int(os.environ.get("PAGEMAP_ROUNDS", "100"))


class Round(NamedTuple):
    """How many writes had ended before it began, and had begun before it ended; what it saw."""

    ended_before: int
    begun_by: int
    pages: frozenset[int]


class Writer:
    """Writes to one page after another; write number k is to page k % PAGES."""

    def __init__(self, start: int) -> None:
        self.begun = self.ended = 0
        self._start = start
        self._goes_on = True
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        put, start = ctypes.memset, self._start  # which lets other threads run meanwhile
        number = 0
        while self._goes_on:
            self.begun = number + 1
            put(start + number % PAGES * PAGE, number & 0xFF, 1)
            self.ended = number = number + 1

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._goes_on = False
        self._thread.join()


def rounds(tracker: pagemap.Tracker, writer: Writer, start: int) -> Iterator[Round]:
    for _ in range(ROUNDS):
        ended = writer.ended
        rows = tracker.collect()
        yield Round(ended, writer.begun, frozenset(numbers(rows, start)))


def numbers(rows: pagemap.Table[pagemap.WrittenRow], start: int) -> Iterator[int]:
    for first, end in ((row.start, row.end) for row in rows):
        yield from range((first - start) // PAGE, (end - start) // PAGE)


def race() -> tuple[int, int, int]:
    """The number of writes, of those that no round has seen, and of pages seen unwritten."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    start = mappings.alone(PAGES)
    try:
        with pagemap.track((start, start + PAGES * PAGE)) as tracker, Writer(start) as writer:
            if tracker.method != "userfaultfd":
                raise pagemap.Unsupported("needs write tracking by userfaultfd (Linux 6.7)")
            seen = list(rounds(tracker, writer, start))
        writes = writer.ended
        last = frozenset(numbers(tracker.written, start))
    finally:
        sys.setswitchinterval(interval)
        mappings.free(start, PAGES)
    seen.append(Round(writes, writes, last))
    return writes, lost(seen, writes), made_up(seen)


def lost(seen: list[Round], writes: int) -> int:
    ended = [each.ended_before for each in seen]
    begun = [each.begun_by for each in seen]
    count = 0
    for number in range(writes):
        first = bisect_right(begun, number)  # it had begun when this one ended
        last = bisect_right(ended, number)  # it had ended when this one began
        count += not any(number % PAGES in seen[each].pages for each in range(first, last + 1))
    return count


def made_up(seen: list[Round]) -> int:
    """Pages of a round of which no write can have been in it."""
    count = 0
    before = 0
    for each in seen:
        if each.begun_by - before < PAGES:
            count += len(each.pages - {number % PAGES for number in range(before, each.begun_by)})
        before = each.ended_before
    return count


def test_no_write_is_lost() -> None:
    try:
        writes, missed, unwritten = race()
    except (pagemap.Unsupported, pagemap.AccessDenied) as reason:
        pytest.skip(str(reason))
    assert writes > ROUNDS
    assert (missed, unwritten) == (0, 0)


def test_no_write_is_lost_as_nobody(need_root: None) -> None:
    if Path("/proc/sys/vm/unprivileged_userfaultfd").read_text() != "0\n":
        pytest.skip("needs vm.unprivileged_userfaultfd=0")
    try:
        writes, missed, unwritten = as_nobody(race)
    except (pagemap.Unsupported, pagemap.AccessDenied) as reason:
        pytest.skip(str(reason))
    assert writes > ROUNDS
    assert (missed, unwritten) == (0, 0)


def test_a_lost_write_is_seen() -> None:
    """Of three writes the second is in no round; and a page is in one in which nobody wrote it."""
    seen = [Round(0, 1, frozenset({0})), Round(2, 2, frozenset()), Round(3, 3, frozenset({2, 7}))]
    assert lost(seen, 3) == 1
    assert made_up(seen) == 1
