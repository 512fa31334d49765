"""What callers may pass: targets, addresses, ranges, buffers; checked once, here."""

from __future__ import annotations

import operator
import os
import sys

from pagemap.errors import UsageError
from pagemap.units import ADDRESS_END

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TypeAlias

    from pagemap.maps import Mapping

    class HasPid(Protocol):
        """Any object with a `.pid`: of subprocess, psutil, multiprocessing."""

        @property
        def pid(self) -> int | None: ...

    Target: TypeAlias = int | str | HasPid
    Range: TypeAlias = Mapping | tuple[int, int]

__all__ = ["check_address", "check_threads", "entries_in", "is_own", "pid_of"]


def pid_of(target: Target) -> int:
    """The pid of a target. Raises UsageError for a name, TypeError for what is no target."""
    if target == "self":
        return os.getpid()
    if isinstance(target, str):
        raise UsageError(f"a process is a pid or 'self', not {target!r}; find() gives pids by name")
    pid = target if isinstance(target, int) else getattr(target, "pid", None)
    if not isinstance(pid, int) or isinstance(pid, bool):
        raise TypeError(f"a process is a pid, 'self', or an object with a pid, not {target!r}")
    return pid


def check_threads(threads: int | None) -> int | None:
    """How many threads to use: as asked, but no more than processors that this process may use.

    None stays None, for as many as pay. Raises TypeError for what is no integer, UsageError for
    less than 1.
    """
    if threads is None:
        return None
    try:
        wanted = operator.index(threads)
    except TypeError:
        wanted = None
    if wanted is None or isinstance(threads, bool):
        raise TypeError(f"threads is an int or None, not {threads!r}")
    if wanted < 1:
        raise UsageError(f"threads must be 1 or more, not {wanted}")
    return min(wanted, len(os.sched_getaffinity(0)))


def is_own(target: Target, procfs: str) -> bool:
    """Whether a target is this very process: "self", or our own pid in our own /proc."""
    return target == "self" or (procfs == "/proc" and pid_of(target) == os.getpid())


def check_address(address: int) -> None:
    """Raise UsageError for what is no 64-bit address, TypeError for what is no number."""
    if not isinstance(address, int):
        raise TypeError(f"an address is an int, not {address!r}")
    if not 0 <= address < ADDRESS_END:
        raise UsageError(f"{address:#x} is no address: addresses have 64 bits")


def entries_in(view: memoryview, count: int | None) -> int:
    """How many entries to read into `view`, which must have room for `count`."""
    if view.readonly:
        raise BufferError("the buffer is read-only: give a writable one, such as array('Q')")
    if not view.c_contiguous:
        raise BufferError("the buffer is not contiguous")
    ours = "@=" + ("<" if sys.byteorder == "little" else ">")
    if view.format.lstrip(ours) not in (
        "Q",
        "q",
        "L",
        "l",
        "N",
        "n",
        "B",
        "b",
        "c",
    ):
        raise ValueError(f"the buffer is of format {view.format!r}: give 8-byte integers or bytes")
    if view.nbytes % 8 or view.itemsize not in (1, 8):
        raise ValueError(f"the buffer has {view.nbytes} bytes: an entry has 8")
    room = view.nbytes // 8
    wanted = room if count is None else count
    if not 0 < wanted <= room:
        raise ValueError(f"the buffer is too small: it has room for {room} entries, not {wanted}")
    return wanted
