"""Pieces of work done by several threads, with the results in order.

Each step is one call into C without the GIL. The calling thread hands out pieces and takes results
back, those of the oldest piece first; while that is not ready it does a step itself, so there are
never more threads at work than were asked for. There are two buffers for each, so that none waits
while a result is used. A piece may give its results in several steps, because nobody knew how much
it holds; the next piece's results then wait.

"""

from __future__ import annotations

import os

from pagemap._native.threads import Workers, locked

try:
    from _queue import Empty, SimpleQueue  # what `queue` has them from, and no more than them
except ImportError:
    from queue import Empty, SimpleQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol

    class Piece(Protocol):
        """A part of the work: `run(buffer)` does a step of it, until it is `done`.

        `work` is how much was done, in pages looked at.
        """

        @property
        def work(self) -> int: ...
        @property
        def done(self) -> bool: ...
        def run(self, buffer: Any, /) -> Any: ...


__all__ = ["default_threads", "run"]

MOST_THREADS = 8
"""More do not pay: they share the target's mmap_lock, and one consumer takes it all."""

ALONE_PAGES = 1 << 13
"""So many pages are done without threads: a third of a millisecond, some times a thread's start."""


def default_threads() -> int:
    """The number of cores that this process may use, within reason."""
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)


class run:  # noqa: N801 - reads as the function that it would be, but for `with`
    """Iterate over ``(piece, result)`` in order; leaving the `with` block ends all threads.

    `make_buffer()` makes what one step needs; it is used again for later steps, so a result that
    lies in it is to be used before the next is asked for. `threads` is None for as many as pay,
    else as `checks.check_threads` gives it. They start after ALONE_PAGES.

    With `in_turn` one thread takes the steps, each after the one before it, while the caller uses
    the results. Raises the first error of a step, as it was.
    """

    def __init__(
        self,
        pieces: Iterator[Piece],
        make_buffer: Callable[[], Any],
        threads: int | None = None,
        *,
        in_turn: bool = False,
    ) -> None:
        self._in_turn = in_turn
        self._pieces = pieces
        self._make_buffer = make_buffer
        self._threads = 2 if in_turn else threads
        self._pool: _Pool | None = None

    def __enter__(self) -> Iterator[tuple[Any, Any]]:
        return self._run()

    def __exit__(self, *exc: object) -> None:
        if self._pool:
            self._pool.stop()

    def _run(self) -> Iterator[tuple[Any, Any]]:
        buffer = self._make_buffer()
        done = 0
        for piece in self._pieces:
            while True:
                yield piece, piece.run(buffer)
                if piece.done:
                    break
            done += piece.work
            if done < ALONE_PAGES:
                continue
            threads = default_threads() if self._threads is None else self._threads
            if threads > 1:
                self._pool = _Pool(self._make_buffer, in_turn=self._in_turn)
                if self._pool.start(threads - 1):  # the caller is one of them
                    yield from self._pool.run(self._pieces)
                    return
                self._threads = 1


class _Slot:
    """A buffer on its way: given a piece, then ready with a result or an error."""

    __slots__ = ("buffer", "error", "piece", "ready", "result")

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.ready = locked()
        self.piece: Piece
        self.error: Exception | None = None
        self.result: Any = None


class _Ended(RuntimeError):
    """No thread will give this result."""


_EARLY = _Ended()  # of a slot whose step has not ended


class _Pool:
    """Threads without `threading`, which with `queue` takes longer to import than most dumps."""

    def __init__(self, make_buffer: Callable[[], Any], *, in_turn: bool) -> None:
        self._in_turn = in_turn
        self._todo: SimpleQueue[_Slot | None] = SimpleQueue()
        self._stopping = False
        self._drained = False
        self._workers = Workers()
        self._make_buffer = make_buffer
        self._free: list[_Slot] = []

    def start(self, threads: int) -> int:
        """Start as many threads, or fewer; returns how many there are.

        Where Ctrl-C comes in between, stop() ends those that were begun.
        """
        for _ in range(threads):
            if not self._workers.start(self._work, self.stop):
                break  # a limit is met: do with those there are
        return len(self._workers)

    def _work(self) -> None:
        while (slot := self._todo.get()) is not None:
            if self._stopping:
                slot.ready.release()  # its error stands
            else:
                self._step(slot)
        self._todo.put(None)  # for the others

    def _step(self, slot: _Slot) -> None:
        try:
            slot.result = slot.piece.run(slot.buffer)
            slot.error = None
        except (OSError, ValueError, MemoryError) as error:
            slot.error = error
        finally:
            slot.ready.release()

    def _wait(self, slot: _Slot) -> None:
        """Do what nobody has begun, if it may be done out of turn, until this one is ready."""
        while not slot.ready.acquire(False):
            if self._stopping:
                raise _Ended("the walk was stopped")
            if self._workers.lost:
                raise _Ended("a walk that was begun before fork() can go on only in the parent")
            other = None if self._in_turn else self._next()
            if other is None:
                slot.ready.acquire()
                return
            self._step(other)

    def _next(self) -> _Slot | None:
        """What nobody has begun, if there is any."""
        try:
            slot = self._todo.get_nowait()
        except Empty:
            return None
        if slot is None:
            self._todo.put(None)  # for the others
        return slot

    def _start(self, slot: _Slot) -> None:
        slot.error = _EARLY
        if self._drained:
            self._step(slot)
        else:
            self._todo.put(slot)

    def run(self, pieces: Iterator[Piece]) -> Iterator[tuple[Any, Any]]:
        under_way: list[_Slot] = []
        # two buffers for each who is at work; the caller is one of them, but where all is in turn
        most = 2 if self._in_turn else 2 * (len(self._workers) + 1)
        failed: Exception | None = None
        while True:
            try:
                piece = next(pieces, None)
            except (OSError, ValueError, MemoryError) as error:
                failed = error  # after the results of the pieces before it
                break
            if piece is None:
                break
            slot = self._free.pop() if self._free else _Slot(self._make_buffer())
            slot.piece = piece
            self._start(slot)
            under_way.append(slot)
            if len(under_way) == most:
                yield from self._finish(under_way.pop(0))
        # The workers end when nothing is left to begin: later they would have to be woken for that.
        self._drained = True
        self._todo.put(None)
        for slot in under_way:
            yield from self._finish(slot)
        if failed is not None:
            raise failed

    def _finish(self, slot: _Slot) -> Iterator[tuple[Any, Any]]:
        while True:
            self._wait(slot)
            if slot.error is _EARLY:
                raise _Ended("a thread of the pipeline ended early; its traceback is on stderr")
            if slot.error is not None:
                raise slot.error
            yield slot.piece, slot.result
            if slot.piece.done:
                break
            self._start(slot)
        slot.result = None
        self._free.append(slot)

    def stop(self) -> None:
        """Let the workers finish the steps they are in, and nothing more."""
        self._stopping = True
        self._todo.put(None)
        self._workers.join()
