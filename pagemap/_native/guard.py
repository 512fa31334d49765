"""A child that lets a stopped process go on where we do not live to do that."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import checked

__all__ = ["begin", "end"]


def begin(pidfd: int) -> tuple[int, int]:
    """Make it, for the process of `pidfd`: its pid, and the descriptor that it waits by."""
    held = ffi.new("int32_t *")
    child = checked(lib.pm_guard_begin(pidfd, held))
    return child, held[0]


def end(child: int, held: int) -> None:
    """Send it away and wait for its end; closes `held`."""
    lib.pm_guard_end(child, held)
