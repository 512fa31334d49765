"""What of the kernel's work is held up while memory is tracked."""

from __future__ import annotations

import ctypes
import errno
import mmap
import threading

import pytest

import pagemap
from tests.mappings import PAGE
from tests.userfault import address_of

GUARD_INSTALL = 102


@pytest.fixture(scope="module", autouse=True)
def method() -> None:
    try:
        with pagemap.track(bytearray(1)) as tracker:
            how = tracker.method
    except (pagemap.Unsupported, pagemap.AccessDenied) as reason:
        pytest.skip(str(reason))
    if how != "userfaultfd":
        pytest.skip(f"writes are tracked by {how} here")


def test_guards_over_shared_memory_wait_until_tracking_ends() -> None:
    """The kernel tries again and again. What it does without a tracker it does in the end."""
    libc = ctypes.CDLL(None, use_errno=True)
    results: list[int] = []

    def guard(start: int) -> None:
        failed = libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(PAGE), GUARD_INSTALL)
        results.append(ctypes.get_errno() if failed else 0)

    with mmap.mmap(-1, 4 * PAGE) as area:
        area[:] = b"x" * len(area)
        start = address_of(area)
        guard(start + 3 * PAGE)
        if results.pop() == errno.EINVAL:
            pytest.skip("guard regions in shared memory are of Linux 6.15")
        with pagemap.track((start, start + 2 * PAGE)):
            thread = threading.Thread(target=guard, args=(start,))
            thread.start()
            thread.join(0.02)
        thread.join(30)
        assert results == [0]
