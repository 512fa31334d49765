"""Mappings of this process by the system calls themselves, to be moved and unmapped at will."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

PAGE = mmap.PAGESIZE
_NONE = 0  # PROT_NONE
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
_FIXED = 0x10
_MOVE = 1 | 2  # MREMAP_MAYMOVE, MREMAP_FIXED
_FORGET, _NO_HUGE_PAGES = 4, 15  # MADV_DONTNEED, MADV_NOHUGEPAGE


def _call(name: str, *arguments: int) -> int:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    function.restype = ctypes.c_ssize_t
    result: int = function(*map(ctypes.c_size_t, arguments))
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def reserved(pages: int) -> int:
    """The address of inaccessible memory."""
    return _call("mmap", 0, pages * PAGE, _NONE, _PRIVATE, 2**64 - 1, 0)


def map_at(start: int, pages: int) -> None:
    """Map private memory there, in place of what there is; without huge pages."""
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    _call("mmap", start, pages * PAGE, protection, _PRIVATE | _FIXED, 2**64 - 1, 0)
    _call("madvise", start, pages * PAGE, _NO_HUGE_PAGES)


def map_file(fd: int, start: int, pages: int) -> None:
    """Map the beginning of a file there, shared, in place of what there is."""
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    _call("mmap", start, pages * PAGE, protection, mmap.MAP_SHARED | _FIXED, fd, 0)


def unmap(start: int, pages: int) -> None:
    """Unmap it."""
    _call("munmap", start, pages * PAGE)


def alone(pages: int, *, written: int | None = None) -> int:
    """Memory that joins no neighbour, of which the first pages are written: by default all."""
    start = reserved(pages + 2) + PAGE
    map_at(start, pages)
    write(start, range(pages if written is None else written))
    return start


def free(start: int, pages: int) -> None:
    """Unmap what `alone` has made."""
    unmap(start - PAGE, pages + 2)


def write(start: int, pages: range | list[int]) -> None:
    """Write a byte to each of these pages, by number."""
    for page in pages:
        ctypes.memset(start + page * PAGE + 3, page % 250, 1)


def moved(start: int, pages: int) -> int:
    """Have the kernel move memory; its new address."""
    place = reserved(pages)
    assert _call("mremap", start, pages * PAGE, pages * PAGE, _MOVE, place) == place
    return place


def grown(start: int, pages: int, more: int) -> None:
    """Have it grow where it is."""
    assert _call("mremap", start, pages * PAGE, more * PAGE, 0) == start


def drop(start: int, pages: int) -> None:
    """Have the kernel forget what is in it."""
    advise(start, pages, _FORGET)


def advise(start: int, pages: int, advice: int) -> None:
    """madvise(2); an advice of MADV_..., by number."""
    _call("madvise", start, pages * PAGE, advice)


def read(start: int, pages: range | list[int]) -> None:
    """Read a byte of each of these pages."""
    for page in pages:
        ctypes.string_at(start + page * PAGE, 1)


def flags_of(address: int, pid: int | str = "self") -> set[str]:
    """VmFlags of the mapping that an address lies in."""
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        word, _, rest = line.partition(" ")
        if "-" in word and ":" not in word:
            start, end = (int(each, 16) for each in word.split("-"))
            inside = start <= address < end
        elif inside and word == "VmFlags:":
            return set(rest.split())
    raise LookupError(hex(address))
