"""The rows of `cache`: how much of a file is in the page cache."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["CACHED_FILES", "CachedFileRow"]


class CachedFileRow(Record):
    """A row of `pagemap.cache`: a file, and how much of it is in the page cache, in bytes.

    Amounts are of whole pages, so `cached` may be more than `size`. None is what is not known: of
    all where the kernel tells nobody but the owner, and of `dirty` and the ones after it where only
    mincore can be asked (before Linux 6.5, and on overlay file systems). A file of several names is
    one row, under the first name that was met.
    """

    size: int = field("bytes", "the size of the file", rank=3)
    cached: int | None = field("bytes", "in the page cache, in whole pages", rank=1)
    share: float | None = field("share", "cached as a share of its pages", rank=2, adds=False)
    dirty: int | None = field("bytes", "part of cached: written, and not on disk yet", rank=4)
    writeback: int | None = field("bytes", "part of cached: being written to disk", rank=7)
    evicted: int | None = field(
        "bytes", "reclaimed, and the kernel still knows it; of tmpfs what lies in swap", rank=5
    )
    recently_evicted: int | None = field(
        "bytes", "part of evicted: so lately that reading it again means too little memory"
    )
    links: int = field("", "how many names the file has")
    dev: str = field("", 'the device of the file as "major:minor", in hex', key=True)
    inode: int = field("inode", "the inode number of the file", key=True)
    told: str | None = field("", "who tells: cachestat, mincore, or nobody")
    path: str = field("", "the file, by the first of its names", rank=0)


CACHED_FILES = Schema.of(CachedFileRow, "pagemap.cache", 1)
