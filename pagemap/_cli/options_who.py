"""The options of `pagemap who`."""

from __future__ import annotations

from pagemap._cli.options import TARGET_HELP, add_threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments"]

DESCRIPTION = """\
Tell who maps a frame of physical memory: every process, mapping and address,
with the frame's flags, map count and memory cgroup. The frame is given by its
number, by a physical address, or by an address of a process."""

EXAMPLES = """\
Needs root: CAP_SYS_ADMIN for PFNs, CAP_DAC_READ_SEARCH for /proc/kpageflags.
All processes are looked at, so it takes as long as reading their page tables;
of a frame that is mapped once, until it is found. Processes that share one
address space (vfork, CLONE_VM) count once, as the kernel counts them.

When the map count is higher than what was found, the others are processes that
could not be read or changed meanwhile, or the kernel's own. An answer is true
of the moment: the kernel may move a page at any time.

--json writes one object of schema pagemap.who/2; addresses are strings.

examples:
  sudo pagemap who nginx 0x7f5a10000000
  sudo pagemap who --pfn 0x11d0a7 --pfn 0x11d0a8
  sudo pagemap who --phys 0x11d0a7000 --json | jq '.mappers[].pid'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("target", metavar="TARGET", nargs="?", help=TARGET_HELP)
    parser.add_argument(
        "address",
        metavar="ADDRESS",
        nargs="?",
        help="an address of TARGET: hexadecimal, 0x before it",
    )
    parser.add_argument(
        "--pfn",
        action="append",
        default=[],
        dest="pfns",
        metavar="N",
        help="the number of a frame: hexadecimal, 0x before it; may be given again",
    )
    parser.add_argument(
        "--phys",
        action="append",
        default=[],
        dest="addresses",
        metavar="ADDRESS",
        help="a physical address in the frame; may be given again",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON instead of a table")
    form.add_argument("--csv", action="store_true", help="write CSV instead of a table")
    add_threads(parser)
