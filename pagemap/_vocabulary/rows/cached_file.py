"""The rows of `cache`: how much of a file is in the page cache, and whose it is."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, extended, field
from pagemap._vocabulary.schema import Schema

__all__ = [
    "CACHED_FILES",
    "CHARGED_CGROUPS",
    "CHARGED_FILES",
    "HELD_FILES",
    "CachedFileRow",
    "ChargedCgroupRow",
    "ChargedFileRow",
    "HeldFileRow",
]

_DEV = field("", 'the device of the file as "major:minor", in hex', key=True)
_INODE = field("inode", "the inode number of the file", key=True)


class CachedFileRow(Record):
    """A row of `pagemap.cache`: a file, and how much of it is in the page cache, in bytes.

    Amounts are of whole pages, so `cached` may be more than `size`. None is what is not known: of
    all where the kernel tells nobody but the owner, of `dirty` and the ones after it where only
    mincore can be asked (before Linux 6.5, and on overlay file systems), and `residency`, `active`,
    `mapped` and `mapcount` where they were not asked for. A file of several names is one row, under
    the first name that was met.
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
    active: int | None = field("bytes", "part of cached: on an active list of the kernel")
    mapped: int | None = field("bytes", "part of cached: mapped by processes")
    mapcount: int | None = field(
        "", "how many times that page is mapped which is mapped most often"
    )
    links: int = field("", "how many names the file has")
    dev: str = _DEV
    inode: int = _INODE
    told: str | None = field("", "who tells: cachestat, mincore, or nobody")
    residency: tuple[int, ...] | None = field(
        "residency", "percent cached of each of up to 32 parts of the file; a bar in a table"
    )
    path: str = field("", "the file, by the first of its names", rank=0)


@extended
class HeldFileRow(CachedFileRow):
    """A row of `pagemap.cache_held`: a file that processes have open or mapped, and who they are.

    The rest is as in `CachedFileRow`; `path` is what the kernel shows for the first process.
    """

    deleted: bool = field("", "whether it has no name any more", False, rank=6)
    processes: int = field("processes", "how many have it open or mapped", 0, rank=5, adds=False)
    descriptors: int = field("", "descriptors of these on it", 0)
    mappings: int = field("", "mappings of these of it", 0)
    pids: tuple[int, ...] = field("", "the processes", ())
    names: str = field("", "their command names, each once", "", rank=4)


class ChargedFileRow(Record):
    """A row of `pagemap.cache_charged`: what of a file is charged to a memory cgroup.

    A page is charged to the cgroup that brought it in, whoever uses it since.
    """

    path: str = field("", "the file, by the first of its names", rank=0)
    cgroup: str | None = field("", "directory of the cgroup; unknown if it cannot be found", rank=1)
    cached: int = field("bytes", "in the page cache, charged to it", rank=2)
    active: int = field("bytes", "part of cached: on an active list of the kernel", rank=3)
    mapped: int = field("bytes", "part of cached: mapped by processes", rank=4)
    dirty: int = field("bytes", "part of cached: not yet written back", rank=5)
    mapcount: int = field("", "how many times that page is mapped which is mapped most often")
    dev: str = _DEV
    inode: int = _INODE
    cgroup_inode: int = field(
        "inode", "inode number of its directory; 0: charged to none", key=True
    )


class ChargedCgroupRow(Record):
    """What of files is charged to a memory cgroup; a row of `pagemap.cache_cgroups`."""

    cgroup: str | None = field("", "directory of the cgroup; unknown if it cannot be found", rank=0)
    files: int = field("", "files that have pages charged to it", rank=2)
    cached: int = field("bytes", "of these files in the page cache, charged to it", rank=1)
    kernel: int | None = field(
        "bytes", "all its page cache and shared memory, as memory.stat has it", rank=3, adds=False
    )
    active: int = field("bytes", "part of cached: on an active list of the kernel", rank=4)
    mapped: int = field("bytes", "part of cached: mapped by processes", rank=5)
    dirty: int = field("bytes", "part of cached: not yet written back", rank=6)
    container: str | None = field("", "container or unit, by the name of the cgroup", rank=7)
    inode: int = field("inode", "inode number of its directory; 0: charged to none", key=True)


CACHED_FILES = Schema.of(CachedFileRow, "pagemap.cache", 1)
HELD_FILES = Schema.of(HeldFileRow, "pagemap.cache.open", 1)
CHARGED_FILES = Schema.of(ChargedFileRow, "pagemap.cache.charged", 1)
CHARGED_CGROUPS = Schema.of(ChargedCgroupRow, "pagemap.cache.cgroups", 1)
