"""Checks arguments: targets, addresses, ranges, buffers."""

from __future__ import annotations

import os
import sys

from pagemap._errors import UsageError
from pagemap._vocabulary.checks import check_int, check_several
from pagemap._vocabulary.units import ADDRESS_END, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Protocol, TypeAlias

    from pagemap._vocabulary.rows.mapping import Mapping

    class HasPid(Protocol):
        """Any object with a `.pid`: of subprocess, psutil, multiprocessing."""

        @property
        def pid(self) -> int | None: ...

    Target: TypeAlias = int | str | HasPid
    Range: TypeAlias = Mapping | tuple[int, int]

__all__ = [
    "buffer_of",
    "check_address",
    "entries_in",
    "pid_of",
    "range_of",
    "ranges_of",
]


_BOUNDS = 2  # start and end, which a mapping begins with


def pid_of(target: Target) -> int:
    """The pid of a target. Raises UsageError for a name, TypeError for what is no target."""
    if target == "self":
        return os.getpid()
    if isinstance(target, str):
        raise UsageError(f"a process is a pid or 'self', not {target!r}; find() gives pids by name")
    if getattr(target, "live", True) is False:
        raise UsageError(
            f"{target!r} is of a snapshot, and of no process that runs: no call that "
            "reads one takes it"
        )
    if hasattr(target, "__index__"):  # an int of numpy's too
        pid: object = target if isinstance(target, int) else target.__index__()
    else:
        pid = getattr(target, "pid", None)
    if not isinstance(pid, int) or isinstance(pid, bool):
        raise TypeError(f"a process is a pid, 'self', or an object with a pid, not {target!r}")
    return pid


def range_of(where: Range) -> tuple[int, int]:
    """The least range of whole pages, in bytes, around a mapping, or around (start, end).

    Raises TypeError for what is neither, UsageError for a range that is empty or past 64 bits.
    """
    given: Any = where
    plain = type(given) in (tuple, list) and len(given) == _BOUNDS
    if not plain and not (isinstance(given, tuple) and hasattr(given, "end")):  # no Page
        raise TypeError(f"a range is a mapping, or (start, end) in bytes, not {where!r}")
    return page_range(*given[:_BOUNDS])


def ranges_of(several: Iterable[Range]) -> list[tuple[int, int]]:
    """Of each as `range_of`. Raises TypeError for what are not several, too."""
    check_several("ranges", several, "a sequence of mappings, or of (start, end) in bytes")
    return [range_of(each) for each in several]


def buffer_of(name: str, memory: object, wanted: str = "") -> memoryview:
    """The argument `name`, memory, as a view. Raises TypeError: it must be that, or `wanted`."""
    try:
        return memoryview(memory)  # type: ignore[arg-type] # collections.abc.Buffer is of 3.12
    except TypeError:
        raise TypeError(
            f"{name} must be an object with the buffer protocol (bytearray, mmap, memoryview, an "
            f"array){wanted}, not {memory!r}"
        ) from None


def check_address(name: str, address: object) -> None:
    """The argument `name`: UsageError for what is no 64-bit address, TypeError for no number."""
    if not isinstance(address, int) or isinstance(address, bool):
        raise TypeError(f"{name} must be an int, not {address!r}")
    if not 0 <= address < ADDRESS_END:
        raise UsageError(f"{name} {address:#x} is not an address: addresses have 64 bits")


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
        raise UsageError(f"the buffer is of format {view.format!r}: give 8-byte integers or bytes")
    if view.nbytes % 8 or view.itemsize not in (1, 8):
        raise UsageError(f"the buffer has {view.nbytes} bytes: an entry has 8")
    room = view.nbytes // 8
    if count is None and room:
        return room
    wanted = 0 if count is None else check_int("count", count, -(1 << 64), 1 << 64)
    if not 0 < wanted <= room:
        raise UsageError(
            f"count must be from 1 to {room}, which the buffer has room for, not {wanted}"
        )
    return wanted
