"""The rows of owners: who maps a frame."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["OWNERS", "OwnerRow"]


class OwnerRow(Record):
    """A page that maps a frame: whose, at which address, by what; a row of `pagemap.owners`."""

    pid: int = field("", "the process", rank=0, key=True)
    name: str = field("", "its command name", rank=2)
    address: int = field("address", "of the page that maps the frame", rank=1, key=True)
    pfn: int = field("pfn", "the frame", rank=3, key=True)
    exclusive: bool = field("", "whether the frame is mapped nowhere else", rank=6)
    start: int = field("address", "where the mapping begins")
    end: int = field("address", "where the mapping ends")
    perms: str = field("", "the mapping's, as in /proc/PID/maps", rank=5)
    offset: int = field("offset", "where in the file the mapping begins")
    flags: int | None = field("flags", "the frame's, in bits as `pagemap.PageFlag` has them")
    mapcount: int | None = field("", "how often the frame is mapped, by the kernel's count")
    cgroup: int | None = field("", "inode of the memory cgroup that the frame is charged to")
    sharers: tuple[int, ...] = field("", "other processes that have this very address space")
    path: str = field("", "what is mapped: the file, or a name in brackets", rank=4)


OWNERS = Schema.of(OwnerRow, "pagemap.who", 3)
