"""Pieces of a dump through several threads, out again in order.

Each piece is one call into C without the GIL. The calling thread hands out pieces and takes them
back finished, oldest first; there are two buffers for each worker, so none waits while a finished
piece is written.
"""

from __future__ import annotations

import os

from pagemap import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    Done = tuple[_native.RowPlan, memoryview, int]

__all__ = ["default_threads", "run"]

MOST_THREADS = 8
"""More do not pay: they share the target's mmap_lock, and one consumer writes it all."""

_UNKNOWN = -1

ALONE_PAGES = 1 << 15
"""So many pages are done without threads: about 1 ms, what it costs to import and start them."""


def default_threads() -> int:
    """The number of cores that this process may use, within reason."""
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)


class run:  # noqa: N801 - reads as the function that it would be, but for `with`
    """Iterate over ``(plan, rows, missing)`` in order; leaving the `with` block ends all threads.

    `rows` is a view into a buffer that is used again for a later piece.
    """

    def __init__(self, plans: Iterator[_native.RowPlan], size: int, threads: int) -> None:
        self._plans = plans
        self._size = size
        self._threads = threads
        self._pool: _Pool | None = None

    def __enter__(self) -> Iterator[Done]:
        return self._pieces()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.stop()

    def _pieces(self) -> Iterator[Done]:
        buffer = _native.RowBuffer(self._size)
        done = 0
        for plan in self._plans:
            size, missing = plan.write(buffer)
            yield plan, buffer.view[:size], missing
            done += plan.pages
            if done >= ALONE_PAGES and self._threads > 1:
                self._pool = _Pool(self._threads, self._size)
                yield from self._pool.pieces(self._plans)
                return


class _Slot:
    """A buffer on its way: given a plan, then ready with its result or its error."""

    __slots__ = ("buffer", "error", "missing", "plan", "ready", "size")

    def __init__(self, size: int) -> None:
        import threading

        self.buffer = _native.RowBuffer(size)
        self.ready = threading.Semaphore(0)
        self.plan: _native.RowPlan | None = None
        self.error: OSError | None = None
        self.size = self.missing = 0


class _Pool:
    def __init__(self, threads: int, size: int) -> None:
        # Only here: `import pagemap` and small dumps do without.
        import queue
        import threading

        self._todo: queue.SimpleQueue[_Slot | None] = queue.SimpleQueue()
        self._stopping = False
        self._free = [_Slot(size) for _ in range(2 * threads)]
        self._threads = [
            threading.Thread(target=self._work, name=f"pagemap-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (slot := self._todo.get()) is not None:
            if self._stopping:
                continue
            try:
                assert slot.plan is not None
                slot.size, slot.missing = slot.plan.write(slot.buffer)
            except OSError as error:
                slot.error = error
            finally:
                slot.ready.release()

    def pieces(self, plans: Iterator[_native.RowPlan]) -> Iterator[Done]:
        under_way: list[_Slot] = []
        for plan in plans:
            slot = self._free.pop()
            slot.plan = plan
            slot.size = _UNKNOWN
            self._todo.put(slot)
            under_way.append(slot)
            if not self._free:
                yield from self._finish(under_way)
        while under_way:
            yield from self._finish(under_way)

    def _finish(self, under_way: list[_Slot]) -> Iterator[Done]:
        slot = under_way.pop(0)
        slot.ready.acquire()
        if slot.error:
            raise slot.error
        if slot.plan is None or slot.size == _UNKNOWN:
            raise RuntimeError("a thread of the dump ended early; its traceback is on stderr")
        yield slot.plan, slot.buffer.view[: slot.size], slot.missing
        self._free.append(slot)

    def stop(self) -> None:
        """Let the workers finish what they hold, and nothing more."""
        self._stopping = True
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()
