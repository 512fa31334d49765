"""Memory that a walk lends: never two holders of one block, and used again once it is free."""

from __future__ import annotations

import gc
import threading
from unittest import mock

from pagemap import Process, populated
from pagemap._native import allocate, scan, view_of
from pagemap._native.scan import EntryBuffer, lender
from tests import workloads

SIZE = 1 << 10


def address(block: object) -> int:
    from pagemap._core import ffi

    return int(ffi.cast("uintptr_t", block))


def test_what_nobody_holds_is_lent_again() -> None:
    lend = lender(SIZE)
    block = lend("uint64_t[]", SIZE)
    at = address(block)
    del block
    others = [allocate("uint64_t[]", SIZE) for _ in range(50)]  # who would get it from malloc
    assert at not in map(address, others)
    assert address(lend("uint64_t[]", SIZE)) == at


def test_what_is_looked_at_is_not() -> None:
    """A memoryview of it holds it, also one of a part."""
    lend = lender(SIZE)
    block = lend("uint64_t[]", SIZE)
    at = address(block)
    view = view_of(block, "Q")[3:5].toreadonly()
    block[3], block[4] = 33, 44
    del block
    others = [lend("uint64_t[]", SIZE) for _ in range(50)]
    for other in others:
        assert address(other) != at
        other[3] = other[4] = 0
    assert view.tolist() == [33, 44]
    del view
    assert address(lend("uint64_t[]", SIZE)) == at


def test_other_sizes_are_not_mixed_up() -> None:
    lend = lender(SIZE)
    for size in (1, SIZE - 1, SIZE + 1, 0):
        block = lend("uint64_t[]", size)
        assert len(block) == size
        del block
    whole = lend("uint64_t[]", SIZE)
    for at in range(SIZE):
        whole[at] = at
    assert view_of(whole, "Q").tolist() == list(range(SIZE))


def test_it_may_outlive_the_lender() -> None:
    lend = lender(SIZE)
    block = lend("uint64_t[]", SIZE)
    del lend
    gc.collect()
    block[SIZE - 1] = 7
    assert block[SIZE - 1] == 7


def test_several_threads() -> None:
    """Each marks what it holds, and finds its mark again."""
    lend = lender(SIZE)
    wrong = []

    def work(mark: int) -> None:
        for _ in range(2000):
            block = lend("uint64_t[]", SIZE)
            block[0] = block[SIZE - 1] = mark
            if block[0] != mark or block[SIZE - 1] != mark:
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_dense_walk_uses_the_same_blocks_again() -> None:
    """Of a hundred steps, not more blocks than a walk of two threads has under way."""
    assert EntryBuffer.size == populated.Reach.LEAST  # else no piece fills a block
    size = 256
    blocks = []

    def note(kind: str, count: int) -> object:
        if kind == "uint64_t[]":
            blocks.append(count)
        return allocate(kind, count)

    with (
        workloads.dense(100 * size * workloads.PAGE) as target,
        Process(target.pid) as process,
        mock.patch.object(EntryBuffer, "size", size),
        mock.patch.object(populated.Reach, "LEAST", size),
        mock.patch("pagemap.pipeline.ALONE_PAGES", size),
        mock.patch.object(scan, "allocate", note),
    ):
        for _ in range(3):  # the next walk has those of the one before
            found = sum(len(pages) for _, pages in process.populated(threads=2))
            assert found >= 100 * size
            assert 0 < blocks.count(size) <= 12


def test_a_thread_gets_what_it_had() -> None:
    """It is in the cache of its processor; but what nobody else wants is not left idle."""
    lend = lender(SIZE)
    ours = lend("uint64_t[]", SIZE)
    theirs = []
    other = threading.Thread(target=lambda: theirs.append(lend("uint64_t[]", SIZE)))
    other.start()
    other.join()
    first, second = address(ours), address(theirs[0])
    del ours
    theirs.clear()
    again = [lend("uint64_t[]", SIZE) for _ in range(2)]
    assert [address(block) for block in again] == [first, second]


def test_closing_gives_it_back() -> None:
    with workloads.dense() as target, Process(target.pid) as process:
        assert list(process.populated())
        assert process.kept
        process.close()
        assert not process.kept
