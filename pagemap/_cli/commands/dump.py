"""`pagemap dump TARGET`: all pages of a process, one row each."""

from __future__ import annotations

import os

from pagemap._cli import node_options, results
from pagemap._cli.options import (
    add_filters,
    add_patterns,
    add_ranges,
    add_space,
    add_threads,
    columns_help,
    filters_help,
)
from pagemap._vocabulary.flags import PAGE_WORDS
from pagemap._vocabulary.page_columns import DUMPED, FRAME_COLUMNS, PAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any

    from pagemap._cli.patterns import Patterns
    from pagemap._methods import ProcessMethods
    from pagemap._tables.table import Table

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Write one row for each page of each mapping: its address, the contents of its
page table entry, and the mapped file. Physical frame numbers need CAP_SYS_ADMIN
(sudo); without it they are left out, and all flags are still correct."""

_FORMATS = ("text", *results.FORMATS)
_WORDS = [word for word, _ in PAGE_WORDS]


def examples() -> str:
    """What stands below the options."""
    return f"""\
A PATTERN is compared with the whole path of a mapping and with its base name.
* and ? are wildcards, every other character means itself. [anon] selects the
mappings without a path.

{filters_help(PAGE_WORDS)}

{columns_help(PAGES)}

The format text has fixed columns: address, PFN, soft-dirty, file or shared,
swapped, present, path. All other formats, and --columns, --sort, --by and
--top, use the columns above. The column swapped is the kernel's own bit of that
name, which is also set for guard, marker, migrating, poisoned and device
entries. Without CAP_SYS_ADMIN the kernel hides which kind an entry is.

With --populated, untouched address space costs next to nothing: the time
depends on what a process has touched, even if it has mapped terabytes.

examples:
  pagemap dump self
  sudo pagemap dump self --map '[heap]' --map '[stack]'
  sudo pagemap dump self --map 'libc*' --csv -o libc.csv
  sudo pagemap dump self --populated --columns address,flags,mapcount,path
  pagemap dump self --populated --by path --sort rows
  sudo pagemap dump self --node 0 --map '[heap]' --csv
  pagemap dump self --range 0x400000-0x500000 --format jsonl"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_space(parser)
    add_patterns(parser)
    add_ranges(parser)
    parser.add_argument(
        "--populated",
        action="store_true",
        help="only pages whose entry is not empty; empty ranges are skipped",
    )
    add_filters(parser)
    node_options.add_node(parser, "only pages on these NUMA nodes (or all); needs root")
    add_threads(parser)
    results.add_arguments(parser, formats=_FORMATS)


def run(arguments: Namespace) -> int:
    """Write the dump. Returns 1 when a pattern matched no mapping, or no page was in any range."""
    from pagemap._cli.dump_messages import judge, remark
    from pagemap._cli.node_ranges import ranges_on
    from pagemap._cli.parsing import parse_count, parse_ranges
    from pagemap._cli.patterns import Patterns
    from pagemap._cli.spaces import one
    from pagemap._errors import PfnsHidden
    from pagemap._vocabulary.filters import parse_filters, words_of

    ranges = parse_ranges(arguments.ranges)
    patterns = Patterns(arguments.patterns)
    filters = parse_filters(
        arguments.only, arguments.without, words_of(_WORDS), names=("--only", "--without")
    )
    words = {
        word for each in filters for word in (*each.all_of, *each.none_of, *sum(each.any_of, ()))
    }
    threads = parse_count(arguments.threads, option="--threads")
    nodes = node_options.parse_nodes(arguments.node)
    chosen = _Chosen(ranges, patterns, arguments)
    shown = results.Results(arguments, PAGES, usual=DUMPED, plain="text")
    # In this order: an existing file is not touched for a target that cannot be read.
    with one(arguments.target) as process:
        if shown.named("pfn") and not process.pfns_visible:
            raise PfnsHidden(
                f"cannot show the PFNs of process {process.pid}: {process.machine.why_hidden}",
                pid=process.pid,
                operation="read PFNs",
            )
        node_options.check_nodes(process, nodes)
        if arguments.node is not None:
            chosen.ranges = ranges_on(process, nodes, ranges or None, threads)
        shows = shown.format != "text" and "exclusive" in shown.wanted()
        remark(process, shown.format, words, exclusive=shows or "exclusive" in words)
        if shown.is_plain and shown.format in ("text", "csv", "json", "jsonl"):
            rows = _write_rows(process, chosen, shown.format, arguments, threads)
        else:
            rows = _show(shown, process, chosen)
        # Of pages chosen by what they are there may well be none: that is the answer.
        some = bool(rows or arguments.populated or words)
        where = "in the given ranges" if arguments.node is None else "on the given nodes"
        if process.kernel_thread:
            return 0
        return judge(process, patterns, some=some, where=where)


class _Chosen:
    """Which pages to write."""

    def __init__(
        self, ranges: list[tuple[int, int]], patterns: Patterns, arguments: Namespace
    ) -> None:
        self.ranges = ranges
        self.patterns = patterns
        self.only: list[str] = arguments.only
        self.without: list[str] = arguments.without
        self.populated: bool = arguments.populated

    @property
    def all_mappings(self) -> bool:
        """Whether all mappings are wanted: no pattern was given."""
        return not self.patterns.texts

    def ranges_in(self, process: ProcessMethods) -> list[tuple[int, int]] | None:
        """The ranges of addresses to write: those of matching mappings, within the given ranges."""
        if self.all_mappings:
            return self.ranges or None
        found = [(each.start, each.end) for each in process.maps() if self.patterns(each.path)]
        if not self.ranges:
            return found
        return [
            (max(start, first), min(end, last))
            for start, end in found
            for first, last in self.ranges
            if max(start, first) < min(end, last)
        ]


def _write_rows(
    process: ProcessMethods, chosen: _Chosen, form: str, arguments: Namespace, threads: int | None
) -> int:
    """All columns, with rows made in C: the fast path."""
    from pagemap._cli.output import open_output
    from pagemap._cli.progress import Bar
    from pagemap._export.dump import dump

    with open_output(arguments.output) as output:
        terminal = os.isatty(output.fd)
        # A bar among rows on the same terminal would be of no use.
        with Bar(wanted=not terminal) as bar:
            return dump(
                process,
                output,
                format=form,
                header=arguments.header,
                select=None if chosen.all_mappings else chosen.patterns,
                ranges=chosen.ranges or None,
                populated=chosen.populated,
                only=chosen.only,
                without=chosen.without,
                printable=terminal,
                progress=bar,
                threads=threads,
            )


def _show(shown: results.Results, process: ProcessMethods, chosen: _Chosen) -> int:
    """The named columns, or a table of them, in the order that was asked for."""
    rows = 0
    names = shown.wanted()
    frames = [each for each, column in FRAME_COLUMNS.items() if column in names]

    def make() -> Iterator[Table[Any]]:
        nonlocal rows
        stream = process.columns(
            names,
            populated=chosen.populated,
            only=chosen.only,
            without=chosen.without,
            ranges=chosen.ranges_in(process),
            frames=frames,
        )
        for table in stream:
            rows += len(table)
            yield table

    shown.show(make)
    return rows
