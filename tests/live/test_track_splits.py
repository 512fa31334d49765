"""What the kernel does with tracked memory that the rounds do not show, or that holds it up."""

from __future__ import annotations

import ctypes
import errno
import mmap
import threading
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import kernel_settings, mappings
from tests.mappings import PAGE
from tests.userfault import address_of
from tests.writer import found

if TYPE_CHECKING:
    from collections.abc import Iterator

HUGEPAGE, COLD, COLLAPSE, GUARD_INSTALL = 14, 20, 25, 102
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


@pytest.fixture(scope="module", autouse=True)
def method() -> None:
    try:
        with pagemap.track(bytearray(1)) as tracker:
            how = tracker.method
    except (pagemap.Unsupported, pagemap.AccessDenied) as reason:
        pytest.skip(str(reason))
    if how != "userfaultfd":
        pytest.skip(f"writes are tracked by {how} here")


@pytest.fixture
def huge() -> Iterator[tuple[int, int]]:
    """Where memory in one huge page is, which is full of ones; and how many pages that has."""
    try:
        with (
            kernel_settings.transparent_huge_pages() as size,
            mmap.mmap(-1, 2 * size, flags=PRIVATE) as area,
        ):
            start = -(-address_of(area) // size) * size
            mappings.advise(start, size // PAGE, HUGEPAGE)
            ctypes.memset(start, 1, size)
            try:
                mappings.advise(start, size // PAGE, COLLAPSE)
            except OSError as error:
                pytest.skip(f"no huge page here: {error.strerror}")
            yield start, size // PAGE
    except kernel_settings.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("split", [False, True])
def test_zeros_over_a_page_of_a_huge_page(huge: tuple[int, int], split: bool) -> None:
    """Split, it may be mapped to the page of zeros, as what was read is: `about` says so."""
    start, pages = huge
    with pagemap.track((start, start + pages * PAGE)) as tracker:
        tracker.collect()
        ctypes.memset(start + 5 * PAGE, 0, PAGE)
        ctypes.memset(start + 9 * PAGE, 7, PAGE)
        if split:
            mappings.advise(start + 100 * PAGE, 1, COLD)
        rows = tracker.collect()
    written = found(rows, start, pages)
    assert written == [5, 9] or (split and written == [9])
    assert "zeros over all of a page of a transparent huge page" in str(rows.about["unseen"])


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
