"""The row of `freed`: what memory comes back when all processes of a group end."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["FREED", "FreedRow"]


class FreedRow(Record):
    """What becomes of the memory of a group of processes if all of them end, in bytes.

    A row of `pagemap.freed`. What several processes of the group map counts once. `frees` is what
    is free memory then.
    """

    group: str | None = field(
        "", "what the processes have in common; empty where nothing tells it", rank=0, key=True
    )
    processes: int = field("processes", "how many they are", rank=2)
    frees: int = field("bytes", "comes back: anon + shmem + page_tables + kernel_stacks", rank=1)
    anon: int = field("bytes", "part of frees: anonymous memory that no other process maps", rank=5)
    shmem: int | None = field(
        "bytes",
        "part of frees: shared memory that ends with them (memfds, removed files)",
        rank=6,
    )
    page_tables: int | None = field("bytes", "part of frees: their page tables", rank=7)
    kernel_stacks: int | None = field(
        "bytes", "part of frees: the kernel's stacks of their threads, by the mean size", rank=8
    )
    hugetlb: int | None = field("bytes", "goes back to the pool of huge pages", rank=9)
    swap: int | None = field("bytes", "comes back in swap areas", rank=4)
    droppable: int = field(
        "bytes", "page cache that no other process maps: stays until memory is needed", rank=3
    )
    stays: int = field(
        "bytes", "mapped by others too, or in a file of tmpfs that has a name", adds=False, rank=10
    )
    stays_anon: int | None = field(
        "bytes", "part of stays: anonymous memory, with the rest of its folios", adds=False
    )
    stays_file: int | None = field("bytes", "part of stays: page cache of files", adds=False)
    stays_shmem: int | None = field(
        "bytes", "part of stays: shared memory, and what drivers map", adds=False
    )
    name: str | None = field(
        "",
        "command name of the process, or of who leads the session; of other groups empty",
        default=None,
    )


FREED = Schema.of(FreedRow, "pagemap.freed", 1)
