"""How to count what is asked for: by a scan, from entries, from data about frames, or from smaps.

Each count has a cheapest way on this kernel and with these rights. What none of them tells is not
told: `None`, or Unsupported for who asked for it by name.
"""

from __future__ import annotations

from errno import ENOTSUP

from pagemap._errors import Unsupported
from pagemap._kernel import features
from pagemap._native import counting
from pagemap._native.descriptors import CLOSED, Holder
from pagemap._vocabulary.flags import SCAN_CATEGORIES, entry_flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._space.address_space import AddressSpace

__all__ = [
    "ABSENT",
    "BY_MAP_COUNT",
    "BY_PAGE_TABLE",
    "Plan",
    "exclusive_by",
    "open_frames",
    "required",
    "tellable",
    "usual",
]

ABSENT = ("swap", "marker", "migrating", "poisoned", "device")
"""Kinds of entries that only their type tells apart, which the kernel may hide."""

BY_MAP_COUNT = "map count"
BY_PAGE_TABLE = "page table"

_CATEGORY = {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES}
# Of what is mapped.
_PARTS = frozenset({"anon", "file", "shmem", "file_or_shared"})
# What needs to know which pages are those of zeros; a mapping of hugetlb has none.
_WITHOUT_ZEROS = frozenset({"rss", "zero", "huge", *_PARTS})
_OF_ENTRIES = frozenset({"uss", "uffd_wp"})
_PRESENT = frozenset({"present", "rss", "hugetlb", *_PARTS})
_BY_SMAPS = frozenset({"rss", *_PARTS})

# The flags of entries that counts come from; each is younger than the file.
_FLAGS = {
    "soft_dirty": "soft_dirty",
    "uss": "exclusive",
    "uffd_wp": "uffd_wp",
    "guard": "guard",
    **dict.fromkeys(_PARTS, "file_or_shared"),
}
_BITS = {name: 1 << entry_flag(flag).bit for name, flag in _FLAGS.items()}

_REASONS = {
    "huge": "this kernel cannot count huge pages: PAGEMAP_SCAN can, since Linux 6.7",
    "zero": "this kernel does not tell which pages are those of zeros: it takes PAGEMAP_SCAN "
    "(Linux 6.7), or rights to read PFNs and /proc/kpageflags",
}


class Plan(Holder):
    """How to count `counts` on this kernel: the `way`. Those that are not told are not `asked`.

    By default those that are `usual`. `by_smaps` are counts for which smaps has to be read;
    `swap_used` says that `swap` is asked for and something lies in swap, so that what no page table
    tells must be found elsewhere. `uss_by` says by what `uss` is counted where a PMD maps many
    pages. Holds files open: close it.
    """

    __slots__ = ("asked", "by_smaps", "swap_used", "uss_by", "way")

    def __init__(self, process: AddressSpace, counts: Sequence[str] | None) -> None:
        asked = set(usual(process) if counts is None else required(process, counts))
        self.way = counting.Way(use_scan=process.can_scan)
        self.by_smaps: frozenset[str] = frozenset()
        if not self.way.use_scan and asked & _WITHOUT_ZEROS:
            self.way.flags = open_frames(process, "kpageflags")
            if self.way.flags < 0:
                self.by_smaps = _BY_SMAPS & asked
        self.swap_used = "swap" in asked and process.machine.may_have_swapped()
        self.asked = frozenset(asked)
        self._choose(process, asked - self.by_smaps)

    def _choose(self, process: AddressSpace, asked: set[str]) -> None:
        way = self.way
        scan = way.use_scan
        self.uss_by = BY_PAGE_TABLE
        if "uss" in asked:
            way.mapcounts, self.uss_by = exclusive_by(process)
        if asked.intersection(ABSENT) and process.pfns_visible:
            way.kinds = process.machine.swap_kinds()
        finds: set[str] = set()
        if scan and asked & _WITHOUT_ZEROS:
            finds.add("pfnzero")
        if scan and "huge" in asked:
            finds.add("huge")
        if scan and "soft_dirty" in asked:
            finds.add("soft_dirty")
        if asked & _OF_ENTRIES or not scan:
            way.ways = counting.BY_ENTRIES
            if not scan:
                way.ways |= counting.UNTOUCHED if "soft_dirty" in asked else 0
                way.ways |= counting.ZEROS if way.flags >= 0 else 0
            returned = finds | {"present"} if finds else set()
            if "pfnzero" in finds:
                returned.add("huge")  # small and huge pages of zeros are marked differently
        else:
            returned = self._choose_scan(process, asked, finds)
        way.any_of = sum(_CATEGORY[name] for name in finds)
        way.returned = sum(_CATEGORY[name] for name in returned)
        if finds:
            way.ways |= counting.BY_SCAN

    def _choose_scan(self, process: AddressSpace, asked: set[str], finds: set[str]) -> set[str]:
        """By a scan alone: add to what it `finds`, and give what it is to return."""
        returned = {"present", *finds}
        if asked & _PARTS:
            self.way.ways |= counting.PARTED
            returned.add("huge")  # as above
        if asked & _PRESENT:
            finds.add("present")  # of which all others but holes of hugetlb are
        if self.swap_used or asked.intersection(ABSENT[1:]):
            finds.add("swap")
            self.way.ways |= counting.ABSENT
        if process.can_find("guard"):
            if "guard" in asked:
                finds.add("guard")
            if "guard" in asked or "swap" in finds:
                returned |= {"swap", "guard"}
        elif "swap" in finds:
            returned.add("swap")
        if finds & _PRESENT:
            finds.discard("huge")
        return returned

    def close(self) -> None:
        """Let go of the files; a count that is being taken holds them until its end."""
        self.way.mapcounts = self.way.flags = CLOSED

    def __enter__(self) -> Plan:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def usual(process: AddressSpace) -> list[str]:
    """What is counted where nobody says what: all that one scan tells, and of whom pages are."""
    from pagemap._vocabulary.rows.tally import COUNTS

    dear = _OF_ENTRIES if process.can_scan else {*_OF_ENTRIES, "soft_dirty"}
    return tellable(process, [name for name in COUNTS if name not in dear])


def tellable(process: AddressSpace, counts: Sequence[str], named: Sequence[str] = ()) -> list[str]:
    """Those of `counts` that can be told here, and those that are `named` in any case."""
    known = untold(process, set(counts))
    return [name for name in dict.fromkeys(counts) if name in named or name not in known]


def required(process: AddressSpace, counts: Sequence[str]) -> Sequence[str]:
    """The same counts. Raises Unsupported where one of them cannot be told."""
    for name in sorted(untold(process, set(counts))):
        reason = _REASONS.get(name) or features.why_not(_FLAGS[name])
        raise Unsupported(reason, pid=process.pid, errno=ENOTSUP, operation="count")
    return counts


def untold(process: AddressSpace, asked: set[str]) -> set[str]:
    """Those of `asked` that cannot be told on this kernel and with these rights."""
    if process.kernel_thread:  # it has no pages, whatever their kind
        return set()
    flagged = asked.intersection(_BITS)
    wanted = 0
    for name in flagged:
        wanted |= _BITS[name]
    bits = process.machine.told(wanted) if wanted else 0
    missing = {name for name in flagged if not _BITS[name] & bits}
    if not process.can_scan:
        missing.add("huge")
        if "zero" in asked and not _tells_frames(process):
            missing.add("zero")
    return missing & asked


def _tells_frames(process: AddressSpace) -> bool:
    return open_frames(process, "kpageflags") != CLOSED


def exclusive_by(process: AddressSpace) -> tuple[int, str]:
    """What `exclusive` is by where a PMD maps pages: /proc/kpagecount or CLOSED, and in words.

    Entries are to be read from `counted_source`.
    """
    mapcounts = open_frames(process, "kpagecount")
    by_count = process.counted or mapcounts != CLOSED
    return mapcounts, BY_MAP_COUNT if by_count else BY_PAGE_TABLE


def open_frames(process: AddressSpace, name: str) -> int:
    """A file of frames, or CLOSED where it cannot be read, or no PFN says which frame."""
    if not process.pfns_visible:
        return CLOSED
    return process.machine.open_frames(name)
