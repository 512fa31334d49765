"""/proc/PID/smaps and smaps_rollup: the kernel's own sums, from text to numbers.

Both are of show_smap in fs/proc/task_mmu.c: ``Name:  123 kB`` line by line, in smaps below a line
as of maps for each mapping. Kernels add lines as they grow, so what is not known is passed over.
smaps_rollup (Linux 4.14) has the sums of all mappings, for less than half of the cost.
"""

from __future__ import annotations

from pagemap._errors import PagemapError
from pagemap._kernel import maps
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["NAMES", "Footprint", "parse", "parse_rollup", "total"]

_DIGITS = 20  # of a size in KiB: no memory has more
_SHOWN = 80  # bytes of a line that is malformed


class Footprint(Record):
    """What memory a process or a mapping takes, in bytes; None is what nobody tells.

    `rss` falls into four parts: shared or private (mapped once), clean or dirty. The page of zeros
    and hugetlb pages are in none of them; the latter have fields of their own.

    The sums of several processes count shared pages again and again, but for `pss` and
    `hugetlb_pss`.

    >>> from pagemap._kernel.smaps import Footprint
    >>> Footprint(16384, 12288, 8192, 0, 0, 8192, 0, 4096, 4096, 0, 0, 0).shared
    8192
    """

    rss: int | None = field("bytes", "resident")
    pss: int | None = field("bytes", "resident, each page divided by the number of its mappings")
    uss: int | None = field("bytes", "resident, mapped once: free if the process ended")
    swap: int | None = field("bytes", "in swap")
    swap_pss: int | None = field("bytes", "in swap, divided likewise")
    shared_clean: int | None = field("bytes", "resident, mapped more than once, unchanged")
    shared_dirty: int | None = field("bytes", "resident, mapped more than once, changed")
    private_clean: int | None = field("bytes", "resident, mapped once, unchanged")
    private_dirty: int | None = field("bytes", "resident, mapped once, changed")
    shared_hugetlb: int | None = field("bytes", "of the hugetlb pool, mapped more than once")
    private_hugetlb: int | None = field("bytes", "of the hugetlb pool, mapped once")
    hugetlb_pss: int | None = field("bytes", "of the hugetlb pool, divided by the mappings")

    @property
    def shared(self) -> int | None:
        """What is mapped more than once: rss without uss."""
        return None if self.rss is None or self.uss is None else self.rss - self.uss

    @property
    def clean(self) -> int | None:
        """What can be dropped and read again: shared_clean + private_clean."""
        return _sum(self.shared_clean, self.private_clean)

    @property
    def dirty(self) -> int | None:
        """What must be written before it can be dropped: shared_dirty + private_dirty."""
        return _sum(self.shared_dirty, self.private_dirty)

    @property
    def hugetlb(self) -> int | None:
        """Pages of the hugetlb pool, which are in no other sum: shared and private."""
        return _sum(self.shared_hugetlb, self.private_hugetlb)


def _sum(*sizes: int | None) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


NAMES = (
    "Rss",
    "Pss",
    "Swap",
    "SwapPss",
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Shared_Hugetlb",
    "Private_Hugetlb",
)
"""The kernel's names for what it sums up of a Footprint, in its order."""

_KNOWN = frozenset(name.encode() for name in NAMES)
_ADDRESS_DIGITS = frozenset(b"0123456789abcdef")


def parse_rollup(data: bytes) -> Footprint:
    """The sums in the text of smaps_rollup. Raises PagemapError for what is none."""
    _, _, rest = data.partition(b"\n")
    kib: dict[bytes, int] = {}
    for line in rest.split(b"\n"):
        _take(line, kib)
    if not kib:
        raise _malformed("smaps_rollup", data[:40])
    return _made(kib)


def _take(line: bytes, kib: dict[bytes, int]) -> None:
    name, _, rest = line.partition(b":")
    if name in _KNOWN:
        size, unit = rest[:-3].strip(b" \t"), rest[-3:]
        if unit != b" kB" or not size.isdigit() or len(size) > _DIGITS:
            raise _malformed("smaps", line)
        kib[name] = int(size)


def _malformed(name: str, line: bytes) -> PagemapError:
    text = printable(line[:_SHOWN].decode("utf-8", "surrogateescape"))
    return PagemapError(
        f"not a line of /proc/PID/{name} that has the kernel's sums: {text!r}",
        operation="read the memory sums",
    )


def _made(kib: dict[bytes, int]) -> Footprint:
    """A footprint of what the kernel told; what it did not tell is not known."""

    def size(name: bytes) -> int | None:
        found = kib.get(name)
        return None if found is None else found << 10

    private = size(b"Private_Clean"), size(b"Private_Dirty")
    hugetlb = size(b"Shared_Hugetlb"), size(b"Private_Hugetlb")
    return Footprint(
        rss=size(b"Rss"),
        pss=size(b"Pss"),
        uss=_sum(*private),
        swap=size(b"Swap"),
        swap_pss=size(b"SwapPss"),
        shared_clean=size(b"Shared_Clean"),
        shared_dirty=size(b"Shared_Dirty"),
        private_clean=private[0],
        private_dirty=private[1],
        shared_hugetlb=hugetlb[0],
        private_hugetlb=hugetlb[1],
        hugetlb_pss=None if hugetlb[0] else _sum(*hugetlb),  # by how many, is not told
    )


def parse(blocks: Iterable[bytes]) -> Iterator[tuple[Mapping, Footprint]]:
    """Each mapping with its sums, out of the text of smaps in `blocks` of whole lines.

    Raises PagemapError where a line is malformed.
    """
    head = b""
    kib: dict[bytes, int] = {}
    for block in blocks:
        for line in block.split(b"\n"):
            if not line:
                continue
            # A path may look like anything, but its line begins with an address.
            if line[0] in _ADDRESS_DIGITS:
                if head:
                    yield maps.parse_line(head), _made(kib)
                head = line
                kib = {}
                continue
            _take(line, kib)
    if head:
        yield maps.parse_line(head), _made(kib)


def total(footprints: Iterable[Footprint]) -> Footprint:
    """The sum, in which is None what is None of any."""
    rows = list(footprints)
    if not rows:
        return Footprint._make([0] * len(Footprint._fields))
    return Footprint._make([_sum(*column) for column in zip(*rows, strict=True)])
