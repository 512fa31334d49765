"""/proc/PID/smaps and smaps_rollup: the kernel's own sums, from text to numbers.

Both are of show_smap in fs/proc/task_mmu.c: ``Name:  123 kB`` line by line, in smaps below a line
as of maps for each mapping. Kernels add lines as they grow, so what is not known is passed over.
smaps_rollup (Linux 4.14) has the sums of all mappings, for less than half of the cost.
"""

from __future__ import annotations

from pagemap import maps
from pagemap.records import Record, field
from pagemap.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pagemap.maps import Mapping

__all__ = ["NAMES", "Footprint", "parse", "parse_rollup", "total"]


class Footprint(Record):
    """What memory a process or a mapping takes, in bytes.

    `rss` falls into four parts: shared or private (mapped once), clean or dirty. The page of zeros
    and hugetlb pages are in none of them; the latter have fields of their own.

    The sums of several processes count shared pages again and again, but for `pss`.

    >>> from pagemap.smaps import Footprint
    >>> Footprint(16384, 12288, 0, 0, 8192, 0, 4096, 4096, 0, 0).uss
    8192
    """

    rss: int = field("bytes", "resident")
    pss: int = field("bytes", "resident, each page divided by the number of its mappings")
    swap: int = field("bytes", "in swap")
    swap_pss: int | None = field("bytes", "in swap, divided likewise; None where nobody tells")
    shared_clean: int = field("bytes", "resident, mapped more than once, unchanged")
    shared_dirty: int = field("bytes", "resident, mapped more than once, changed")
    private_clean: int = field("bytes", "resident, mapped once, unchanged")
    private_dirty: int = field("bytes", "resident, mapped once, changed")
    shared_hugetlb: int = field("bytes", "of the hugetlb pool, mapped more than once")
    private_hugetlb: int = field("bytes", "of the hugetlb pool, mapped once")

    @property
    def uss(self) -> int:
        """What would be free if the process ended: private_clean + private_dirty."""
        return self.private_clean + self.private_dirty

    @property
    def shared(self) -> int:
        """What is mapped more than once: shared_clean + shared_dirty."""
        return self.shared_clean + self.shared_dirty

    @property
    def clean(self) -> int:
        """What can be dropped and read again: shared_clean + private_clean."""
        return self.shared_clean + self.private_clean

    @property
    def dirty(self) -> int:
        """What must be written before it can be dropped: shared_dirty + private_dirty."""
        return self.shared_dirty + self.private_dirty

    @property
    def hugetlb(self) -> int:
        """Pages of the hugetlb pool, which are in no other sum."""
        return self.shared_hugetlb + self.private_hugetlb


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
"""The kernel's names for the fields of a Footprint, in its order."""

_KEYS = tuple(f"{name}:".encode() for name in NAMES)
_PLACES = {name.encode(): place for place, name in enumerate(NAMES)}
_SWAP_PSS = NAMES.index("SwapPss")
_ADDRESS_DIGITS = frozenset(b"0123456789abcdef")


def parse_rollup(data: bytes) -> Footprint:
    """The sums in the text of smaps_rollup. Raises ValueError for what is none."""
    words = data.partition(b"\n")[2].split()  # `Name:`, `123`, `kB`, again and again
    sizes = dict(zip(words[::3], words[1::3], strict=False))
    if _KEYS[0] not in sizes:
        raise ValueError(f"no sums of smaps_rollup: {printable(data[:40].decode('latin-1'))!r}")
    return _made([int(sizes.get(key, 0)) for key in _KEYS], swap_pss=_KEYS[_SWAP_PSS] in sizes)


def _made(kib: list[int], *, swap_pss: bool = True) -> Footprint:
    values: list[int | None] = [size << 10 for size in kib]
    if not swap_pss:  # before Linux 4.3
        values[_SWAP_PSS] = None
    return Footprint._make(values)


def parse(blocks: Iterable[bytes]) -> Iterator[tuple[Mapping, Footprint]]:
    """Each mapping with its sums, out of the text of smaps in `blocks` of whole lines.

    Raises ValueError where a line of a mapping is malformed.
    """
    head = b""
    kib = [0] * len(NAMES)
    told = False
    for block in blocks:
        for line in block.split(b"\n"):
            if not line:
                continue
            # A path may look like anything, but its line begins with an address.
            if line[0] in _ADDRESS_DIGITS:
                if head:
                    yield maps.parse_line(head), _made(kib, swap_pss=told)
                head = line
                kib = [0] * len(NAMES)
                continue
            name, _, rest = line.partition(b":")
            place = _PLACES.get(name)
            if place is not None:
                kib[place] = int(rest[:-3])
                told = told or place == _SWAP_PSS
    if head:
        yield maps.parse_line(head), _made(kib, swap_pss=told)


def total(footprints: Iterable[Footprint]) -> Footprint:
    """The sum; its swap_pss is None when that of any is."""
    sums: list[int | None] = [0] * len(NAMES)
    rows = list(footprints)
    if rows:
        sums = [None if None in column else sum(column) for column in zip(*rows, strict=True)]
    return Footprint._make(sums)
