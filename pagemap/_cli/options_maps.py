"""The options of `pagemap maps`."""

from __future__ import annotations

from pagemap._cli.options import (
    add_patterns,
    add_target,
    add_threads,
    in_lines,
)
from pagemap._render.columns import ALIASES
from pagemap._vocabulary.words import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments"]

DESCRIPTION = """\
List the mappings of a process with what each holds, and the total: how much is
reserved, in memory, in swap, of files, huge. Control characters in a path are
written in octal, as \\012."""

EXAMPLES: str


def __getattr__(name: str) -> str:
    # Read for help alone: a plain line need not pay for the tables of columns.
    if name != "EXAMPLES":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pagemap._render import columns

    return f"""\
columns:
{in_lines([(spell(column.name), column.meaning) for column in columns.SHOWN])}

A count that this kernel cannot tell is -, null in JSON, empty in CSV. Only what
is shown is asked for, so --columns start,present,path costs less than all. A
table shows as many columns as its terminal has room for; what is no terminal
gets all but offset, dev and inode. JSON and CSV have every column, by the same
names with underscores (soft_dirty), which --columns takes too.

EXCLUSIVE is by map counts where these can be read (root). Else it is the page
table's word, which is true but for transparent huge pages on Linux 6.15 and
later: there all of a huge page is as its first page is. exclusive_by in JSON
says which ("map count" or "page table"), and a line on stderr. What the page
table does not tell of SWAP (shared memory, and without root what an entry is)
is taken from smaps, where anything lies in swap.

--json writes one object of schema pagemap.maps/2: sizes in bytes, page_size to
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
        help="what to show, in this order "
        f"({', '.join(f'{other} is {name}' for other, name in ALIASES.items())})",
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
