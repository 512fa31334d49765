"""`pagemap sharing`: which processes share which memory."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import TARGET_HELP, add_threads, in_lines
from pagemap._vocabulary.rows.sharing import PARTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping
    from typing import Any

    from pagemap._analyses.sharing import Sharing
    from pagemap._tables.table import Table

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Tell which processes share which memory, and how much: anonymous memory since a
fork, files by path, shared memory, pages merged by KSM; for pairs and groups of
processes. With targets, only what one of them shares with others."""

_MEANINGS = {
    "total": "what two processes and more map, each frame once, by kind",
    "processes": "what each process shares with any other",
    "pairs": "what two processes share, with or without others",
    "groups": "what just these processes share, by path",
    "paths": "what is shared of a file or a mapping's name, and what that saves",
    "frames": "the frames that most processes map",
}
_TOP_OF_TABLES = 10
_TOP_OF_DATA = 1000


def examples() -> str:
    """What stands below the options."""
    columns = {column.name: column.meaning for part in PARTS.values() for column in part}
    return f"""\
parts:
{in_lines(list(_MEANINGS.items()))}

columns, of one part or another:
{in_lines(list(columns.items()))}

Needs root: CAP_SYS_ADMIN for PFNs, CAP_DAC_READ_SEARCH for /proc/kpageflags.
All processes are looked at once, in memory of 4 bytes at most for each resident
page of the machine, and a 64th of what is available for sets of processes and
as much for names: what finds no room is counted, and said to be untold. A
TARGET that is a name may fit several processes. What lies in swap is not told.
Processes that share one address space (vfork, CLONE_VM) are one. A frame
belongs to the path that its first process maps.

Several parts are several tables, or in JSON one document with each under its
name. All other formats, and --columns, --sort, --by and --watch, are of one
part, which --what names.

examples:
  sudo pagemap sharing
  sudo pagemap sharing postgres --targets-only --what pairs,total
  sudo pagemap sharing --what paths --top 50 --csv"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=TARGET_HELP)
    parser.add_argument(
        "--targets-only", action="store_true", help="look at no processes but the targets"
    )
    parser.add_argument(
        "--what",
        action="append",
        default=[],
        metavar="PART[,PART...]",
        help="what to tell; all of it by default",
    )
    add_threads(parser)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write what is shared."""
    from pagemap._analyses.sharing import sharing
    from pagemap._cli.parsing import parse_count, parse_limit, parse_names
    from pagemap._cli.progress import Bar
    from pagemap._cli.several_tables import Several
    from pagemap._cli.targets import several as targets_meant
    from pagemap._errors import UsageError

    threads = parse_count(arguments.threads, option="--threads")
    parts = parse_names(arguments.what, PARTS, option="--what") or list(PARTS)
    top = parse_limit(arguments.top, option="--top")
    if top is None:
        top = _TOP_OF_DATA if arguments.format not in (None, "table") else _TOP_OF_TABLES
        arguments.top = str(top)
    if arguments.targets_only and not arguments.targets:
        raise UsageError("--targets-only wants targets: those that are to be looked at")
    made: list[Sharing] = []

    def look() -> Sharing:
        with Bar(unit="processes") as bar:
            made[:] = [
                sharing(
                    targets, only=arguments.targets_only, top=top, threads=threads, progress=bar
                )
            ]
        return made[0]

    def one() -> Table[Any]:
        return _parts(look(), parts)[parts[0]]

    shown: Any = (
        results.Results(arguments, PARTS[parts[0]])
        if len(parts) == 1
        else Several(arguments, parts, option="--what")
    )
    targets = targets_meant(arguments.targets)
    if len(parts) == 1:
        shown.show(one)
    else:
        shown.show(lambda: _parts(look(), parts), "pagemap.sharing", 3)
    return _remark(made[0].about)


def _parts(told: Sharing, parts: list[str]) -> dict[str, Table[Any]]:
    return {name: table for name, table in told._asdict().items() if name in parts}


def _remark(about: Mapping[str, Any]) -> int:
    """Say what the tables do not; the exit code."""
    from pagemap._cli.left_out import tell_left_out
    from pagemap._cli.messages import complain
    from pagemap._vocabulary.units import format_size

    if about["ksm_told"] is None:
        complain("it could not be tried whether this kernel marks only merged pages as such")
    elif not about["ksm_told"]:
        complain(
            "this kernel marks every anonymous page as merged (some from Linux 6.10 on do): pages "
            "that KSM merged are counted as anonymous"
        )
    if about["untold"]["shared"]:
        complain(
            f"{format_size(about['untold']['shared'])} of what is shared lie in more sets of "
            f"processes than the {about['sets']} that there is room for: they are in the total "
            "alone, and saved is the least that it can be"
        )
    tell_left_out(about)
    if about["beyond"]:
        complain(
            f"{format_size(about['beyond'])} of what is mapped lie past the end of "
            "/proc/kpageflags: not looked at"
        )
        return 1
    return 0
