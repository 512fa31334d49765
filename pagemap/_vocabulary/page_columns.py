"""The columns of pages: what an entry of the page table tells, where it lies, what its frame is."""

from __future__ import annotations

from pagemap._vocabulary.flags import ENTRY_FLAGS, ENTRY_KINDS
from pagemap._vocabulary.schema import Column, Schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["DUMPED", "ENTRIES", "ENTRY_BITS", "FRAME_COLUMNS", "KIND_WORDS", "PAGES"]

ENTRY_BITS = {flag.name: flag.bit for flag in ENTRY_FLAGS}
"""The columns that are bits of entries, and which."""

KIND_WORDS = tuple(kind.name for kind in ENTRY_KINDS)
"""The words of the column `kind`, by their numbers."""

FRAME_COLUMNS = {"flags": "flags", "mapcounts": "mapcount", "cgroups": "cgroup"}
"""What can be asked of frames, and the column that tells it."""

PAGES: Schema[Any] = Schema(
    "pagemap.pages",
    2,
    [
        Column("address", "int", "address", "address of the page", rank=0, key=True),
        Column("pfn", "int", "pfn", "its frame; unknown where it is hidden", nullable=True, rank=1),
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
            "what the entry is; unknown where it is hidden",
            nullable=True,
            rank=2,
        ),
        Column(
            "swap_type", "int", "", "swap area, or kind of a marker or migration", nullable=True
        ),
        Column("swap_offset", "int", "", "page within the swap area", nullable=True),
        Column("mapping", "int", "address", "address where its mapping begins"),
        Column("path", "text", "", "what is mapped, as /proc/PID/maps has it", rank=3),
        Column("flags", "int", "flags", "flags of its frame (/proc/kpageflags)", nullable=True),
        Column("mapcount", "int", "", "mappings of its frame (/proc/kpagecount)", nullable=True),
        Column("cgroup", "int", "", "inode of its frame's memory cgroup", nullable=True),
    ],
)
"""All of them; `flags`, `mapcount` and `cgroup` are read only where they are asked for."""

DUMPED = (
    "address",
    "pfn",
    *(flag.name for flag in ENTRY_FLAGS),
    "swap_type",
    "swap_offset",
    "path",
)
"""Those that a dump has, where no others are named."""

ENTRIES: Schema[Any] = PAGES.select(
    [name for name in PAGES.names if name not in ("mapping", "path", *FRAME_COLUMNS.values())]
)
"""Those that entries alone tell."""
