"""Memory of the tests' own, marked through userfaultfd: protected, or declared to be broken."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import platform
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tests import workloads
from tests.kernel_settings import Unavailable, huge_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

# include/uapi/linux/userfaultfd.h
_USER_MODE_ONLY = 1
_API, _REGISTER, _PROTECT, _POISON = 0xC018AA3F, 0xC020AA00, 0xC018AA06, 0xC020AA08
_WP, _MISSING = 2, 1
_FEATURE_WP_HUGETLB_SHMEM, _FEATURE_WP_UNPOPULATED, _FEATURE_POISON = 1 << 12, 1 << 13, 1 << 14
_FEATURE_WP_ASYNC = 1 << 15
_SINCE = {
    _FEATURE_WP_HUGETLB_SHMEM: "WP_HUGETLBFS_SHMEM (Linux 5.19)",
    _FEATURE_WP_UNPOPULATED: "WP_UNPOPULATED (Linux 6.4)",
    _FEATURE_POISON: "POISON (Linux 6.6)",
    _FEATURE_WP_ASYNC: "WP_ASYNC (Linux 6.7)",
}
_MAP_HUGETLB = 0x40000
_CALL = {"x86_64": 323, "aarch64": 282}


def address_of(memory: mmap.mmap) -> int:
    """Where the memory begins."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


@contextlib.contextmanager
def opened(features: int) -> Iterator[int]:
    """A descriptor of a userfaultfd that has these features; else Unavailable."""
    call = _CALL.get(platform.machine())
    if call is None:
        raise Unavailable(f"userfaultfd: no number of the call for {platform.machine()}")
    fd = ctypes.CDLL(None, use_errno=True).syscall(call, os.O_CLOEXEC | _USER_MODE_ONLY)
    if fd < 0:
        raise Unavailable(f"userfaultfd: {os.strerror(ctypes.get_errno())}")
    try:
        try:
            _ioctl(fd, _API, struct.pack("=3Q", 0xAA, features, 0))
        except Unavailable as reason:
            names = [name for feature, name in _SINCE.items() if features & feature]
            raise Unavailable(f"needs {', '.join(names)}: {reason}") from None
        yield fd
    finally:
        os.close(fd)


def need_injection() -> None:
    """Unavailable where calls are filtered (seccomp): who is under a filter may suspend none."""
    status = Path("/proc/self/status").read_text()
    if "\nSeccomp:\t1\n" in status or "\nSeccomp:\t2\n" in status:
        raise Unavailable("the tests, and so what they start, are under a filter (seccomp)")


def need_tracking() -> None:
    """Unavailable where writes cannot be noted without anybody who answers faults (Linux 6.7)."""
    with opened(_FEATURE_WP_ASYNC | _FEATURE_WP_UNPOPULATED):
        pass


@contextlib.contextmanager
def marked(
    size: int, *, huge: bool = False, touch: int = 0, poison: bool = False
) -> Iterator[tuple[int, int]]:
    """Addresses of anonymous memory of which the first `touch` bytes are written; then marked.

    All of it is protected, what has no page by markers, or with `poison` declared to be broken.
    Raises Unavailable where this kernel or user cannot.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | (_MAP_HUGETLB if huge else 0)
    wanted = _FEATURE_POISON if poison else _FEATURE_WP_UNPOPULATED
    wanted |= _FEATURE_WP_HUGETLB_SHMEM if huge else 0
    with opened(wanted) as fd:
        memory = mmap.mmap(-1, size, flags=flags)
        if not huge:
            memory.madvise(mmap.MADV_NOHUGEPAGE)
        start = address_of(memory)
        for offset in range(0, touch, mmap.PAGESIZE):
            memory[offset] = 1
        if poison:
            _ioctl(fd, _REGISTER, struct.pack("=4Q", start, size, _MISSING, 0))
            _ioctl(fd, _POISON, struct.pack("=4Q", start, size, 0, 0))
        else:
            _ioctl(fd, _REGISTER, struct.pack("=4Q", start, size, _WP, 0))
            _ioctl(fd, _PROTECT, struct.pack("=3Q", start, size, 1))
        yield start, start + size


def count(pid: int | str = "self") -> int:
    """How many descriptors of a userfaultfd a process has."""
    found = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the list itself
            found += os.readlink(f"/proc/{pid}/fd/{name}") == "anon_inode:[userfaultfd]"
    return found


def _ioctl(fd: int, request: int, argument: bytes) -> None:
    try:
        fcntl.ioctl(fd, request, argument)
    except OSError as error:
        raise Unavailable(f"userfaultfd: {error.strerror}") from None


@contextlib.contextmanager
def marked_hugetlb(count: int, *, touch: int) -> Iterator[tuple[int, int]]:
    """The same of `count` pages of the hugetlb pool, the first `touch` of them written."""
    with huge_pages(count):
        size = workloads.huge_page_bytes()
        with marked(count * size, huge=True, touch=touch * size) as area:
            yield area


def perf_event() -> int:
    """A descriptor of an event that counts nothing much, for its ring of pages."""
    number = {"x86_64": 298, "aarch64": 241}.get(platform.machine())
    if number is None:
        raise Unavailable(f"perf_event_open: no number of the call for {platform.machine()}")
    # struct perf_event_attr: PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY
    attributes = struct.pack("=IIQ", 1, 112, 9) + bytes(96)
    call = ctypes.CDLL(None, use_errno=True).syscall
    fd: int = call(number, attributes, 0, -1, -1, 0)
    if fd < 0:
        raise Unavailable(f"perf_event_open: {os.strerror(ctypes.get_errno())}")
    return fd
