"""Counts of each mapping from /proc/PID/smaps, where the page table does not have them.

It costs a walk over all pages (12 ns each), under the target's mmap_lock: it is read only where
nothing else tells.
"""

from __future__ import annotations

from pagemap._kernel.decimals import number
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["Account", "parse", "parse_rollup"]


class Account(Record):
    """The kernel's own counts of a mapping; None for what it has no line for."""

    start: int = field("bytes", "address of the mapping")
    rss: int | None = field("bytes", "Rss", None)
    anon: int | None = field("bytes", "Anonymous", None)
    swap: int | None = field("bytes", "Swap: that of shared memory too", None)
    hugetlb: bool = field("", "whether VmFlags has `ht`", False)

    @property
    def file_or_shared(self) -> int | None:
        """Rss without Anonymous, in bytes."""
        if self.rss is None or self.anon is None:
            return None
        return self.rss - self.anon


_LINES = {b"Rss": "rss", b"Anonymous": "anon", b"Swap": "swap"}


def parse(lines: Iterable[bytes]) -> dict[int, Account]:
    """The accounts in the lines of smaps, by the address where a mapping starts."""
    found: dict[int, Account] = {}
    start: int | None = 0
    values: dict[str, Any] = {}
    for line in lines:
        name, colon, rest = line.partition(b":")
        if colon and (field_name := _LINES.get(name)):
            values[field_name] = _size(rest)
        elif name == b"VmFlags":  # the last line of each
            if start is not None:
                found[start] = Account(start, **values, hugetlb=b"ht" in rest.split())
            start, values = None, {}
        elif name[:1] in b"0123456789abcdef" and b"-" in name:
            start = _start(name)
    return found


def parse_rollup(lines: Iterable[bytes]) -> Account:
    """The one account in the lines of smaps_rollup."""
    values: dict[str, Any] = {}
    for line in lines:
        name, _, rest = line.partition(b":")
        if field_name := _LINES.get(name):
            values[field_name] = _size(rest)
    return Account(0, **values)


def _size(text: bytes) -> int | None:
    """The bytes of a number of kB; None where it is no kernel's."""
    words = text.split()
    found = number(words[0]) if words else None
    return None if found is None else found << 10


def _start(name: bytes) -> int | None:
    try:
        return int(name.partition(b"-")[0], 16)
    except ValueError:
        return None
