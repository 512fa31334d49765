"""The columns of pages: the page table entry, the mapping it belongs to, and its frame."""

from __future__ import annotations

from pagemap._vocabulary.flags import ENTRY_FLAGS, ENTRY_KINDS
from pagemap._vocabulary.schema import Column, Schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["DUMPED", "ENTRIES", "ENTRY_BITS", "FRAME_COLUMNS", "KIND_WORDS", "PAGES"]

ENTRY_BITS = {flag.name: flag.bit for flag in ENTRY_FLAGS}
"""The columns that are bits of entries, and the numbers of the bits."""

KIND_WORDS = tuple(kind.name for kind in ENTRY_KINDS)
"""The words of the column `kind`, by their numbers."""

FRAME_COLUMNS = {"flags": "flags", "mapcounts": "mapcount", "cgroups": "cgroup"}
"""What can be asked about frames, and the column that has the answer."""

PAGES: Schema[Any] = Schema(
    "pagemap.pages",
    2,
    [
        Column("address", "int", "address", "address of the page", rank=0, key=True),
        Column(
            "pfn", "int", "pfn", "number of its frame; unknown where hidden", nullable=True, rank=1
        ),
        *(
            Column(
                flag.name,
                "bool",
                "",
                f"{flag.meaning} (bit {flag.bit}, since Linux {flag.since})",
                nullable=True,
            )
            for flag in ENTRY_FLAGS
        ),
        Column(
            "kind",
            "text",
            "",
            "what the entry is; unknown where hidden",
            nullable=True,
            rank=2,
        ),
        Column("swap_type", "int", "", "swap area, or kind of marker or migration", nullable=True),
        Column("swap_offset", "int", "", "page number in the swap area", nullable=True),
        Column("mapping", "int", "address", "first address of its mapping"),
        Column("path", "text", "", "path of its mapping, as in /proc/PID/maps", rank=3),
        Column("flags", "int", "flags", "flags of its frame (/proc/kpageflags)", nullable=True),
        Column(
            "mapcount", "int", "", "times its frame is mapped (/proc/kpagecount)", nullable=True
        ),
        Column("cgroup", "int", "", "inode of its frame's memory cgroup", nullable=True),
    ],
)
"""All columns; `flags`, `mapcount` and `cgroup` are read only when they are asked for."""

DUMPED = (
    "address",
    "pfn",
    *(flag.name for flag in ENTRY_FLAGS),
    "swap_type",
    "swap_offset",
    "path",
)
"""The columns that a dump has by default."""

ENTRIES: Schema[Any] = PAGES.select(
    [name for name in PAGES.names if name not in ("mapping", "path", *FRAME_COLUMNS.values())]
)
"""The columns that are read from the page table entry alone."""
