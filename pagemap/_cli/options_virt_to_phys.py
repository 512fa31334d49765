"""The options of `pagemap virt-to-phys`."""

from __future__ import annotations

from pagemap._cli.options import add_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments"]

DESCRIPTION = """\
Print the physical address behind each virtual address, one a line, in order.
Needs CAP_SYS_ADMIN (sudo). The kernel may move a page at any time: an answer is
true of the moment."""

EXAMPLES = """\
An address that has no physical one gets a line on stderr and none on stdout.
The exit code is then the greatest among those of the addresses.

examples:
  sudo pagemap virt-to-phys self 0x400000
  sudo pagemap virt-to-phys 1234 0x7f5a10000000 7f5a10001000
  sudo pagemap virt-to-phys nginx - <addresses.txt"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_target(parser)
    parser.add_argument(
        "addresses",
        metavar="ADDRESS",
        nargs="+",
        help="hexadecimal, 0x before it; - reads addresses from standard input, one a line",
    )
