"""What this kernel can do, found by trying."""

from __future__ import annotations

import os

from pagemap._core import ffi, lib
from pagemap._native import cache, checked

__all__ = ["cachestat", "exclusive", "pfns", "scan", "soft_dirty", "told", "uffd_wp", "userfaultfd"]


def pfns(path: str = "/proc/self/pagemap") -> bool:
    """Whether a pagemap opened now shows PFNs; `path` is the caller's own. Raises OSError."""
    return checked(lib.pm_probe_pfns(os.fsencode(path))) == 1


def soft_dirty(path: str = "/proc/self/pagemap") -> bool:
    """Whether this kernel tracks soft-dirty pages; `path` is the caller's own pagemap."""
    return checked(lib.pm_probe_soft_dirty(os.fsencode(path))) == 1


def told(path: str) -> int:
    """The bits of an entry, but 57, that this kernel tells; `path` is the caller's own pagemap.

    Raises OSError where that could not be tried.
    """
    found = ffi.new("uint64_t *")
    checked(lib.pm_probe_told(os.fsencode(path), found))
    return int(found[0])


def uffd_wp(path: str) -> bool:
    """Whether this kernel tells of userfaultfd's protection. Raises OSError where none can try."""
    return checked(lib.pm_probe_uffd_wp(os.fsencode(path))) == 1


def scan(fd: int, category: int) -> int:
    """0 when PAGEMAP_SCAN knows this bit, else the errno: ENOTTY no ioctl, EINVAL no such bit."""
    return -int(lib.pm_probe_scan(fd, category))


def cachestat() -> bool:
    """Whether the kernel tells what is cached of a file, one of our own. Raises OSError."""
    fd = os.memfd_create("pagemap")
    try:
        os.write(fd, b"1")
        looked = cache.CachedFiles(1)
        looked.of(fd, owned=True)
    finally:
        os.close(fd)
    error = cache.numbers(looked.records, "error")[0]
    if error:
        raise OSError(error, os.strerror(error))
    return cache.numbers(looked.records, "told")[0] == cache.CACHESTAT


def exclusive(path: str = "/proc/self/pagemap") -> bool:
    """Whether bit 56 of pages that a PMD maps is each page's own, not that of the first for all.

    Makes a child for a moment. Raises OSError: ENODATA where no huge page is to be had.
    """
    return checked(lib.pm_probe_exclusive(os.fsencode(path))) == 1


def userfaultfd() -> int:
    """The feature bits of userfaultfd. Raises OSError where it cannot be used."""
    features = ffi.new("uint64_t *")
    checked(lib.pm_probe_userfaultfd(features))
    return int(features[0])
