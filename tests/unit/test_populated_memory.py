"""Memory that a walk lends: never two holders of one block, and used again once it is free."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from unittest import mock

import pytest

import pagemap
from pagemap import Process
from pagemap._native import allocate, view_of
from pagemap._native import pool as room
from pagemap._native.pool import Pool
from pagemap._native.scan import EntryBuffer
from pagemap._space.walk import Reach
from tests import workloads

SIZE = 1 << 10


def address(block: object) -> int:
    from pagemap._core import ffi

    return int(ffi.cast("uintptr_t", block))


def test_what_nobody_holds_is_lent_again() -> None:
    pool = Pool(SIZE)
    block = pool.take()
    at = address(block)
    del block
    others = [allocate("uint64_t[]", SIZE) for _ in range(50)]  # who would get it from malloc
    assert at not in map(address, others)
    assert address(pool.take()) == at


def test_what_is_looked_at_is_not() -> None:
    """A memoryview of it holds it, also one of a part."""
    pool = Pool(SIZE)
    block = pool.take()
    at = address(block)
    view = view_of(block, "Q")[3:5].toreadonly()
    block[3], block[4] = 33, 44
    del block
    others = [pool.take() for _ in range(50)]
    for other in others:
        assert address(other) != at
        other[3] = other[4] = 0
    assert view.tolist() == [33, 44]
    del view
    assert address(pool.take()) == at


def test_only_so_many_are_kept() -> None:
    pool = Pool(SIZE)
    blocks = [pool.take() for _ in range(5 * Pool.MOST)]
    assert len(set(map(address, blocks))) == 5 * Pool.MOST
    kept = set(map(address, blocks[: Pool.MOST]))
    blocks.clear()
    again = [pool.take() for _ in range(Pool.MOST)]
    assert set(map(address, again)) == kept


def test_one_pool_as_long_as_somebody_walks() -> None:
    """It is shared by all processes, so that memory does not grow with their number."""
    first, second = room.pool(SIZE), room.pool(SIZE)
    assert first is second
    gone = weakref.ref(first)
    del first, second
    gc.collect()
    assert gone() is None


def test_several_threads() -> None:
    """Each marks what it holds, and finds its mark again."""
    pool = Pool(SIZE)
    wrong = []

    def work(mark: int) -> None:
        for _ in range(3000):
            block = pool.take()
            block[0] = block[SIZE - 1] = mark
            other = view_of(pool.take(), "Q")
            other[0] = other[SIZE - 1] = -mark & 0xFF
            if not (block[0] == block[SIZE - 1] == mark):
                wrong.append(mark)
            if not (other[0] == other[SIZE - 1] == -mark & 0xFF):
                wrong.append(-mark)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


def test_a_dense_walk_uses_the_same_blocks_again() -> None:
    """Of a hundred steps, not more blocks than a walk of two threads has under way."""
    assert EntryBuffer.size == Reach.LEAST  # else no piece fills a block
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
        mock.patch.object(Reach, "LEAST", size),
        mock.patch("pagemap._native.pipeline.ALONE_PAGES", size),
        mock.patch.object(room, "allocate", note),
    ):
        for _ in range(3):  # the next walk has those of the one before
            found = sum(len(pages) for _, pages in process.populated(threads=2))
            assert found >= 100 * size
            assert 0 < blocks.count(size) <= 12


def test_a_thread_gets_what_it_had() -> None:
    """It is in the cache of its processor; but what nobody else wants is not left idle."""
    pool = Pool(SIZE)
    theirs = []
    other = threading.Thread(target=lambda: theirs.append(pool.take()))
    other.start()
    other.join()
    ours = pool.take()
    first, second = address(ours), address(theirs[0])
    del ours
    theirs.clear()
    again = [pool.take() for _ in range(2)]
    assert [address(block) for block in again] == [first, second]


def test_closing_gives_it_back() -> None:
    with workloads.dense() as target, Process(target.pid) as process:
        assert list(process.populated())
        gone = weakref.ref(room.pool(EntryBuffer.size))
        assert gone() is not None
        process.close()
        gc.collect()
        assert gone() is None
        with pytest.raises(pagemap.ClosedProcess):
            next(process.populated())
        assert not process.kept


@pytest.mark.parametrize("threads", [1, 2])
def test_closing_within_a_walk(threads: int) -> None:
    """A walk holds its file while it lasts: no other file gets the number that it reads from."""
    with workloads.dense(2000 * workloads.PAGE) as target, workloads.dense() as other:
        process = Process(target.pid)
        with (
            mock.patch.object(EntryBuffer, "size", 64),
            mock.patch.object(Reach, "LEAST", 64),
            mock.patch("pagemap._native.pipeline.ALONE_PAGES", 64),
        ):
            walk = process.populated(threads=threads)
            next(walk)
            number = int(process.fileno())
            process.close()
            with Process(other.pid) as taken:
                assert taken.fileno() != number
                assert f"/{target.pid}" in os.readlink(f"/proc/self/fd/{number}")
                with pytest.raises(pagemap.ClosedProcess):
                    for _ in walk:
                        pass
            walk.close()  # type: ignore[attr-defined] # a generator
            with pytest.raises(FileNotFoundError):
                os.readlink(f"/proc/self/fd/{number}")
