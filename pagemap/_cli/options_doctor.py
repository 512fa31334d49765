"""The options of `pagemap doctor`."""

from __future__ import annotations

from pagemap._cli.options import add_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments"]

DESCRIPTION = """\
Try everything that pagemap can use here and say for each what works, why
something does not, and what would change it. Mappings and page table are tried
on TARGET, by default on this very process."""

EXAMPLES = """\
Exits with 0 when mappings and page table can be read, else with 77, 69 or 66.

examples:
  pagemap doctor
  sudo pagemap doctor nginx
  pagemap doctor --json | jq '.findings[] | select(.ok | not).remedy'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_target(parser, optional=True)
    parser.add_argument("--json", action="store_true", help="write JSON instead of a table")
