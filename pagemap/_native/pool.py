"""Memory for entries that is given away, and used again when nobody looks at it any more."""

from __future__ import annotations

import sys
from _weakref import ref

from pagemap._native import allocate
from pagemap._native.threads import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Pool", "pool"]


class Pool:
    """Blocks of memory for `size` entries, used again when nobody looks at them any more.

    Memory that is new to the process costs a page fault for each 4 KiB, and free() gives back to
    the kernel what is large. Up to MOST blocks are kept; what is wanted beyond them is allocated
    and freed. A thread gets what it had before, which is in its processor's cache.

    Whether somebody looks is told by the number of references: no callback that a signal could
    break, and two threads that look at one block at once both find it in use. Where references are
    not counted (other Pythons, no GIL) no block is used again.
    """

    MOST = 12  # as many as two threads need; 6 MiB

    __slots__ = ("__weakref__", "_blocks", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._blocks: list[tuple[int, Any]] = []

    def take(self) -> Any:
        """A block, as ``uint64_t[size]``; its content is anything."""
        thread = get_ident()
        for ours in (True, False):
            for each in self._blocks:
                if ours and each[0] != thread:
                    continue
                block, references = _held(each)
                if references == _IDLE:
                    return block
                block = None  # a reference more would have it look in use
        block = allocate("uint64_t[]", self.size)
        if _COUNTED and len(self._blocks) < self.MOST:
            self._blocks.append((thread, block))
        return block


def _held(kept: tuple[int, Any]) -> tuple[Any, int]:
    """What is kept, now also by the caller, and how many references it has, as seen here."""
    block = kept[1]
    return block, sys.getrefcount(block)


_COUNTED = hasattr(sys, "getrefcount") and getattr(sys, "_is_gil_enabled", lambda: True)()
_IDLE = _held((0, object()))[1] if _COUNTED else -1
_pool: ref[Pool] | None = None


def pool(size: int) -> Pool:
    """The pool of all walks of this process; it is gone when nobody holds it any more.

    Another `size` than that of the one before, as in tests, makes a new one.
    """
    global _pool  # noqa: PLW0603 - there is one
    found = _pool() if _pool is not None else None
    if found is None or found.size != size:
        found = Pool(size)
        _pool = ref(found)
    return found
