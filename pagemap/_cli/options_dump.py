"""The options of `pagemap dump`."""

from __future__ import annotations

from pagemap._cli.options import (
    add_patterns,
    add_ranges,
    add_target,
    add_threads,
    complete_with_files,
    in_lines,
)
from pagemap._vocabulary.flags import PAGE_WORDS
from pagemap._vocabulary.words import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "FORMATS", "add_arguments"]

FORMATS = ("text", "csv", "jsonl")

DESCRIPTION = """\
Write one row for every page of every mapping: its address, what its page table
entry says, and the file mapped there. Physical frame numbers need CAP_SYS_ADMIN
(sudo); without it they are left out, and the flags are true all the same."""

EXAMPLES = f"""\
A PATTERN is compared with the whole path of a mapping and with its base name.
* and ? are wildcards, every other character means itself. [anon] selects the
mappings without a path.

words for --only and --without:
{in_lines([(spell(name), meaning) for name, meaning in PAGE_WORDS])}

The kernel's own bit for swapped is in the column of that name: it is set for
guard, marker, migrating, poisoned and device too. Which of these is which it
hides without CAP_SYS_ADMIN.

With --populated what is merely reserved costs next to nothing, so a process
that has reserved terabytes takes as long as what it has touched.

examples:
  pagemap dump self
  sudo pagemap dump 1234 --map '[heap]' --map '[stack]'
  sudo pagemap dump nginx --map 'libc*' --format csv -o libc.csv
  sudo pagemap dump java --populated --without file
  pagemap dump nginx --range 0x400000-0x500000 --format jsonl | jq .pfn"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_target(parser)
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="text (the default), csv, or jsonl"
    )
    add_patterns(parser)
    add_ranges(parser)
    parser.add_argument(
        "--populated",
        action="store_true",
        help="only pages whose entry is not empty; the others are not even looked at",
    )
    for option, what in (
        ("--only", "that are all of these"),
        ("--without", "that are none of them"),
    ):
        parser.add_argument(
            option,
            action="append",
            default=[],
            metavar="NAME[,NAME...]",
            help=f"only pages {what}; may be given again",
        )
    add_threads(parser)
    output = parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write to FILE (mode 0600), which is replaced only once all is written",
    )
    complete_with_files(output)
    parser.add_argument(
        "--no-header", action="store_false", dest="header", help="leave out the first line"
    )
