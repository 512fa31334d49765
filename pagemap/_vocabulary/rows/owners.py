"""The rows of `who`: the pages that map a frame."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["OWNERS", "OwnerRow"]


class OwnerRow(Record):
    """A page that maps a frame: process, address and mapping; a row of `pagemap.owners`."""

    pid: int = field("", "the process", rank=0, key=True)
    name: str = field("", "its command name", rank=2)
    address: int = field(
        "address", "virtual address at which the frame is mapped", rank=1, key=True
    )
    pfn: int = field("pfn", "the frame", rank=3, key=True)
    exclusive: bool = field("", "whether the frame is mapped nowhere else", rank=6)
    start: int = field("address", "first address of the mapping")
    end: int = field("address", "the address past the mapping")
    perms: str = field("rights", "permissions of the mapping, as in /proc/PID/maps", rank=5)
    offset: int = field("offset", "offset in the file at which the mapping begins")
    file_offset: int | None = field(
        "offset", "offset of the page in the file; unknown without a file", rank=5
    )
    flags: int | None = field("flags", "flags of the frame, as bits of `pagemap.PageFlag`")
    mapcount: int | None = field("", "times the frame is mapped, as the kernel counts")
    cgroup: int | None = field("", "inode of the memory cgroup that the frame is charged to")
    sharers: tuple[int, ...] = field("", "other processes with this address space")
    path: str = field("", "what is mapped: the file, or a name in brackets", rank=4)


OWNERS = Schema.of(OwnerRow, "pagemap.who", 3)
