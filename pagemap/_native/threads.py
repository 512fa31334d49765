"""Threads and locks of the system, and the rules by which threads here end.

gevent and eventlet put greenlets in the place of what `_thread` has: a walk would then wait for a
greenlet that cannot run while it waits. `_thread` is compiled into the interpreter, so a second
module can be made of it, which has the true functions whatever was put into the first. With it
nothing depends on who patches, nor on whether that was before this import or comes after it.

Three rules hold for all threads. fork() leaves a child none of them, so nobody there waits for one.
A thread may collect its own walk as garbage, and does not wait for itself. And no thread comes to
its own end when the interpreter has ended, so all are ended before.
"""

from __future__ import annotations

import _thread
import atexit
import os
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType, allocate_lock, get_ident, start_new_thread
    from collections.abc import Callable
    from typing import Any, TypeVar

    _Owner = TypeVar("_Owner")
else:
    _spec = _thread.__spec__
    _true = _spec.loader.create_module(_spec)
    _spec.loader.exec_module(_true)
    allocate_lock = _true.allocate_lock
    get_ident = _true.get_ident
    start_new_thread = _true.start_new_thread

__all__ = [
    "Latch",
    "Workers",
    "allocate_lock",
    "at_exit",
    "forget_at_exit",
    "get_ident",
    "locked",
    "start_new_thread",
]


def locked() -> LockType:
    """A lock that one thread releases when it is done, and another waits for."""
    lock = allocate_lock()
    lock.acquire()
    return lock


class Latch:
    """Shut until it is opened, once; anybody may wait for that, and again.

    A signal may break a waiter off wherever it is, and its handler may wait here too.
    """

    __slots__ = ("_lock", "is_open")

    def __init__(self) -> None:
        self._lock = locked()
        self.is_open = False

    def open(self) -> None:
        """Let those who wait go on."""
        self.is_open = True
        self._lock.release()

    def wait(self) -> None:
        """Return when it is open."""
        while not self.is_open:
            # in turns, because a waiter that was broken off may have kept the lock
            if self._lock.acquire(True, 1):
                self._lock.release()


def _is_main() -> bool:
    """Whether this is the main interpreter. Another may be ended while threads of it run.

    Python 3.11 and before then end the process, or wait for good.
    """
    if not _main:
        known = getattr(_thread, "_is_main_interpreter", None)  # since 3.12
        if known is None:
            try:
                import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]
            except ImportError:  # there are no others
                return True
            _main.append(interpreters.get_current() == interpreters.get_main())
        else:
            _main.append(known())
    return _main[0]


_main: list[bool] = []  # once it is known
_unfinished: dict[Workers, Callable[[], None]] = {}
_owners: dict[int, tuple[Callable[[], Any], Callable[[Any], None]]] = {}
_exiting: list[bool] = []


def _finish() -> None:
    _exiting.append(True)
    for stop in tuple(_unfinished.values()):
        stop()
    for owner, end in tuple(_owners.values()):
        ended = owner()
        if ended is not None:
            end(ended)


def at_exit(owner: _Owner, end: Callable[[_Owner], None]) -> None:
    """Call ``end(owner)`` when the interpreter ends, if the owner is there by then."""
    _owners[id(owner)] = ref(owner), end


def forget_at_exit(owner: object) -> None:
    """Call nothing of that owner's: it has ended."""
    _owners.pop(id(owner), None)


# Once: atexit keeps a place for each function that it was ever given.
atexit.register(_finish)


class Workers:
    """The threads of one walk."""

    __slots__ = ("_ends", "_pid")

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._ends: list[tuple[int, Latch]] = []

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def lost(self) -> bool:
        """Whether this is a child of fork(), which has none of them."""
        return os.getpid() != self._pid

    def start(self, work: Callable[[], None], stop: Callable[[], None]) -> bool:
        """Start one more; False where no more can be had, or this interpreter ends before others.

        `stop`, which ends with `join`, is called at exit where that was not done before.
        """
        if _exiting or not _is_main():
            return False
        _unfinished[self] = stop
        end = Latch()
        try:
            ident = start_new_thread(_work, (work, end))
        except (RuntimeError, MemoryError):
            return False
        self._ends.append((ident, end))
        return True

    def join(self) -> None:
        """Wait until all have ended. May be called again."""
        if not self.lost:
            for ident, end in self._ends:
                if ident != get_ident():
                    end.wait()
        _unfinished.pop(self, None)


def _work(work: Callable[[], None], end: Latch) -> None:
    try:
        work()
    finally:
        end.open()
