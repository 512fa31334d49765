"""A made-up /proc, for what no live process can be brought to show."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")

ORDINARY = "4242 (a ) name) S 1 4242 4242 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0"
ZOMBIE = "4242 (gone) Z 1 4242 4242 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0"
KERNEL_THREAD = "4242 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0"


def make(
    root: Path,
    *,
    pid: int = 4242,
    maps: bytes = b"",
    entries: dict[int, int] | None = None,
    pages: int = 64,
    stat: str = ORDINARY,
    auxv: bytes = b"auxv of the first image",
) -> str:
    """Write /proc/`pid` below `root`; `entries` are by page number, of `pages` that exist."""
    folder = root / str(pid)
    folder.mkdir(parents=True)
    (folder / "maps").write_bytes(maps)
    words = [(entries or {}).get(vpn, 0) for vpn in range(pages)]
    (folder / "pagemap").write_bytes(struct.pack(f"={pages}Q", *words))
    (folder / "stat").write_text(stat + "\n")
    (folder / "statm").write_text(f"{pages} 1 1 1 0 1 0\n")
    (folder / "comm").write_text("fake\n")
    (folder / "auxv").write_bytes(auxv)
    return str(root)


def line(first: int, last: int, path: str = "", *, perms: str = "rw-p") -> bytes:
    """A line of maps for the pages from `first` up to, without, `last`."""
    text = f"{first * PAGE_SIZE:08x}-{last * PAGE_SIZE:08x} {perms} 00000000 00:00 0 "
    return (text.ljust(73) + path if path else text).encode() + b"\n"
