"""Pages of files by the flags of their frames, and who tells which of them are cached."""

from __future__ import annotations

import os

from pagemap._core import ffi, lib
from pagemap._native import checked
from pagemap._native.types_blocks import BLOCK_PAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._native.types import Job
    from pagemap._native.types_blocks import Blocks, Found

__all__ = [
    "MINCORE_TELLS",
    "NOT_CACHED",
    "SWAP_IS_CACHED",
    "FilesPiece",
    "cacheable",
    "next_cached",
]

MINCORE_TELLS: int = lib.PM_MINCORE_TELLS
NOT_CACHED: int = lib.PM_NOT_CACHED
SWAP_IS_CACHED: int = lib.PM_SWAP_IS_CACHED
"""What `cacheable` gives, as enum pm_cacheable has it."""


def cacheable(fd: int, page_shift: int, pages: int) -> int:
    """Who tells what is cached of a file of `pages` pages: a PM_* of enum pm_cacheable.

    Raises OSError: EPERM where the kernel was seen to tell us that all is cached.
    """
    return checked(lib.pm_types_cacheable(fd, page_shift, pages))


def next_cached(fd: int, page_shift: int, page: int, end: int) -> int | None:
    """The first page from `page` on at which cached ones may begin; None: there are no more.

    Raises OSError where the kernel does not tell by itself (cachestat, since 6.5).
    """
    at = ffi.new("uint64_t *", page)
    some = checked(lib.pm_types_next_cached(fd, page_shift, BLOCK_PAGES, at, end))
    return int(at[0]) if some else None


class FilesPiece:
    """Some pages of a file, or of several small ones: ``(file, ask_again, page, count)`` of each.

    `errors` are those of single files, by their place among them.
    """

    __slots__ = ("_job", "_kept", "_table", "done", "errors", "work")

    def __init__(self, job: Job, ranges: list[tuple[int, bool, int, int]]) -> None:
        self._job = job
        self._kept = ranges  # their descriptors stay open for as long
        self._table = ffi.new(
            "struct pm_types_range[]",
            [(page, count, int(fd), ask_again, 0) for fd, ask_again, page, count in ranges],
        )
        self.errors: dict[int, OSError] = {}
        self.work = 0
        self.done = False

    def run(self, blocks: Blocks) -> Found:
        """A step, which is all of it."""
        job, table = self._job, self._table
        found = blocks.found(
            lambda block: lib.pm_types_of_files(job.table, table, len(table), block.table)
        )
        self.work = found.looked
        self.done = True
        for at in range(len(table)):
            if table[at].failed:
                code = -table[at].failed
                self.errors[at] = OSError(code, os.strerror(code))
        return found
