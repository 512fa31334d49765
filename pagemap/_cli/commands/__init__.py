"""The subcommands, one file each: what it gives in a few words, and the module that has it.

A module has `DESCRIPTION`, `examples()` (what stands below the options in help), `add_arguments`,
which takes a parser, and `run`, which takes the arguments and returns the exit code.
"""

from __future__ import annotations

__all__ = ["COMMANDS"]

COMMANDS = (
    ("dump", "a row for every page of a process", "dump"),
    ("regions", "ranges of pages by what they are", "regions"),
    ("maps", "the mappings of processes, and what they hold", "maps"),
    ("footprint", "what memory processes take", "footprint"),
    ("huge", "how much lies in huge pages, of which size", "huge"),
    ("types", "pages by the kernel's flags, counted or listed", "types"),
    ("who", "who maps a frame: processes, mappings, addresses", "who"),
    ("sharing", "which processes share which memory", "sharing"),
    ("virt-to-phys", "physical addresses", "virt_to_phys"),
    ("doctor", "what can be read here, and what cannot", "doctor"),
)
