"""What was opened of this very process, and must not be taken for its child's after a fork.

The child has the same descriptors, which go on to show the parent's memory: it would look at that
and believe that it saw its own.
"""

from __future__ import annotations

import os
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Forkable(Protocol):
        """Whoever wants to be told, in the child."""

        def forked(self) -> None:
            """Let go of what is the parent's."""


__all__ = ["forget", "remember"]

_own: dict[int, ref[Forkable]] = {}


def remember(holder: Forkable) -> None:
    """Have ``holder.forked()`` called in a child, for as long as somebody holds it."""
    _own[id(holder)] = ref(holder)


def forget(holder: Forkable) -> None:
    """No more, if it was to be."""
    _own.pop(id(holder), None)


def _after_fork() -> None:
    while _own:
        holder = _own.popitem()[1]()
        if holder is not None:
            holder.forked()


os.register_at_fork(after_in_child=_after_fork)
