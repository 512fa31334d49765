"""`pagemap types [TARGET...]`: pages by their flags, counted or listed."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import (
    SPACE_HELP,
    add_filters,
    add_patterns,
    add_ranges,
    add_threads,
    columns_help,
    complete_with_files,
    in_lines,
)
from pagemap._vocabulary.filters import LANGUAGE
from pagemap._vocabulary.flags import PAGE_WORDS
from pagemap._vocabulary.names import spell
from pagemap._vocabulary.rows.page_types import FLAGS, PAGE_RUNS, PAGE_TYPES, run_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any

    from pagemap._tables.table import Table

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Count or list pages by the kernel's flags of their frames (/proc/kpageflags):
the pages of processes, of files in the page cache, or of all memory. Needs
CAP_DAC_READ_SEARCH and, for processes, CAP_SYS_ADMIN (sudo)."""


def examples() -> str:
    """What stands below the options."""
    from pagemap._vocabulary.frame_flags import PAGE_FLAGS

    return f"""\
flags and their letters (those from reserved on only with --raw):
{in_lines([(f"{flag.letter} {flag.name}", flag.meaning) for flag in PAGE_FLAGS])}

A flag may be shortened to any unambiguous beginning, or written as a number (0x
for hexadecimal). Forms of --only:
{LANGUAGE}
For processes it also takes words about page table entries:
{in_lines([(spell(name), meaning) for name, meaning in PAGE_WORDS])}

PAGES counts page table entries: a frame that is mapped several times counts for
each mapping. FRAMES counts it once, with the first of its pages that was read,
and SIZE is the memory of these frames. TARGETs with the same address space
count once. A page of a file with several names counts once.

Present and swapped pages count. Pages in swap have only flags from their page
table entry, which are shown with --raw. Guard regions and other entries that
are neither are counted only if --only names them (guard, marker, migrating,
poisoned, device), and shown under that name. Of files, the cached pages count;
this neither reads the file nor marks its pages as accessed. Memory in use
changes while it is counted, so flags of different pages are of different
moments.

With --file, --range takes numbers of pages, as 0-16, or bytes, as 64K-2M
or 0x1000-0x3000; it applies to each file.

{columns_help(PAGE_TYPES)}

{columns_help(PAGE_RUNS, "columns of a list; mapcount and cgroup are shown if named in --columns")}

examples:
  sudo pagemap types                              all of memory
  sudo pagemap types self --only anon,~swapbacked
  sudo pagemap types self --map '[heap]' --list
  sudo pagemap types 1234 5678 --raw --json
  sudo pagemap types --file /var/lib --only dirty,~mmap
  sudo pagemap types --file /usr/bin/env --range 0-16K --list
  sudo pagemap types self --list --only thp --columns address,pages,mapcount
  pagemap types --describe 0x868"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=SPACE_HELP)
    add_patterns(parser)
    add_ranges(parser)
    parser.add_argument(
        "--pfn",
        action="append",
        default=[],
        dest="pfns",
        metavar="START-END",
        help="frames with these hexadecimal PFNs, or one PFN; may be repeated",
    )
    complete_with_files(
        parser.add_argument(
            "--file",
            action="append",
            default=[],
            dest="files",
            metavar="PATH",
            help="cached pages of a file, or of all files below a directory; may be repeated",
        )
    )
    add_filters(parser)
    complete_with_files(
        parser.add_argument(
            "--charged-to", metavar="PATH|INODE", help="only pages charged to this memory cgroup"
        )
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="show internal flags too, with context-dependent flags told apart",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--list", action="store_true", help="list runs of pages that are alike")
    form.add_argument("--list-each", action="store_true", help="list every page")
    parser.add_argument(
        "--describe",
        metavar="FLAGS",
        help="explain flags, given by names or a number, and read nothing",
    )
    add_threads(parser)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the histogram or the list.

    Of several targets and files, those that cannot be read are told and passed over; returns the
    greatest exit code among them.
    """
    from pagemap._analyses.page_runs import page_runs
    from pagemap._analyses.page_types import page_types
    from pagemap._cli.failures import Failures
    from pagemap._cli.frame_options import cgroup_inode, pfn_range
    from pagemap._cli.left_out import tell_left_out
    from pagemap._cli.mapping_ranges import Chosen, outside_of, within_one
    from pagemap._cli.messages import complain
    from pagemap._cli.parsing import parse_count, parse_file_ranges, parse_ranges
    from pagemap._vocabulary.filters import parse_filters
    from pagemap._vocabulary.page_flags import read_word

    if arguments.describe is not None:
        return _describe(arguments)
    _check(arguments)
    parse_filters(arguments.only, arguments.without, read_word, names=("--only", "--without"))
    failures = Failures(arguments)
    read_ranges = parse_file_ranges if arguments.files else parse_ranges
    where: dict[str, Any] = {
        "ranges": read_ranges(arguments.ranges) or None,
        "frames": [pfn_range(text) for text in arguments.pfns] or None,
        "files": arguments.files,
        "only": arguments.only,
        "without": arguments.without,
        "raw": arguments.raw,
        "cgroup": cgroup_inode(arguments.charged_to),
        "threads": parse_count(arguments.threads, option="--threads"),
        "failed": failures,
    }
    listed = arguments.list or arguments.list_each
    processes, lost = _processes(arguments.targets)
    mappings = Chosen(arguments.patterns)
    unmapped = outside_of(processes, where["ranges"]) if processes and where["ranges"] else None
    if arguments.patterns:
        where["ranges"] = within_one(mappings, processes, where["ranges"])
    shown = _list(arguments, processes) if listed else results.Results(arguments, PAGE_TYPES)

    def make() -> Table[Any] | Iterator[Table[Any]]:
        if not listed:
            return _with_lost(failures.seen(page_types(processes, **where)), lost)
        wanted = shown.wanted()
        tables = page_runs(
            processes,
            each=arguments.list_each,
            mapcounts="mapcount" in wanted,
            cgroups="cgroup" in wanted,
            **where,
        )
        return (_with_lost(failures.seen(table), lost) for table in tables)

    shown.show(make)
    failures.tell_more()
    if lost:
        tell_left_out({"left_out": lost, "all_namespaces": True, "sharers_known": True})
    if unmapped is not None and not failures.code:
        complain(f"no mapping of process {unmapped} is in the given ranges")
        return 1
    return failures.code or mappings.tell()


def _with_lost(table: Table[Any], lost: list[dict[str, Any]]) -> Table[Any]:
    """The table, of which it is known that these processes were left out."""
    if lost:
        table.about |= {"left_out": lost, "complete": False}
    return table


def _processes(texts: list[str]) -> tuple[list[Any], list[dict[str, Any]]]:
    """The pids of the targets; or the processes that are of a snapshot, open, and left out."""
    from pagemap._cli.spaces import all_saved, require_frames
    from pagemap._cli.targets import several

    saved = all_saved(texts)
    if saved is None:
        return several(texts), []
    saved.require_pfns("tell page types")
    require_frames(saved)
    left_out = [each._asdict() for each in saved.left_out]
    return list(map(saved.open, saved.pids)), left_out


def _list(arguments: Namespace, processes: list[Any]) -> results.Results:
    """The output of a list, with the columns that apply to its pages."""
    names = run_columns(
        processes=len(processes), files=bool(arguments.files), each=arguments.list_each
    )
    usual = [name for name in names if name not in ("mapcount", "cgroup")]
    return results.Results(arguments, PAGE_RUNS.select(names), usual=usual)


def _check(arguments: Namespace) -> None:
    """Raise UsageError for options that do not go together."""
    from pagemap._errors import UsageError

    kinds = [
        name
        for name, given in (
            ("TARGET", arguments.targets),
            ("--pfn", arguments.pfns),
            ("--file", arguments.files),
        )
        if given
    ]
    if len(kinds) > 1:
        raise UsageError(
            f"{kinds[0]} and {kinds[1]} cannot be combined: run the command once for each"
        )
    if arguments.ranges and not arguments.files and len(arguments.targets) != 1:
        raise UsageError("--range needs exactly one TARGET, whose addresses it selects, or --file")


def _describe(arguments: Namespace) -> int:
    from pagemap._tables.table import Table
    from pagemap._vocabulary.page_flags import described, parse_flags

    flags = parse_flags(arguments.describe, option="--describe")
    shown = results.Results(arguments, FLAGS)
    shown.show(lambda: Table.of_rows(FLAGS, described(flags), about={"flags": f"{flags:#x}"}))
    return 0
