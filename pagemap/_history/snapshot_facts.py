"""What a snapshot says of a process beside its pages: who it is, and what was visible."""

from __future__ import annotations

import os
from hashlib import sha256
from time import monotonic_ns, time

from pagemap._errors import PagemapError
from pagemap._kernel.executables import executable
from pagemap._space.about import about
from pagemap._space.machine import moment
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._space.live_space import LiveSpace

__all__ = ["after", "before"]

_NOT_SAVED = ("written", "wpallowed")
_THP = "/sys/kernel/mm/transparent_hugepage/enabled"
_MOST = 1 << 20


def before(process: LiveSpace, *, pfns: bool, stopped: bool) -> dict[str, Any]:
    """What is known when the taking begins."""
    folder = process.folder
    shown = about(time(), process)
    return {
        "pid": process.pid,
        "name": process.name,
        "pid_namespace": _inode(process, "ns/pid"),
        "start_time": folder.start(),
        "exe": _executable(process),
        # what it holds is the program's secret: where its stack is, and random bytes
        "auxv_sha256": sha256(folder.image()).hexdigest(),
        "host": shown["host"],
        "kernel": shown["kernel"],
        "boot_id": shown["boot_id"],
        "page_shift": PAGE_SHIFT,
        "page_size": process.page_size,
        "end_page": process.end_page(),
        "begin": shown["begin"],
        "begin_ns": monotonic_ns(),
        "stopped": stopped,
        "pfns_visible": process.pfns_visible and pfns,
        "can_scan": process.can_scan,
        "told": process.machine.told(),
        "categories": _categories(process),
        "swap_kinds": process.machine.swap_kinds().hex(),
        "swaps_in_use": process.machine.swaps_in_use(),
        "swap_areas": _swap_areas(process.procfs),
        "zero_frames": _zero_frames(process),
        "thp": _text(_THP),
        "memory": process.machine.memory(),
        "resident": process.resident_pages,
        "exclusive_by": "page table",
    }


def after(*, cut_at: int | None, complete: bool) -> dict[str, Any]:
    """What is known when it has ended: `cut_at` is the address up to which pages were taken."""
    return {
        "end": moment(time()),
        "end_ns": monotonic_ns(),
        "complete": complete,
        "cut_at": cut_at,
    }


def _categories(process: LiveSpace) -> list[str]:
    return [
        flag.name
        for flag in SCAN_CATEGORIES
        if flag.name not in _NOT_SAVED and process.can_find(flag.name)
    ]


def _inode(process: LiveSpace, name: str) -> int | None:
    try:
        return os.stat(name, dir_fd=process.folder.fd).st_ino
    except OSError:
        return None


def _executable(process: LiveSpace) -> dict[str, Any] | None:
    found = executable(process.folder)
    return None if found is None else {"device": found[0], "inode": found[1]}


def _swap_areas(procfs: str) -> list[dict[str, Any]] | None:
    """The swap areas by type, which is their order; None where they cannot be read."""
    text = _text(f"{procfs}/swaps")
    if text is None:
        return None
    areas = [line.split() for line in text.split("\n")[1:] if line]
    names = ("path", "kind", "size_kib", "used_kib", "priority")
    return [dict(zip(names, area, strict=False)) for area in areas]


def _zero_frames(process: LiveSpace) -> list[int] | None:
    from pagemap._kernel.zero_frames import zero_frames

    if not process.pfns_visible:
        return None
    try:
        fd = os.open(f"{process.procfs}/kpageflags", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return list(zero_frames(fd))
    except (PagemapError, OSError):
        return None
    finally:
        os.close(fd)


def _text(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST).decode("utf-8", "surrogateescape").rstrip("\n")
    except OSError:
        return None
