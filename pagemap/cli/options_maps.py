"""The options of `pagemap maps`."""

from __future__ import annotations

from pagemap.cli.options import add_patterns, add_target, add_threads, in_lines
from pagemap.cli.words import spell
from pagemap.render.columns import ALIASES, SHOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments"]

DESCRIPTION = """\
List the mappings of a process with what each holds, and the total: how much is
reserved, in memory, in swap, of files, huge. Control characters in a path are
written in octal, as \\012."""

EXAMPLES = f"""\
columns:
{in_lines([(spell(column.name), column.meaning) for column in SHOWN])}

A count that this kernel cannot tell is -, null in JSON, empty in CSV. Only what
is shown is asked for, so --columns start,present,path costs less than all. A
table shows as many columns as its terminal has room for; what is no terminal
gets all but offset, dev and inode. JSON and CSV have every column.

--json writes one object of schema pagemap.maps/1: sizes in bytes, page_size to
make pages of them, addresses as strings, and the totals last.

A PATTERN is compared with the whole path of a mapping and with its base name.
* and ? are wildcards, every other character means itself. [anon] selects the
mappings without a path.

examples:
  pagemap maps self
  pagemap maps nginx --sort rss --columns size,rss,uss,path | head
  pagemap maps java --map '[anon]' --totals-only --pages
  pagemap maps nginx --json | jq '.mappings[] | select(.path == "[heap]").size'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_target(parser)
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="NAME[,NAME...]",
        help=f"what to show, in this order ({' and '.join(ALIASES)} are known too)",
    )
    parser.add_argument(
        "--sort", metavar="COLUMN", help="amounts: the largest first; all else ascending"
    )
    add_patterns(parser)
    parser.add_argument(
        "--totals-only", action="store_true", help="leave out the mappings, write their total"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--pages", action="store_true", help="a table in pages, not in bytes")
    form.add_argument("--json", action="store_true", help="write JSON instead of a table")
    form.add_argument("--csv", action="store_true", help="write CSV instead of a table")
    add_threads(parser)
