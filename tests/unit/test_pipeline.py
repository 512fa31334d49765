"""Pieces through threads: in order, errors in their place, and nothing left behind."""

from __future__ import annotations

import atexit
import gc
import signal
import sys
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pagemap._native import pipeline
from pagemap._native import threads as machine
from tests import tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class Boom(ValueError):
    """What a step raises."""


class Piece:
    """Gives its name and the number of the step, `steps` times."""

    def __init__(self, name: int, steps: int = 1, action: Callable[[], None] | None = None) -> None:
        self.name = name
        self.work = pipeline.ALONE_PAGES
        self._steps = steps
        self._taken = 0
        self._action = action
        self._busy = threading.Lock()

    @property
    def done(self) -> bool:
        return self._taken == self._steps

    def run(self, buffer: list[object]) -> tuple[int, int]:
        assert self._busy.acquire(blocking=False), "two threads in one piece"
        assert not self.done
        try:
            buffer[0] = self  # the buffer is nobody else's
            time.sleep(0.001)
            if self._action:
                self._action()
            self._taken += 1
            assert buffer[0] is self
            return self.name, self._taken
        finally:
            self._busy.release()


def boom() -> None:
    raise Boom("a step failed")


def boom_late() -> None:
    time.sleep(0.02)
    boom()


def names_of(pieces: Iterator[Piece], threads: int, got: list[int]) -> None:
    """The pieces whose results came, in order, into `got`."""
    with pipeline.run(pieces, buffer, threads) as results:
        for piece, _ in results:
            got.append(piece.name)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = tasks.count()
    yield
    assert tasks.settle(before) == before


def buffer() -> list[object]:
    return [None]


@pytest.mark.parametrize("in_turn", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 3, 8, None])
def test_order(threads: int | None, in_turn: bool) -> None:
    pieces = [Piece(name, 1 + name % 4) for name in range(50)]
    with pipeline.run(iter(pieces), buffer, threads, in_turn=in_turn) as results:
        got = [result for _, result in results]
    assert got == [(name, step) for name in range(50) for step in range(1, 2 + name % 4)]
    assert all(piece.done for piece in pieces)


@pytest.mark.parametrize("threads", [1, 4])
def test_nothing_to_do(threads: int) -> None:
    with pipeline.run(iter(()), buffer, threads) as results:
        assert list(results) == []


def test_walks_leave_nothing_for_the_exit() -> None:
    """Atexit keeps a place for each function that it was given, also for those taken back."""
    before = atexit._ncallbacks()
    for _ in range(20):
        names_of((Piece(n) for n in range(3)), 3, [])
    assert atexit._ncallbacks() == before
    assert not machine._unfinished


def test_a_waiter_that_was_broken_off_holds_up_nobody() -> None:
    """Ctrl-C may come when a thread's end was seen, and before the lock of it was given back."""
    latch = machine.Latch()
    latch.open()
    assert latch._lock.acquire(blocking=False)  # where the signal came
    latch.wait()


def test_no_thread_is_started_when_the_interpreter_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would not come to its own end; the caller does the work alone."""
    monkeypatch.setattr(machine, "_exiting", [True])
    got: list[int] = []
    names_of((Piece(n) for n in range(5)), 4, got)
    assert got == list(range(5))


def test_walks_are_no_garbage() -> None:
    """What a piece holds, descriptors too, is given back with the walk and not some time later."""
    gc.collect()
    gc.disable()
    try:
        piece = Piece(0)
        gone = weakref.ref(piece)
        with pipeline.run(iter([piece, Piece(1)]), buffer, 3) as results:
            assert len(list(results)) == 2
        del piece, results
        assert gone() is None
    finally:
        gc.enable()


def test_a_buffer_is_made_when_a_piece_needs_it() -> None:
    """An absurd number of threads took two buffers for each before one was started."""
    made: list[list[object]] = []

    def counted() -> list[object]:
        made.append([None])
        return made[-1]

    with pipeline.run(iter([Piece(n) for n in range(3)]), counted, 50) as results:
        assert len(list(results)) == 3
    assert len(made) == 3


def test_small_work_starts_no_thread() -> None:
    before = tasks.count()
    pieces = [Piece(name) for name in range(20)]
    for piece in pieces:
        piece.work = pipeline.ALONE_PAGES // 21
    with pipeline.run(iter(pieces), buffer, 8) as results:
        for _ in results:
            assert tasks.count() == before


def test_steps_in_turn() -> None:
    """One thread takes them, each begun after the one before; the caller takes the first alone."""
    begun: list[int] = []
    threads = set()

    def action(name: int) -> None:
        begun.append(name)
        threads.add(threading.get_ident())
        time.sleep(0.001 * (name % 3))
        assert begun == list(range(name + 1))

    pieces = [Piece(n, action=partial(action, n)) for n in range(40)]
    with pipeline.run(iter(pieces), buffer, in_turn=True) as results:
        for number, (piece, _) in enumerate(results):
            assert piece.name == number
            assert len(begun) <= number + 2  # one is ahead, and no more
    assert len(threads) == 2
    assert threading.get_ident() in threads


def test_workers_end_with_the_work() -> None:
    """Not only when they are woken for it, at the end of the block."""
    before = tasks.count()
    # the last ones take several steps, which the caller is left to do
    pieces = [Piece(n, 1 if n < 30 else 5) for n in range(32)]
    with pipeline.run(iter(pieces), buffer, 4) as results:
        got = []
        for result in results:
            got.append(result)
            if len(got) == 35:
                assert tasks.settle(before) == before
    assert len(got) == 40


def test_large_work_is_shared() -> None:
    seen = set()
    pieces = [Piece(n, action=lambda: seen.add(threading.get_ident())) for n in range(60)]
    with pipeline.run(iter(pieces), buffer, 3) as results:
        list(results)
    assert len(seen) > 2  # the caller, and more than one thread


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("at", [0, 1, 2, 17, 39])
def test_an_error_comes_in_its_place(threads: int, at: int) -> None:
    """What lies before it is told; of two errors the first in order, whichever was quicker."""
    pieces = [Piece(n) for n in range(40)]
    pieces[at] = Piece(at, action=boom_late)
    for later in range(at + 1, 40):
        pieces[later] = Piece(later, action=boom)
    got: list[int] = []
    with pytest.raises(Boom) as caught:
        names_of(iter(pieces), threads, got)
    assert got == list(range(at))
    assert str(caught.value) == "a step failed"


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_of_who_makes_the_pieces(threads: int) -> None:
    """The pieces before it are done, and their results stand."""

    def pieces() -> Iterator[Piece]:
        for name in range(20):
            yield Piece(name)
        raise Boom("no more pieces")

    got: list[int] = []
    with pytest.raises(Boom, match="no more"):
        names_of(pieces(), threads, got)
    assert got == list(range(20))


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("after", [1, 2, 5, 30])
def test_a_consumer_that_stops(threads: int, after: int) -> None:
    asked: list[int] = []

    def pieces() -> Iterator[Piece]:
        for name in range(10_000):
            asked.append(name)
            yield Piece(name)

    with pipeline.run(pieces(), buffer, threads) as results:
        for _ in range(after):
            next(results)
    # no more were begun than there are buffers for
    assert len(asked) <= after + 2 * threads + 1


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Boom])
def test_a_consumer_that_fails(threads: int, error: type[BaseException]) -> None:
    def consume() -> None:
        with pipeline.run((Piece(n) for n in range(10_000)), buffer, threads) as results:
            for number, _ in enumerate(results):
                if number == 7:
                    raise error

    with pytest.raises(error):
        consume()


@pytest.mark.parametrize("threads", [1, 4])
def test_ctrl_c_while_it_waits(threads: int) -> None:
    """The signal comes when it comes: in a step of our own, or while the others are waited for."""

    def consume() -> None:
        with pipeline.run((Piece(n) for n in range(100_000)), buffer, threads) as results:
            for number, _ in enumerate(results):
                if number == 20:
                    timer.start()

    timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
    with pytest.raises(KeyboardInterrupt):
        consume()
    timer.join()


def test_ctrl_c_while_threads_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixture finds those that were started before it."""

    def interrupted(function: Callable[..., object], about: tuple[Any, ...]) -> None:
        start(function, about)
        if tasks.count() > before + 2:
            raise KeyboardInterrupt

    before = tasks.count()
    start = machine.start_new_thread
    monkeypatch.setattr(machine, "start_new_thread", interrupted)
    with pytest.raises(KeyboardInterrupt):
        names_of((Piece(n) for n in range(100)), 8, [])


def test_a_thread_that_collects_its_own_walk() -> None:
    """Any thread may come upon a walk in a cycle that nobody holds: it cannot wait for itself."""
    main = threading.get_ident()
    forgotten = threading.Event()

    def collect() -> None:
        if threading.get_ident() != main:
            time.sleep(0.1)
            if forgotten.is_set():
                gc.collect()

    def walk() -> Iterator[tuple[Any, Any]]:
        with pipeline.run((Piece(n, action=collect) for n in range(100)), buffer, 3) as results:
            yield from results

    gc.disable()
    try:
        held: list[object] = [walk()]
        for _ in range(4):
            next(held[0])  # type: ignore[call-overload] # it is a generator
        held.append(held)
        del held
        forgotten.set()
        time.sleep(0.3)
    finally:
        gc.enable()
    gc.collect()  # had they nothing to do by then, it is ours


@pytest.mark.parametrize("where", ["thread", "caller"])
def test_a_step_that_fails_oddly(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no step should raise ends its thread, which says so; nobody waits for it."""

    class Odd(Exception):
        pass

    def odd() -> None:
        if (threading.get_ident() == main) == (where == "caller"):
            raise Odd
        time.sleep(0.01)

    main = threading.get_ident()
    told: list[type[BaseException] | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda about: told.append(about.exc_type))
    pieces = [Piece(n, action=None if n < 5 else odd) for n in range(300)]
    got: list[int] = []
    with pytest.raises(RuntimeError if where == "thread" else Odd, match=r"ended early|^$"):
        names_of(iter(pieces), 2, got)
    assert got == list(range(len(got)))
    assert len(got) < 300
    assert set(told) == ({Odd} if where == "thread" else set())


def test_default_threads() -> None:
    assert 1 <= pipeline.default_threads() <= pipeline.MOST_THREADS
