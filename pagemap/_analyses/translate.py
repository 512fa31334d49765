"""Physical addresses of many virtual ones, and why an address has none."""

from __future__ import annotations

from bisect import bisect_right
from time import time

from pagemap import _native
from pagemap._errors import (
    AddressError,
    NotMapped,
    NotPresent,
    PfnsHidden,
    SwappedOut,
    Unsupported,
)
from pagemap._space.about import about
from pagemap._space.arguments import check_address
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_several
from pagemap._vocabulary.rows.translation import TRANSLATIONS
from pagemap._vocabulary.text import printable
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pagemap._space.address_space import AddressSpace
    from pagemap._space.page import Page
    from pagemap._vocabulary.rows.mapping import Mapping
    from pagemap._vocabulary.rows.translation import TranslationRow

__all__ = ["translate", "translated"]

_ERRORS = {
    NotMapped: "not_mapped",
    NotPresent: "not_present",
    SwappedOut: "swapped_out",
    PfnsHidden: "pfns_hidden",
}


def translated(process: AddressSpace, addresses: Iterable[int]) -> Table[TranslationRow]:
    """See `Process.translate`."""
    begin, source, pid = time(), process.source, process.pid
    check_several("addresses", addresses, "a sequence of addresses, such as [0x7f0000001000]")
    several = list(addresses)
    for address in several:
        check_address("addresses", address)
    rows: list[tuple[object, ...]] = []
    mapped = _Mapped(process)
    for address in several:
        physical = -1
        if isinstance(source, int):
            physical = _native.translate(source, address, PAGE_SHIFT)
        if physical < 0:
            try:
                physical = translate(process, address, mapped)
            except (AddressError, PfnsHidden) as error:
                rows.append((pid, address, None, None, _ERRORS[type(error)], str(error)))
                continue
        rows.append((pid, address, physical, physical >> PAGE_SHIFT, None, None))
    return Table.of_rows(TRANSLATIONS, rows, about=about(begin, process))


def translate(process: AddressSpace, address: int, mapped: _Mapped | None = None) -> int:
    """The physical address, in bytes, of a page that came in meanwhile; else raise what is wrong.

    Raises NotMapped, NotPresent, SwappedOut, PfnsHidden.
    """
    page = process.entry(address)
    if not page.present:
        raise _absence(process, page, address, mapped or _Mapped(process))
    if page.physical_address is None:
        raise PfnsHidden(
            f"cannot read PFNs of process {process.pid}: {process.machine.why_hidden}",
            pid=process.pid,
            operation="translate",
        )
    return page.physical_address + address - page.address


class _Mapped:
    """The mappings, and what smaps says of them: read when asked for, and but once."""

    __slots__ = ("_ends", "_flags", "_mappings", "_process")

    def __init__(self, process: AddressSpace) -> None:
        self._process = process
        self._mappings: Table[Mapping] | None = None
        self._ends: list[int] = []
        self._flags: dict[int, list[str]] = {}

    def at(self, address: int) -> Mapping | None:
        """The mapping that holds an address."""
        if self._mappings is None:
            self._mappings = self._process.maps()
            self._ends = [mapping.end for mapping in self._mappings]
        number = bisect_right(self._ends, address)
        if number == len(self._ends) or self._mappings[number].start > address:
            return None
        return self._mappings[number]

    def flags(self, mapping: Mapping) -> list[str]:
        """Its VmFlags; none where smaps does not tell."""
        if mapping.start not in self._flags:
            self._flags[mapping.start] = _flags_of(self._process, mapping.start)
        return self._flags[mapping.start]


_REASONS = {
    "guard": "lies in a guard region: no page can be there",
    "marker": "is protected through userfaultfd, and no page is there",
    "migrating": "is being moved to another place in memory; try again",
    "poisoned": "is poisoned: memory that broke, or what could not be read from swap",
    "device": "lies in the memory of a device",
}


def _absence(process: AddressSpace, page: Page, address: int, mapped: _Mapped) -> AddressError:
    pid = process.pid
    of = f"{address:#x} of process {pid}"
    kind = page.kind
    if kind in _REASONS:
        return NotPresent(f"{of} {_REASONS[kind]}", address=address, pid=pid)
    if kind == "hidden" and process.machine.swaps_in_use() is False:
        return NotPresent(
            f"{of} is not present, and not in swap, where nothing is: userfaultfd protects it, "
            "say; what it is, the kernel hides without CAP_SYS_ADMIN",
            address=address,
            pid=pid,
        )
    if kind == "hidden":
        return SwappedOut(
            f"{of} is swapped out, or marked as userfaultfd marks pages: which, and where in "
            "swap, the kernel hides without CAP_SYS_ADMIN",
            address=address,
            pid=pid,
        )
    if kind == "swap":
        return SwappedOut(
            f"{of} is swapped out: swap type {page.swap_type}, offset {page.swap_offset:#x}",
            address=address,
            pid=pid,
            swap_type=page.swap_type,
            swap_offset=page.swap_offset,
        )
    mapping = mapped.at(address)
    if mapping is not None:
        what = printable(mapping.path) or "anonymous memory"
        why = _why_untouched(mapping, mapped)
        return NotPresent(
            f"{of} is mapped ({what}) but not present: {why}", address=address, pid=pid
        )
    return NotMapped(
        f"{of} is in no mapping: /proc/{pid}/maps lists them", address=address, pid=pid
    )


def _why_untouched(mapping: Mapping, mapped: _Mapped) -> str:
    """What stands behind an empty entry, as far as can be known."""
    # only a driver can map what has no struct page, so there is a file, or a name of the kernel's
    if mapping.path and "pf" in mapped.flags(mapping):
        return (
            "the kernel hides what a driver maps here (VmFlags pf in smaps): "
            "there may be memory, and nothing tells"
        )
    if mapping.perms[:3] == "---":
        return "it may not be accessed (its permissions are none), and has no page"
    if mapping.perms[3] == "s" or mapping.path.startswith("/"):
        return (
            "never touched by this process, or taken back: it may be in a file, in memory or swap"
        )
    return "never touched, or taken back"


def _flags_of(process: AddressSpace, start: int) -> list[str]:
    """The VmFlags of the mapping that begins at `start`; none where smaps does not tell."""
    try:
        fd = process.folder.open("smaps")
    except (OSError, Unsupported):
        return []
    found = False
    with open(fd, "rb") as file:
        try:
            for line in file:
                # each mapping begins with a line as of maps, whose first word is its addresses
                head = line.split(b" ", 1)[0]
                if head[-1:] != b":" and b"-" in head:
                    if found:
                        break
                    found = int(head.split(b"-")[0], 16) == start
                elif found and head == b"VmFlags:":
                    return line.decode("ascii").split()[1:]
        except (OSError, ValueError):
            return []
    return []
