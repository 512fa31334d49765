"""The options of `pagemap regions`."""

from __future__ import annotations

from pagemap._cli.options import add_ranges, add_target, in_lines
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.words import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments"]

DESCRIPTION = """\
Print the ranges of pages that are alike: present, in swap, huge, and so on.
Neighbours with the same categories are one row. The kernel skips what is
empty, so terabytes reserved and untouched cost next to nothing."""

EXAMPLES = f"""\
categories:
{in_lines([(spell(flag.name), flag.meaning) for flag in SCAN_CATEGORIES])}

swap is what lies in swap, and not guard regions, userfaultfd's markers, or
pages that migrate, as PAGE_IS_SWAPPED is to the kernel; without CAP_SYS_ADMIN
it hides which are which.
huge is what is present and huge: with --none present it is the kernel's word,
which holds untouched places of hugetlb mappings too.

A kernel without PAGEMAP_SCAN (before 6.7) knows those that a page table entry
tells: file, present, swap, soft-dirty and guard.

--json writes one object; its sizes are in bytes, its addresses strings. --csv
parts the categories of a region by |.

examples:
  pagemap regions self
  pagemap regions java --any swap --json | jq '[.regions[].size] | add // 0'
  pagemap regions nginx --all present,file --none pfnzero
  pagemap regions nginx --any present --show huge,file --range 0x400000-0x500000"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_target(parser)
    for option, text in (
        ("any", "pages with one of these categories (present,swap without --all)"),
        ("all", "pages with all of these categories"),
        ("none", "pages with none of these categories"),
        ("show", "the categories to tell, by default those of --any and --all"),
    ):
        parser.add_argument(
            f"--{option}",
            action="append",
            default=[],
            dest=f"{option}_of",
            metavar="NAME[,NAME...]",
            help=text,
        )
    add_ranges(parser)
    parser.add_argument("--max-pages", metavar="N", help="stop after this many pages")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON instead of a table")
    form.add_argument("--csv", action="store_true", help="write CSV instead of a table")
