"""Huge pages: how much of a mapping or process lies in folios, of which size, and how mapped.

A folio is a block of base pages, a power of two of them, that the kernel treats as one unit.
/proc/kpageflags shows which frames belong to one (KPF_THP, of any size: stable_page_flags in
fs/proc/page.c) and where it begins (KPF_COMPOUND_HEAD). Together with the page table this shows how
a folio is mapped:

- *aligned*: the whole folio, contiguous, at an address that is a multiple of its size. If it has
  the size of a PMD (the middle level of the page table), one PMD entry may map it; otherwise each
  page has an entry of its own (PTE). PAGEMAP_SCAN (Linux 6.7) shows which.
- *unaligned*: the whole folio, contiguous, at any other address. Only PTEs can map it there.
- *partial*: a folio of which only a part is mapped, or not contiguously. The mapped pages count.
- *cont*: contiguous blocks of a given size within one folio, aligned to that size both in memory
  and in the address space, mapped by PTEs. A processor may hold such a block in one TLB entry (as
  arm64 does, contpte). A partial folio may have some of them, and a large folio many.

The kernel's own tool thpmaps has the same definitions, with small differences: it leaves out
mappings without any permission; it counts the huge zero page among those of files, where here it is
`zero`; and it takes the amount mapped by PMDs from /proc/PID/smaps.
"""

from __future__ import annotations

from pagemap._vocabulary.record import Record, extended, field
from pagemap._vocabulary.schema import Column, Schema
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

__all__ = [
    "HUGE",
    "HUGE_PROCESSES",
    "LARGEST",
    "HugeProcessRow",
    "HugeRow",
    "HugeSums",
    "shares_of",
    "size_word",
    "with_sizes",
]

_DIGITS = 6  # of a share

LARGEST = PAGE_SHIFT - 3
"""The order of what a PMD maps, which is the largest folio here: a page table of one page has
2**LARGEST entries of eight bytes."""

KINDS = {"anon": "anonymous", "file": "of files and shared memory"}
"""The two kinds of folios, and what each is."""


def shares_of(
    rss: int, anon: int, anon_thp: int | None, file_thp: int | None
) -> tuple[float | None, ...]:
    """`HugeSums.anon_share` and `HugeSums.file_share`; None of nothing, or what is not known."""
    parts = (anon_thp, anon), (file_thp, rss - anon)
    return tuple(
        # no more than all of it: memory changes while it is counted
        min(round(part / all_, _DIGITS), 1.0) if part is not None and all_ > 0 else None
        for part, all_ in parts
    )


def size_word(order: int) -> str:
    """The size of 2**order pages as a name has it: ``64k``, ``2m``."""
    size = PAGE_SIZE << order
    return f"{size >> 20}m" if size >> 20 else f"{size >> 10}k"


class HugeSums(Record):
    """How much lies in huge pages, in bytes; `present` is the sum of `rss`, `zero` and `hugetlb`.

    `thp` is the sum of `pmd`, `aligned`, `unaligned` and `partial`. `pmd` is None where the kernel
    does not report it; what PMDs map is then included in `aligned`. `thp` and all its
    parts are None where a salvaged snapshot has lost the flags of some frames.
    """

    size: int = field("bytes", "virtual size, touched or not", rank=9)
    rss: int = field("bytes", "resident, as Rss of smaps: without zero and hugetlb", rank=4)
    anon: int = field("bytes", "part of rss: anonymous memory, not shared", rank=8)
    thp: int | None = field("bytes", "part of rss: in transparent huge pages of any size", rank=2)
    pmd: int | None = field(
        "bytes", "part of thp: mapped by PMDs, one entry for a whole one", rank=3
    )
    aligned: int | None = field(
        "bytes", "part of thp: whole folios, aligned, mapped by PTEs", rank=5
    )
    unaligned: int | None = field(
        "bytes", "part of thp: whole folios, not aligned to their size", rank=7
    )
    partial: int | None = field(
        "bytes", "part of thp: mapped pages of folios mapped in part", rank=6
    )
    anon_thp: int | None = field("bytes", "part of thp: anonymous folios")
    file_thp: int | None = field("bytes", "part of thp: folios of files and shared memory")
    anon_share: float | None = field("share", "anon_thp as a share of anon", rank=9, adds=False)
    file_share: float | None = field("share", "file_thp as a share of rss - anon", adds=False)
    present: int = field("bytes", "resident, including zero pages and hugetlb")
    zero: int = field("bytes", "zero pages, small and huge: they take no memory")
    hugetlb: int = field("bytes", "resident hugetlb pages")


@extended
class HugeRow(HugeSums):
    """How much of a mapping lies in huge pages, in bytes; a row of `Process.huge`."""

    pid: int = field("", "the process", key=True)
    start: int = field("address", "its first address", rank=0, key=True)
    end: int = field("address", "the address past its last", rank=11)
    perms: str = field("rights", "as in /proc/PID/maps", rank=12)
    offset: int = field("offset", "offset in the file at which it begins")
    dev: str = field("", 'the device of the file as "major:minor", in hex')
    inode: int = field("inode", "the inode number of the file; 0 without one")
    path: str = field("", "the file, a name in brackets, or empty", "", rank=1)


@extended
class HugeProcessRow(HugeSums):
    """How much of a process lies in huge pages, in bytes."""

    pid: int = field("", "the process", rank=0, key=True)
    sharers: tuple[int, ...] | None = field(
        "", "other processes with this address space (vfork, CLONE_VM)"
    )
    name: str | None = field("", "the command name", None, rank=1)


HUGE = Schema.of(HugeRow, "pagemap.huge", 3)
HUGE_PROCESSES = Schema.of(HugeProcessRow, "pagemap.huge.processes", 3)


def with_sizes(schema: Schema[Any], sizes: bool = False, conts: Sequence[int] = ()) -> Schema[Any]:
    """The same columns and, with `sizes`, more for each kind of memory and size of folios.

    `conts` are orders of blocks: each adds a column, and with `sizes` two more.
    """
    more = [*_of_blocks(conts), *(_of_sizes(conts) if sizes else ())]
    if not more:
        return schema
    columns = [
        Column(name, "int", "bytes", meaning, nullable=True, **how) for name, meaning, how in more
    ]
    return Schema(schema.name, schema.version, [*schema, *columns])


def _of_blocks(conts: Iterable[int]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for order in conts:
        word = size_word(order)
        yield f"cont_{word}", f"in contiguous blocks of {word}, by PTEs", {"rank": 8}


def _of_sizes(conts: Iterable[int]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    orders = range(LARGEST, 0, -1)
    for order in orders:
        word = size_word(order)
        yield f"thp_{word}", f"part of thp: whole folios of {word}", {}
    for kind, meaning in (("anon", "anonymous folios"), ("file", "folios of files, shared memory")):
        for what in ("pmd", "partial"):
            yield f"{kind}_{what}", f"the same for {meaning}", {}
        for what, each in (("aligned", orders), ("unaligned", orders), ("cont", conts)):
            for order in each:
                yield f"{kind}_{what}_{size_word(order)}", f"the same for {meaning}", {}
