"""The columns of pages: what an entry of the page table tells, where it lies, what its frame is."""

from __future__ import annotations

from pagemap._vocabulary.flags import ENTRY_FLAGS
from pagemap._vocabulary.schema import Column, Schema

__all__ = ["FRAME_COLUMNS", "PAGES"]

FRAME_COLUMNS = {"flags": "flags", "mapcounts": "mapcount", "cgroups": "cgroup"}
"""What can be asked of frames, and the column that tells it."""

PAGES = Schema(
    "pagemap.pages",
    1,
    [
        Column("address", "int", "", "address of the page"),
        Column("pfn", "int", "", "page frame number; unknown where it is hidden", nullable=True),
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
        Column("kind", "text", "", "what the entry is; unknown where it is hidden", nullable=True),
        Column(
            "swap_type", "int", "", "swap area, or kind of a marker or migration", nullable=True
        ),
        Column("swap_offset", "int", "", "page within the swap area", nullable=True),
        Column("mapping", "int", "", "address where its mapping begins"),
        Column("path", "text", "", "what is mapped, as /proc/PID/maps has it"),
        Column("flags", "int", "", "flags of its frame (/proc/kpageflags)", nullable=True),
        Column("mapcount", "int", "", "mappings of its frame (/proc/kpagecount)", nullable=True),
        Column("cgroup", "int", "", "inode of its frame's memory cgroup", nullable=True),
    ],
)
"""All of them; `flags`, `mapcount` and `cgroup` are read only where they are asked for."""
