"""The rows of `maps` and `Process.tally`: what a mapping takes, counted page by page."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.mapping import is_deleted
from pagemap._vocabulary.schema import Schema

__all__ = ["COUNTS", "TALLIES", "TallyRow"]


class TallyRow(Record):
    """A row of `Process.tally`: counts of a mapping, in bytes; None if not asked for, or hidden.

    `present` is the sum of `rss`, `zero` and `hugetlb`; `rss` is the sum of `anon`, `file` and
    `shmem`. Where a PMD maps a huge page, `uss` uses the map count of each of its pages, if PFNs
    and /proc/kpagecount can be read. Otherwise it uses the page table's exclusive bit, which from
    Linux 6.15 on is that of the first page for the whole huge page. `uss_by` in the table's `about`
    says which was used. `soft_dirty` leaves out memory without a struct page ([vvar]), which the
    kernel's scan skips.
    """

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the first byte", rank=3, key=True)
    end: int = field("address", "address past the last byte", rank=11)
    perms: str = field("rights", "as in /proc/PID/maps", rank=10)
    offset: int = field("offset", "offset in the file at which it begins")
    dev: str = field("", 'the device of the file as "major:minor", in hex')
    inode: int = field("inode", "the inode number of the file; 0 without one")
    size: int = field("bytes", "virtual size, touched or not", rank=2)
    rss: int | None = field("bytes", "resident in memory, as Rss of smaps", rank=1)
    anon: int | None = field("bytes", "part of rss: anonymous memory, not shared", rank=4)
    file: int | None = field("bytes", "part of rss: files", rank=6)
    shmem: int | None = field("bytes", "part of rss: shared memory and tmpfs", rank=7)
    uss: int | None = field("bytes", "part of rss: mapped nowhere else", rank=9)
    huge: int | None = field("bytes", "resident, mapped by huge entries, including hugetlb", rank=8)
    present: int | None = field("bytes", "resident, including zero pages and hugetlb")
    zero: int | None = field("bytes", "read but never written: the kernel's zero page")
    hugetlb: int | None = field("bytes", "resident hugetlb pages", rank=14)
    swap: int | None = field("bytes", "in swap, including shared memory, as Swap of smaps", rank=5)
    guard: int | None = field("bytes", "in guard regions (MADV_GUARD_INSTALL)")
    marker: int | None = field("bytes", "no page, but write-protected through userfaultfd")
    migrating: int | None = field("bytes", "being moved to other frames; part of Rss in smaps")
    poisoned: int | None = field("bytes", "hardware memory errors, or declared ones")
    device: int | None = field("bytes", "in use by a device; part of Rss in smaps")
    soft_dirty: int | None = field("bytes", "written since the soft-dirty bits were cleared")
    uffd_wp: int | None = field("bytes", "write-protected through userfaultfd")
    path: str = field("", "the file, a name in brackets, or empty", rank=0)

    @property
    def deleted(self) -> bool:
        """Whether the file was unlinked; one really named "x (deleted)" reads the same."""
        return is_deleted(self.inode, self.path)


TALLIES = Schema.of(TallyRow, "pagemap.maps", 3)

COUNTS = tuple(column.name for column in TALLIES if column.nullable)
"""The counts that can be asked for."""
