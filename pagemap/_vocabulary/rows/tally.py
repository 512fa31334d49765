"""What a mapping holds, counted page by page."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.mapping import is_deleted
from pagemap._vocabulary.schema import Schema

__all__ = ["COUNTS", "TALLIES", "TallyRow"]


class TallyRow(Record):
    """What `Process.tally` tells of a mapping, in bytes; None for what was not asked, or is hidden.

    `present` is `rss`, `zero` and `hugetlb` together, and `rss` is `anon`, `file` and `shmem`.
    `uss` is by the map count of each page where a PMD maps many pages as one, if PFNs and
    /proc/kpagecount can be read; else by the page table's word, which there is that of the first
    page for all of them on Linux 6.15 and later (`uss_by` in the table's `about` says which).
    `soft_dirty` leaves out memory that has no struct page ([vvar]), which a scan passes over.
    """

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the first byte", rank=3, key=True)
    end: int = field("address", "address past the last byte", rank=11)
    perms: str = field("rights", 'rights, and p for private or s for shared, as in "r-xp"', rank=10)
    offset: int = field("offset", "where in the file it begins")
    dev: str = field("", 'the device of the file as "major:minor", in hex')
    inode: int = field("inode", "the inode number of the file; 0 without one")
    size: int = field("bytes", "all of it, touched or not", rank=2)
    rss: int | None = field("bytes", "in memory, as Rss of smaps", rank=1)
    anon: int | None = field("bytes", "of rss: neither of a file nor shared", rank=4)
    file: int | None = field("bytes", "of rss: of a file", rank=6)
    shmem: int | None = field("bytes", "of rss: of shared memory or a tmpfs", rank=7)
    uss: int | None = field("bytes", "of rss: mapped nowhere else", rank=9)
    huge: int | None = field("bytes", "in memory, mapped by a huge entry; hugetlb too", rank=8)
    present: int | None = field("bytes", "in memory, zero pages and hugetlb too", rank=12)
    zero: int | None = field("bytes", "read and never written: the kernel's page of zeros", rank=13)
    hugetlb: int | None = field("bytes", "in memory, of hugetlb", rank=14)
    swap: int | None = field(
        "bytes", "in swap, that of shared memory too, as Swap of smaps", rank=5
    )
    guard: int | None = field("bytes", "in a guard region", rank=15)
    marker: int | None = field("bytes", "protected by userfaultfd, with no page there", rank=16)
    migrating: int | None = field(
        "bytes", "being moved in this moment; smaps has it in Rss", rank=17
    )
    poisoned: int | None = field("bytes", "broken memory, or declared to be", rank=18)
    device: int | None = field("bytes", "held by a device; smaps has it in Rss", rank=19)
    soft_dirty: int | None = field("bytes", "written since soft-dirty bits were cleared", rank=20)
    uffd_wp: int | None = field("bytes", "write-protected by userfaultfd", rank=21)
    path: str = field("", "the file, a pseudo-path, or empty", rank=0)

    @property
    def deleted(self) -> bool:
        """Whether the file was unlinked; one really named "x (deleted)" reads the same."""
        return is_deleted(self.inode, self.path)


TALLIES = Schema.of(TallyRow, "pagemap.maps", 3)

COUNTS = tuple(column.name for column in TALLIES if column.nullable)
"""What can be asked for."""
