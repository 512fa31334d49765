"""Which frames are the kernel's small zero pages: found from a page of ours that was only read.

Some processors have several, in a row, so that caches hold them apart (is_zero_pfn in
include/linux/pgtable.h): /proc/kpageflags tells where they end (ZERO_PAGE, since Linux 4.0).
"""

from __future__ import annotations

import mmap
import os
import sys
from errno import EACCES

from pagemap._errors import PfnsHidden
from pagemap._kernel.os_errors import from_os_error
from pagemap._native import address_of, read
from pagemap._native.descriptors import CLOSED
from pagemap._vocabulary.flags import PFN_BITS
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["huge_zero_frame", "zero_frames"]

_PATH = "/proc/self/pagemap"
_PMD = PAGE_SIZE // 8  # pages that a PMD maps
_MOST = 128  # in a row, of any processor: s390 has as many
_THP, _ZERO = 1 << 22, 1 << 24


def zero_frames(flags_fd: int) -> tuple[int, int]:
    """The first of them, and how many there are; `flags_fd` is /proc/kpageflags.

    Without that, which is CLOSED then, only one of them is known. Raises PfnsHidden where no PFN
    can be seen.
    """
    own = _own()
    if flags_fd == CLOSED:
        return own, 1
    start = max(own - _MOST, 0)
    words = read(flags_fd, start, 2 * _MOST).tolist()
    # the huge page of zeros has both flags
    small = [start + at for at, word in enumerate(words) if word & (_THP | _ZERO) == _ZERO]
    first = end = own
    while first - 1 in small:
        first -= 1
    while end + 1 in small:
        end += 1
    return first, end - first + 1


def huge_zero_frame(flags_fd: int, ranges: Iterable[tuple[int, int]]) -> int | None:
    """The first frame of the huge page of zeros, which is in one of these ranges of frames.

    One word is read for each 2 MiB (where that is what a PMD maps): 1 s for a terabyte.
    """
    for start, end in ranges:
        for pfn in range(-(-start // _PMD) * _PMD, end, _PMD):
            word = int.from_bytes(os.pread(flags_fd, 8, 8 * pfn), sys.byteorder)
            if word & (_THP | _ZERO) == _THP | _ZERO:
                return pfn
    return None


def _own() -> int:
    """The frame behind a page of ours that was never written."""
    with mmap.mmap(-1, PAGE_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page:
        assert not page[0]
        try:
            fd = os.open(_PATH, os.O_RDONLY | os.O_CLOEXEC)
            try:
                entry: int = read(fd, address_of(page) >> PAGE_SHIFT, 1)[0]
            finally:
                os.close(fd)
        except OSError as error:
            raise from_os_error(
                error, pid=os.getpid(), operation="read the page table", path=_PATH
            ) from None
    pfn = entry & ((1 << PFN_BITS) - 1)
    if not entry >> 63 or not pfn:
        raise PfnsHidden(
            f"cannot tell which frame is the kernel's zero page: the kernel hides it in {_PATH}"
            " without CAP_SYS_ADMIN (in the initial user namespace); run with sudo",
            errno=EACCES,
            operation="read PFNs",
            path=_PATH,
        )
    return pfn
