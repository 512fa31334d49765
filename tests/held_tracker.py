"""A tracker of the C library, and how it finds each page."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

import pytest

from pagemap._core import ffi, lib
from tests.held_process import PAGE, opened, sized

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PAGES = 64


class Tracker:
    """Of `count` pages from an address on."""

    def __init__(self, start: int, count: int = PAGES, *, flags: int = 0, fd: int = -1) -> None:
        self.start = start
        self.end = start + count * PAGE
        self.flags, self.fd = flags, fd
        self.out = ffi.new("struct pm_tracker **")

    def open(self, process: Any) -> int:
        spans = ffi.new("struct pm_span[]", [(self.start, self.end)])
        options = sized(
            "pm_tracker_options",
            flags=self.flags,
            spans=spans,
            spans_count=1,
            userfaultfd=self.fd,
        )
        return int(lib.pm_tracker_open(process, options, self.out))

    def found(self, *, flags: int = 0, capacity: int = 7) -> dict[int, int]:
        """How each page was found, by its number."""
        cursor = ffi.new("struct pm_tracker_cursor *")
        out = ffi.new("struct pm_region[]", capacity)
        pages: dict[int, int] = {}
        while count := lib.pm_tracker_collect(self.out[0], cursor, flags, out, capacity):
            assert count > 0, errno.errorcode[-count]
            for row in out[0:count]:
                for at in range(row.start, row.end, PAGE):
                    assert (at - self.start) // PAGE not in pages
                    pages[(at - self.start) // PAGE] = row.categories
        return pages


@contextlib.contextmanager
def tracked(start: int, count: int = PAGES, *, flags: int = 0) -> Iterator[Tracker]:
    with opened(os.getpid()) as process:
        tracker = Tracker(start, count, flags=flags)
        error = tracker.open(process)
        if error in (-errno.ENOTTY, -errno.EPERM):
            pytest.skip(ffi.string(lib.pm_strerror(error)).decode())
        assert error == 0
        try:
            yield tracker
        finally:
            lib.pm_tracker_close(tracker.out[0])
