"""One reader of Arrow that several threads pull: pyarrow lets go of the interpreter meanwhile."""

from __future__ import annotations

import mmap
import os
import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import pagemap
from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS, ROUNDS = 8, 10
PAGES = 1 << 18
REFUSED = "this stream is being read by another thread"


@pytest.fixture
def area() -> Iterator[tuple[int, int]]:
    """Many pages of our own, of which few are there."""
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as new:
        start = oracle.address_of(new)
        yield start, start + len(new)


def pull(stream: object) -> int:
    """The rows that all threads together got of a reader of the stream."""
    reader = pa.RecordBatchReader.from_stream(stream)
    rows: list[int] = []
    told: list[str] = []

    def work() -> None:
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except OSError as error:
                told.append(str(error))
            else:
                batch.validate(full=True)
                rows.append(batch.num_rows)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each for each in told if REFUSED not in each] == []
    return sum(rows)


def test_each_page_is_read_once(area: tuple[int, int]) -> None:
    """The process died of SIGSEGV: several threads wrote the rows of one batch."""
    with pagemap.Process(os.getpid()) as process:
        stream = process.columns(populated=False, ranges=[area])
        assert [pull(stream) for _ in range(ROUNDS)] == [PAGES] * ROUNDS


def test_each_row_of_a_table_is_read_once() -> None:
    with pagemap.Process(os.getpid()) as process:
        table = process.tally()
    assert [pull(table) for _ in range(ROUNDS)] == [len(table)] * ROUNDS
