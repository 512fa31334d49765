"""The subcommands: the name of each, a summary, and its module, which is one file for each.

A module has `DESCRIPTION`, `examples()` (the text below the options in help), `add_arguments`,
which takes a parser, and `run`, which takes the arguments and returns the exit code.
"""

from __future__ import annotations

__all__ = ["COMMANDS"]

COMMANDS = (
    ("dump", "all pages of a process, one row each", "dump"),
    ("regions", "ranges of pages that are alike: present, in swap, huge", "regions"),
    ("maps", "the mappings of processes, and how much each takes", "maps"),
    ("footprint", "how much memory processes take", "footprint"),
    ("huge", "how much memory is in huge pages, by size", "huge"),
    ("types", "pages by the kernel's flags, counted or listed", "types"),
    ("who", "the processes and addresses that map a frame", "who"),
    ("sharing", "which processes share memory, and how much", "sharing"),
    ("free-if", "how much memory comes back if processes end", "free_if"),
    ("cache", "how much of files is in the page cache", "cache"),
    ("wss", "how much memory is touched in a window of time", "wss"),
    ("writes", "what processes write, by mapping or by page", "writes"),
    ("memory", "what all memory of the machine is used for", "memory"),
    ("diff", "what changed between two looks at a process, page by page", "diff"),
    ("snapshot", "page tables and mappings of processes, into a file", "snapshot"),
    ("record", "one moment of a process after another, into a file", "record"),
    ("contents", "what a snapshot or record file has", "contents"),
    ("segments", "memory as physically contiguous segments", "segments"),
    ("virt-to-phys", "the physical addresses of virtual addresses", "virt_to_phys"),
    ("doctor", "what pagemap can read here, and what it cannot", "doctor"),
)
