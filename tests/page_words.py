"""The naive twin of what pages are: one word at a time, in names and with words of its own.

Nothing of `pagemap` is imported. Where the kernel's tool page-types is found, in the folder that
PAGEMAP_KERNEL_TOOLS names or on the PATH, it tells the same.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import struct
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE = oracle.PAGE

# KPF_* of include/uapi/linux/kernel-page-flags.h, and of the tool.
BITS = {
    "error": 1,
    "referenced": 2,
    "lru": 5,
    "active": 6,
    "slab": 7,
    "writeback": 8,
    "reclaim": 9,
    "buddy": 10,
    "mmap": 11,
    "anonymous": 12,
    "swapcache": 13,
    "swapbacked": 14,
    "compound_head": 15,
    "compound_tail": 16,
    "huge": 17,
    "unevictable": 18,
    "nopage": 20,
    "ksm": 21,
    "offline": 23,
    "idle": 25,
    "pgtable": 26,
    "owner_2": 34,
    "softdirty": 40,
    "anon_exclusive": 47,
    "readahead": 48,
    "slub_frozen": 50,
    "slub_debug": 51,
    "file": 61,
    "swap": 62,
    "mmap_exclusive": 63,
}
NOBODYS = ("slab", "buddy", "pgtable", "offline", "nopage")
"""Frames that no process has and no list of reclaim, so flags of such memory are garbage there."""

OF_USERS = (
    *("referenced", "lru", "active", "reclaim", "mmap", "anonymous"),
    *("swapcache", "swapbacked", "unevictable", "ksm", "idle"),
)

FROM_ENTRY = {
    "softdirty": "soft_dirty",
    "file": "file_or_shared",
    "swap": "swapped",
    "mmap_exclusive": "exclusive",
}


_TYPES = oracle.swap_type_names()


def known(word: int | None) -> int | None:
    """A word of /proc/kpageflags without what means nothing in it."""
    if word is None or not any(word >> BITS[name] & 1 for name in NOBODYS):
        return word
    return word & ~sum(1 << BITS[name] for name in OF_USERS)


@functools.lru_cache(maxsize=4096)
def shown(word: int, entry: int, *, raw: bool) -> int:
    """The flags of a page as page-types shows them, but for what means nothing."""
    known_word = word if raw else known(word)
    assert known_word is not None
    bits = {bit for bit in range(64) if known_word // 2**bit % 2}
    if not raw:
        bits -= set(range(32, 48))
        if BITS["huge"] not in bits:
            bits -= {BITS["compound_head"], BITS["compound_tail"]}
        return sum(2**bit for bit in bits)

    def move(name: str, to: str) -> None:
        if BITS[name] in bits:
            bits.remove(BITS[name])
            bits.add(BITS[to])

    if BITS["anonymous"] in bits:
        move("owner_2", "anon_exclusive")
    if BITS["slab"] in bits:
        move("active", "slub_frozen")
        move("error", "slub_debug")
    if BITS["writeback"] not in bits:
        move("reclaim", "readahead")
    bits |= {BITS[name] for name, flag in FROM_ENTRY.items() if oracle.has(entry, flag)}
    return sum(2**bit for bit in bits)


def words(pfns: Iterable[int], name: str = "kpageflags", procfs: str = "/proc") -> list[int | None]:
    """A word for each PFN, one read each; None where the file has none."""
    fd = os.open(f"{procfs}/{name}", os.O_RDONLY)
    try:
        read = [os.pread(fd, 8, pfn * 8) for pfn in pfns]
    finally:
        os.close(fd)
    return [struct.unpack("=Q", data)[0] if data else None for data in read]


def histogram(
    entries: Sequence[int], *, raw: bool = False, procfs: str = "/proc"
) -> dict[int, int]:
    """How many of the present and the swapped among these pages have which flags."""
    counts: Counter[int] = Counter()
    present = [entry for entry in entries if oracle.pfn(entry) is not None]
    frames = words([oracle.place(entry) for entry in present], procfs=procfs)
    for entry, word in zip(present, frames, strict=True):
        if word is not None:
            counts[shown(word, entry - oracle.place(entry), raw=raw)] += 1
    for entry in entries:
        if oracle.kind(entry, _TYPES) == "swap":
            counts[shown(0, entry - oracle.place(entry), raw=raw)] += 1
    return dict(counts)


def of_process(pid: int, *, raw: bool = False) -> dict[int, int]:
    """The same of all mappings of a process."""
    counts: Counter[int] = Counter()
    for line in oracle.maps(pid):
        counts.update(histogram(oracle.entries(pid, line.start, line.end), raw=raw))
    return dict(counts)


def tool() -> str | None:
    """The path of page-types, where there is one."""
    folders = os.environ.get("PAGEMAP_KERNEL_TOOLS", ""), os.environ.get("PATH", os.defpath)
    return shutil.which("page-types", path=os.pathsep.join(filter(None, folders)))


def page_types(*arguments: str | int) -> dict[int, int]:
    """The histogram that page-types prints."""
    path = tool()
    assert path is not None
    done = subprocess.run(
        [path, *map(str, arguments)], check=True, capture_output=True, text=True, timeout=300
    )
    rows = re.findall(r"^(0x[0-9a-f]{16})\t +(\d+) ", done.stdout, re.MULTILINE)
    return {int(flags, 16): int(count) for flags, count in rows}


def differences(ours: dict[int, int], theirs: dict[int, int]) -> dict[str, tuple[int, int]]:
    """Flags whose counts differ, to be read in a failure."""
    return {
        hex(flags): (ours.get(flags, 0), theirs.get(flags, 0))
        for flags in sorted({*ours, *theirs})
        if ours.get(flags, 0) != theirs.get(flags, 0)
    }
