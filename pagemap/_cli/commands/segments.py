"""`pagemap segments TARGET`: its memory as physically contiguous segments."""

from __future__ import annotations

from pagemap._cli import node_options, results
from pagemap._cli.options import add_patterns, add_ranges, add_space, add_threads, columns_help
from pagemap._vocabulary.rows.segment import SEGMENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from pagemap._analyses.segments import SegmentStream
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.segment import SegmentRow

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show the memory of a process as physically contiguous segments: ranges of
addresses whose frames are in a row. Needs CAP_SYS_ADMIN (sudo)."""


def examples() -> str:
    """What stands below the options."""
    return f"""\
Only present pages are included. A segment ends where the next page is not in
the next frame, so that a huge page that is mapped whole is in one segment. The
kernel may move pages at any time unless they are pinned. A snapshot has what is
needed unless it was taken with --no-pfns.

{columns_help(SEGMENTS)}

examples:
  sudo pagemap segments self --sort size --top 10
  sudo pagemap segments 1234 --range 0x400000-0x500000
  sudo pagemap segments 1234 --transfer 65536 --json | jq .total.transfers
  sudo pagemap segments 5678 --by node
  sudo pagemap segments 5678 --node 0 --sort size --top 10"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_space(parser)
    add_patterns(parser)
    add_ranges(parser)
    parser.add_argument(
        "--transfer",
        metavar="BYTES",
        help="the most that one transfer of a device takes; count how many are needed",
    )
    node_options.add_node(parser, "only segments on these NUMA nodes")
    add_threads(parser)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the segments."""
    from pagemap._cli import spaces
    from pagemap._cli.mapping_ranges import Chosen
    from pagemap._cli.messages import complain
    from pagemap._cli.parsing import parse_count, parse_ranges

    ranges = parse_ranges(arguments.ranges)
    transfer = parse_count(arguments.transfer, option="--transfer")
    threads = parse_count(arguments.threads, option="--threads")
    nodes = node_options.parse_nodes(arguments.node)
    mappings = Chosen(arguments.patterns)
    asked = [] if transfer is None else ["transfers"]
    shown = results.Results(arguments, SEGMENTS, always=asked)
    with spaces.one(arguments.target) as process:
        node_options.check_nodes(process, nodes)
        within = mappings.within(process, ranges or None)
        segments = process.segments(ranges=within, transfer=transfer, threads=threads)
        if process.kernel_thread:
            complain(f"process {process.pid} is a kernel thread: it has no mappings")
        shown.show(lambda: segments if nodes is None else _on(segments, set(nodes)))
    return mappings.tell()


def _on(segments: SegmentStream, nodes: set[int]) -> Iterator[Table[SegmentRow]]:
    for table in segments:
        yield table.where(lambda row: row.node in nodes)
