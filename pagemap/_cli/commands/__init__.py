"""The subcommands, one file each: what it gives in a few words, and the module that has it.

A module has `DESCRIPTION`, `examples()` (what stands below the options in help), `add_arguments`,
which takes a parser, and `run`, which takes the arguments and returns the exit code.
"""

from __future__ import annotations

__all__ = ["COMMANDS"]

COMMANDS = (
    ("dump", "a row for every page of a process", "commands.dump"),
    ("regions", "ranges of pages by what they are", "commands.regions"),
    ("maps", "the mappings of processes, and what they hold", "commands.maps"),
    ("footprint", "what memory processes take", "commands.footprint"),
    ("huge", "how much lies in huge pages, of which size", "commands.huge"),
    ("types", "pages by the kernel's flags, counted or listed", "commands.types"),
    ("who", "who maps a frame: processes, mappings, addresses", "commands.who"),
    ("sharing", "which processes share which memory", "commands.sharing"),
    ("virt-to-phys", "physical addresses", "commands.virt_to_phys"),
    ("doctor", "what can be read here, and what cannot", "commands.doctor"),
)
