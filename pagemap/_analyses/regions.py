"""Ranges of pages by what they are: present, in swap, huge, written, found without their entries.

The PAGEMAP_SCAN ioctl (since 6.7; do_pagemap_scan in fs/proc/task_mmu.c) skips empty page tables,
so the cost follows what is populated and not what is reserved. A kernel without it is answered from
entries read in bulk, for the categories that an entry can tell.
"""

from __future__ import annotations

import operator
import time
from array import array

from pagemap._analyses.categories import BITS, Asked, bits_of, chosen, require, there
from pagemap._analyses.region_walks import read, scanned
from pagemap._space.about import about
from pagemap._tables.stream import Stream
from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.checks import check_int, check_names
from pagemap._vocabulary.rows.region import REGIONS, RegionRow
from pagemap._vocabulary.units import ADDRESS_END, PAGE_SHIFT, page_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap._space.address_space import AddressSpace

__all__ = ["RegionStream"]

VECTOR = 512
"""Regions asked for at a time: as many as the kernel collects, and no more (see
csrc/kernel/scan.c)."""

ROWS = 1 << 16  # of a table: enough that a table costs little beside its rows

USUAL = bits_of(("present", "swap"))
"""What is told, and found, where nothing is asked for."""


class RegionStream(Stream[RegionRow]):
    """See `Process.regions`; `vector` is how many regions are asked of the kernel at a time."""

    __slots__ = ("_asked", "_max_pages", "_process", "_ranges", "_vector")

    def __init__(
        self,
        process: AddressSpace,
        *,
        only: Sequence[str],
        without: Sequence[str],
        tell: Sequence[str] | None,
        ranges: Sequence[tuple[int, int]] | None,
        max_pages: int | None,
        vector: int = VECTOR,
    ) -> None:
        self.schema = REGIONS
        any_of, all_of, none_of, others = chosen(only, without)
        none_of |= others & there(process) if others else 0
        if tell is not None:
            told = bits_of(check_names("tell", tell, BITS))
        else:
            told = any_of | all_of or USUAL
        if not any_of | all_of | none_of:
            any_of = USUAL
        self._asked = Asked(any_of, all_of, none_of, told)
        self._ranges = page_ranges([(0, ADDRESS_END)] if ranges is None else ranges)
        self._max_pages = max_pages
        if max_pages is not None:
            check_int("max_pages", max_pages, 1, 1 << 64)
        self._vector = check_int("vector", vector, 1, 1 << 32)
        self._process = process
        if not process.kernel_thread:
            require(process, self._asked.mentioned)

    def __iter__(self) -> Iterator[Table[RegionRow]]:
        """The tables, in order of address."""
        begin = time.time()
        rows = _Rows()
        start = end = categories = 0
        for first, last, what in self._found():
            if first == end and what == categories:  # wherever one call ended, and the next began
                end = last
                continue
            if end:
                rows.add(start, end, categories)
                if len(rows) == ROWS:
                    yield self._table(rows, begin)
                    begin, rows = time.time(), _Rows()
            start, end, categories = first, last, what
        if end:
            rows.add(start, end, categories)
        yield self._table(rows, begin)

    def _table(self, rows: _Rows, begin: float) -> Table[RegionRow]:
        process, certain = self._process, self.swap_is_certain
        more = {} if certain is None else {"swap_is_certain": certain}
        return Table(REGIONS, rows.columns(process.pid), about=about(begin, process, **more))

    @property
    def swap_is_certain(self) -> bool | None:
        """Whether what is told as swap surely is: from some readers the kernel hides it.

        None where it does not matter.
        """
        process = self._process
        if process.kernel_thread or not self._asked.by_swap:
            return None
        return process.pfns_visible or process.machine.swaps_in_use() is False

    def _found(self) -> Iterator[tuple[int, int, int]]:
        process, limit = self._process, self._max_pages
        if process.kernel_thread:
            return
        walk = scanned if process.can_scan or not process.live else read
        for start, end in self._ranges:
            for found in walk(process, self._asked, start, end, limit, self._vector):
                yield from found
                if limit is not None:
                    limit -= sum(last - first for first, last, _ in found) >> PAGE_SHIFT
            if limit is not None and limit <= 0:
                return


class _Rows:
    """Columns that grow."""

    __slots__ = ("_codes", "_ends", "_numbers", "_starts")

    def __init__(self) -> None:
        self._starts, self._ends, self._codes = array("Q"), array("Q"), array("i")
        self._numbers: dict[int, int] = {}  # of each set of categories that occurs

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, start: int, end: int, categories: int) -> None:
        self._starts.append(start)
        self._ends.append(end)
        self._codes.append(self._numbers.setdefault(categories, len(self._numbers)))

    def columns(self, pid: int) -> dict[str, memoryview | Texts]:
        sizes = array("Q", map(operator.sub, self._ends, self._starts))
        words = ["|".join(name for name in BITS if bits & BITS[name]) for bits in self._numbers]
        return {
            "pid": _view(array("Q", [pid]) * len(self)),
            "start": _view(self._starts),
            "end": _view(self._ends),
            "size": _view(sizes),
            "categories": Texts(memoryview(self._codes).toreadonly(), words),
        }


def _view(values: array[int]) -> memoryview:
    return memoryview(values).toreadonly().cast("B").cast("q")
