"""Huge pages: how much of a mapping, or of a process, lies in folios of which size, mapped how.

A folio is a power of two of base pages that the kernel treats as one. /proc/kpageflags tells which
frames are of one (KPF_THP, of any size: stable_page_flags in fs/proc/page.c), and where it begins
(KPF_COMPOUND_HEAD). With the entries of the page table that says how it is mapped:

- *aligned*: all of it, in a row, at an address that is a multiple of its size. A page-table entry
  of the middle level (PMD) may then map it with one entry of a larger size, if it has that size;
  all others are mapped by an entry for each page (PTE). PAGEMAP_SCAN tells which (Linux 6.7).
- *unaligned*: all of it, in a row, at another address. Only PTEs can map that.
- *partial*: what is mapped of folios of which less is mapped, or not in a row.
- *cont*: blocks of a given size, in a row, aligned to that size both in memory and in the address
  space, of one folio each, mapped by PTEs. A processor may keep such a block as one entry of its
  TLB (contpte of arm64, say). A partial folio may have some, and a large folio many.

These are the definitions of the kernel's own tool thpmaps. It differs in small things: it leaves
out mappings that nobody may read, write or execute; it counts the huge page of zeros among those of
files, where here it is `zero`; and it takes what PMDs map from /proc/PID/smaps.
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
    "size_word",
    "with_sizes",
]

LARGEST = PAGE_SHIFT - 3
"""The order of what a PMD maps, the largest size of these folios: a table has 2**LARGEST entries
of eight bytes."""

KINDS = {"anon": "anonymous", "file": "of files and shared memory"}
"""The two kinds of folios, and what each is."""


def size_word(order: int) -> str:
    """The size of 2**order pages as a name has it: ``64k``, ``2m``."""
    size = PAGE_SIZE << order
    return f"{size >> 20}m" if size >> 20 else f"{size >> 10}k"


class HugeSums(Record):
    """How much lies in huge pages, in bytes; `present` is `rss`, `zero` and `hugetlb` together.

    `thp` is in transparent huge pages of any size: `pmd`, `aligned`, `unaligned` and `partial`
    together. Where `pmd` is None, because the kernel does not tell, it is among `aligned`.
    """

    size: int = field("bytes", "what is reserved, touched or not", rank=9)
    rss: int = field("bytes", "in memory, as Rss of smaps: without zero and hugetlb", rank=1)
    anon: int = field("bytes", "of rss: neither of a file nor shared", rank=8)
    thp: int = field("bytes", "of rss, in transparent huge pages of any size", rank=2)
    pmd: int | None = field("bytes", "of thp, mapped by PMDs: one entry for all", rank=3)
    aligned: int = field("bytes", "of thp, whole, in its place, mapped by PTEs", rank=5)
    unaligned: int = field("bytes", "of thp, whole, at no multiple of its size", rank=7)
    partial: int = field("bytes", "of thp, of folios that are mapped in part", rank=6)
    present: int = field("bytes", "in memory; pages of zeros and hugetlb too")
    zero: int = field("bytes", "pages of zeros, small and huge: nobody's memory")
    hugetlb: int = field("bytes", "in memory, of the hugetlb pool")


@extended
class HugeRow(HugeSums):
    """How much of a mapping lies in huge pages, in bytes; a row of `Process.huge`."""

    pid: int = field("", "the process", key=True)
    start: int = field("address", "its first address", rank=0, key=True)
    end: int = field("address", "the address past its last", rank=11)
    perms: str = field("rights", 'rights, and p for private or s for shared, as in "r-xp"', rank=12)
    offset: int = field("offset", "where in the file it begins")
    dev: str = field("", 'the device of the file as "major:minor", in hex')
    inode: int = field("inode", "the inode number of the file; 0 without one")
    path: str = field("", "the file, a pseudo-path, or empty", "", rank=4)


@extended
class HugeProcessRow(HugeSums):
    """How much of a process lies in huge pages, in bytes."""

    pid: int = field("", "the process", rank=0, key=True)
    sharers: tuple[int, ...] | None = field(
        "", "other processes with the same memory, counted here: vfork, CLONE_VM"
    )
    name: str | None = field("", "the command name", None, rank=2)


HUGE = Schema.of(HugeRow, "pagemap.huge", 3)
HUGE_PROCESSES = Schema.of(HugeProcessRow, "pagemap.huge.processes", 3)


def with_sizes(schema: Schema[Any], sizes: bool = False, conts: Sequence[int] = ()) -> Schema[Any]:
    """The same columns, and with `sizes` one for each size of folios that there is, of each kind.

    `conts` are orders of blocks: for each of them there is a column, and with `sizes` two more.
    """
    more = [*_of_blocks(conts), *(_of_sizes(conts) if sizes else ())]
    if not more:
        return schema
    columns = [Column(name, "int", "bytes", meaning, **how) for name, meaning, how in more]
    return Schema(schema.name, schema.version, [*schema, *columns])


def _of_blocks(conts: Iterable[int]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for order in conts:
        word = size_word(order)
        yield f"cont_{word}", f"in blocks of {word}, by PTEs", {"rank": 8}


def _of_sizes(conts: Iterable[int]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    orders = range(LARGEST, 0, -1)
    for order in orders:
        word = size_word(order)
        yield f"thp_{word}", f"of thp, whole folios of {word}", {"rank": 10}
    for kind, meaning in (("anon", "anonymous folios"), ("file", "folios of files, shared memory")):
        for what in ("pmd", "partial"):
            yield f"{kind}_{what}", f"the same of {meaning}", {"nullable": what == "pmd"}
        for what, each in (("aligned", orders), ("unaligned", orders), ("cont", conts)):
            for order in each:
                yield f"{kind}_{what}_{size_word(order)}", f"the same of {meaning}", {}
