"""Shared memory that comes back from swap while a round looks at it: its write is in that round.

Each page is written, and put in swap, before the round begins: so each must be in it, whether the
round meets it in swap or in memory.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading

import pytest

import pagemap
from tests import mappings, oracle
from tests.kernel_settings import Unavailable, zram_swap
from tests.mappings import PAGE
from tests.writer import found

pytestmark = pytest.mark.usefixtures("need_own_tracking")

PAGES = 1 << 13
SWAPPED = 1 << 10  # pages in each round
ROUNDS = int(os.environ.get("PAGEMAP_ROUNDS", "200")) // 50
PAGEOUT = 21


class Reader(threading.Thread):
    """Reads pages, one after another, until it is told to end."""

    def __init__(self, start: int, pages: list[int]) -> None:
        super().__init__()
        self.reads = threading.Event()
        self.ends = False
        self._start, self._pages = start, pages

    def run(self) -> None:
        for page in self._pages:
            mappings.read(self._start, [page])
            self.reads.set()
            if self.ends:
                return


def test_pages_that_come_back_from_swap_in_the_midst_of_a_round() -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(zram_swap(64 << 20))
        except Unavailable as reason:
            pytest.skip(str(reason))
        fd = os.memfd_create("shared")
        stack.callback(os.close, fd)
        os.truncate(fd, PAGES * PAGE)
        start = mappings.reserved(PAGES)
        stack.callback(mappings.unmap, start, PAGES)
        mappings.map_file(fd, start, PAGES)
        mappings.advise(start, PAGES, 15)  # MADV_NOHUGEPAGE
        mappings.write(start, range(PAGES))
        with pagemap.track((start, start + PAGES * PAGE)) as tracker:
            for _ in range(ROUNDS):
                tracker.collect()
                first = random.randrange(PAGES - SWAPPED)
                written = list(range(first, first + SWAPPED))
                mappings.write(start, written)
                mappings.advise(start + first * PAGE, SWAPPED, PAGEOUT)
                entries = oracle.entries(os.getpid(), start, start + PAGES * PAGE)
                if all(entries[page] for page in written):
                    pytest.skip("the kernel did not put these pages into swap")
                random.shuffle(written)
                reader = Reader(start, written)
                reader.start()
                reader.reads.wait()
                rows = tracker.collect()
                reader.ends = True
                reader.join()
                assert set(written) <= set(found(rows, start, PAGES))
