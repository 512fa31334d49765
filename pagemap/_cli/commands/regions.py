"""`pagemap regions TARGET`: ranges of pages that are alike."""

from __future__ import annotations

from pagemap._cli import node_options, results
from pagemap._cli.options import add_patterns, add_ranges, add_space, columns_help, in_lines
from pagemap._vocabulary.filters import LANGUAGE
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.names import spell
from pagemap._vocabulary.rows.region import REGIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
List ranges of pages that are alike: present, in swap, huge, and so on. Adjacent
pages with the same categories are one row. The kernel skips empty ranges, so
terabytes of untouched address space cost next to nothing."""


def examples() -> str:
    """What stands below the options."""
    return f"""\
categories:
{in_lines([(spell(flag.name), flag.meaning) for flag in SCAN_CATEGORIES])}

forms of a FILTER:
{LANGUAGE}

The default filter is present/swap. A filter that only excludes categories
matches untouched pages too. swap has only pages in a swap area; the kernel's
PAGE_IS_SWAPPED includes guard regions, userfaultfd markers and migrating pages,
and without CAP_SYS_ADMIN the kernel hides which are which. huge has only
present pages; with --without present it is the kernel's own category, which
includes untouched hugetlb pages.

Before Linux 6.7 there is no PAGEMAP_SCAN; only the categories that a page table
entry has are known: file, present, swap, soft-dirty and guard.

With --node pages in swap are left out, because they are on no node. Regions are
of the moment after the nodes were found.

{columns_help(REGIONS)}

examples:
  pagemap regions self
  pagemap regions 5678 --only swap --json | jq .total.size
  pagemap regions 1234 --only present,file,~pfnzero
  pagemap regions 1234 --only present --tell huge,file --by categories
  pagemap regions 1234 --only present/swap --range 0x400000-0x500000
  sudo pagemap regions 1234 --node 0 --tell huge"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_space(parser)
    for option, metavar, text in (
        ("only", "FILTER", "only pages that match; if repeated, they must match all"),
        ("without", "NAME[,NAME...]", "only pages that are none of these"),
        ("tell", "NAME[,NAME...]", "categories to report (default: those of --only)"),
    ):
        parser.add_argument(f"--{option}", action="append", default=[], metavar=metavar, help=text)
    add_patterns(parser)
    add_ranges(parser)
    node_options.add_node(parser, "only pages on these NUMA nodes (or all); needs root")
    parser.add_argument("--max-pages", metavar="N", help="stop after this many pages")
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the regions."""
    from pagemap._analyses.categories import BITS, chosen
    from pagemap._cli import spaces
    from pagemap._cli.mapping_ranges import Chosen
    from pagemap._cli.messages import complain
    from pagemap._cli.node_ranges import ranges_on
    from pagemap._cli.parsing import parse_count, parse_names, parse_ranges

    chosen(arguments.only, arguments.without, ("--only", "--without"))  # errors name the options
    tell = parse_names(arguments.tell, BITS, option="--tell")
    ranges = parse_ranges(arguments.ranges)
    limit = parse_count(arguments.max_pages, option="--max-pages")
    shown = results.Results(arguments, REGIONS)
    chosen_mappings = Chosen(arguments.patterns)
    nodes = node_options.parse_nodes(arguments.node)
    with spaces.one(arguments.target) as process:
        node_options.check_nodes(process, nodes)
        within = chosen_mappings.within(process, ranges or None)
        if arguments.node is not None:
            within = ranges_on(process, nodes, within)
        regions = process.regions(
            only=arguments.only,
            without=arguments.without,
            tell=tell or None,
            ranges=within,
            max_pages=limit,
        )
        if process.kernel_thread:
            complain(f"process {process.pid} is a kernel thread: it has no mappings")
        elif regions.swap_is_certain is False:
            hider = "the kernel hides which without CAP_SYS_ADMIN (in the initial user namespace)"
            complain(
                "some pages shown as swap may not be in swap (userfaultfd markers, for example): "
                + (hider if process.live else "the snapshot does not tell which")
            )
        shown.show(lambda: regions)
    return chosen_mappings.tell()
