"""`pagemap sharing`: which processes share memory, and how much."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import SPACE_HELP, add_threads, in_lines
from pagemap._vocabulary.rows.sharing import PARTS, PARTS_OF_GROUPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping
    from typing import Any

    from pagemap._analyses.sharing_groups import GroupSharing
    from pagemap._analyses.sharing_walk import Sharing
    from pagemap._tables.table import Table

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show which processes share memory, and how much: anonymous memory since a fork,
files by path, shared memory, pages merged by KSM; for pairs and groups of
processes. With targets, only what at least one of them shares with others."""

_MEANINGS = {
    "total": "what two or more processes map, by kind; each frame counts once",
    "processes": "what each process shares with any other",
    "pairs": "what two processes share, with or without others",
    "groups": "what exactly these processes share, by path",
    "paths": "what is shared of a file or named mapping, and what that saves",
    "frames": "the frames that are mapped by the most processes",
}
_OF_GROUPS = {
    "total": "what two or more groups map, by kind; each frame counts once",
    "groups": "what each group shares with any other, and has alone",
    "pairs": "what two groups share, with or without others",
    "sets": "what exactly these groups share, by path",
    "paths": "what groups share of a file or named mapping, and what that saves",
}
_GROUPS = ("name", "exe", "user", "cgroup", "container", "session")
_TOP_OF_TABLES = 10
_TOP_OF_DATA = 1000


def examples() -> str:
    """What stands below the options."""
    columns = {column.name: column.meaning for part in PARTS.values() for column in part}
    more = {column.name: column.meaning for part in PARTS_OF_GROUPS.values() for column in part}
    more = {name: meaning for name, meaning in more.items() if columns.get(name) != meaning}
    return f"""\
parts:
{in_lines(list(_MEANINGS.items()))}

columns of the parts:
{in_lines(list(columns.items()))}

parts with --by:
{in_lines(list(_OF_GROUPS.items()))}

other columns with --by:
{in_lines(list(more.items()))}

With --by a group are all processes with the same {", ".join(_GROUPS[:3])},
{", ".join(_GROUPS[3:-1])} or {_GROUPS[-1]}: a frame that several of them map counts once
for the group. SHARED and WITHIN of the total are what processes share at all,
without --by.

Needs root: CAP_SYS_ADMIN for PFNs, CAP_DAC_READ_SEARCH for /proc/kpageflags.
All processes are read once. This takes at most 4 bytes of memory for each
resident page of the machine, plus 1/64 of the available memory for sets of
processes, as much for names, and with --by for sets of groups. Frames beyond
these limits are counted in the total only, and reported on stderr. A TARGET
that is a name may match several processes. Pages in swap are not included.
Processes that share one address space (vfork, CLONE_VM) count as one. A frame
belongs to the path in the first process that maps it.

Of a snapshot it shows what its own processes share: FILE for all of them,
FILE#PID for what one of them shares with the others. Kinds (anon, file ...) are
known if it was taken with --frames. With --no-pfns nothing is known. Of groups
it knows those by name.

Several parts are printed as several tables; in JSON they are one document, each
part under its name. All other formats, and --columns, --sort and --watch, need
one part: name it with --what.

examples:
  sudo pagemap sharing
  sudo pagemap sharing postgres --targets-only --what pairs,total
  sudo pagemap sharing --what paths --top 50 --csv
  sudo pagemap sharing --by container --what groups"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=SPACE_HELP)
    parser.add_argument(
        "--targets-only", action="store_true", help="read no processes but the targets"
    )
    parser.add_argument(
        "--what",
        action="append",
        default=[],
        metavar="PART[,PART...]",
        help="the parts to show (default: all)",
    )
    parser.add_argument(
        "--by",
        metavar="WHAT",
        help=f"{', '.join(_GROUPS[:-1])} or {_GROUPS[-1]}: what groups of processes share",
    )
    add_threads(parser)
    results.add_arguments(parser, grouped=False)


def run(arguments: Namespace) -> int:
    """Write what is shared."""
    from pagemap._analyses.groups import NUMBERED
    from pagemap._analyses.sharing import sharing, sharing_in
    from pagemap._cli import spaces
    from pagemap._cli.messages import complain
    from pagemap._cli.parsing import parse_count, parse_limit, parse_names
    from pagemap._cli.progress import Bar
    from pagemap._cli.several_tables import Several
    from pagemap._cli.targets import several as targets_meant
    from pagemap._errors import UsageError

    threads = parse_count(arguments.threads, option="--threads")
    by = _group(arguments)
    schemas = PARTS if by is None else PARTS_OF_GROUPS
    option = "--what" if by is None else "--what with --by"
    parts = parse_names(arguments.what, schemas, option=option) or list(schemas)
    top = parse_limit(arguments.top, option="--top")
    if top is None:
        top = _TOP_OF_DATA if arguments.format not in (None, "table") else _TOP_OF_TABLES
        arguments.top = str(top)
    if arguments.sort is not None or arguments.reverse:  # then the heaviest may not come first
        top = max(top, _TOP_OF_DATA)
    if arguments.targets_only and not arguments.targets:
        raise UsageError("--targets-only needs targets: name the processes to read")
    named = ["name", "other_name"] if by in NUMBERED else []  # their groups are numbers
    made: list[Sharing | GroupSharing] = []

    def look() -> Sharing | GroupSharing:
        only: bool = arguments.targets_only
        with Bar(unit="processes") as bar:
            made[:] = [
                sharing(targets, by=by, only=only, top=top, threads=threads, progress=bar)
                if saved is None
                else sharing_in(saved, targets, by=by, top=top, threads=threads, progress=bar)
            ]
        return made[0]

    def one() -> Table[Any]:
        return _parts(look(), parts)[parts[0]]

    shown: Any = (
        results.Results(arguments, schemas[parts[0]], always=named)
        if len(parts) == 1
        else Several(arguments, parts, option="--what", always=named)
    )
    saved = spaces.all_saved(arguments.targets, others=not arguments.targets_only)
    if saved is None:
        targets = targets_meant(arguments.targets)
        alone = arguments.targets_only and len(targets) == 1
    else:
        targets, alone = saved.pids[: saved.named], len(saved.pids) == 1
    if len(parts) == 1:
        shown.show(one)
    else:
        whole = ("pagemap.sharing", 3) if by is None else ("pagemap.sharing.by", 1)
        shown.show(lambda: _parts(look(), parts), *whole)
    if alone and saved is not None:
        complain("of one process alone nothing is shared; take a snapshot of several")
    elif alone:
        complain("of one process alone nothing is shared; name more, or leave out --targets-only")
    return _remark(made[0].about)


def _group(arguments: Namespace) -> str | None:
    """What groups are of, with --by; the rows are of groups then."""
    from pagemap._cli.parsing import parse_names
    from pagemap._errors import UsageError

    by, arguments.by = arguments.by, None
    if by is None:
        return None
    (word, *more) = parse_names([by], _GROUPS, option="--by")
    if more:
        raise UsageError("--by takes one word")
    return word


def _parts(told: Sharing | GroupSharing, parts: list[str]) -> dict[str, Table[Any]]:
    return {name: table for name, table in told._asdict().items() if name in parts}


def _remark(about: Mapping[str, Any]) -> int:
    """Report what the tables do not show; return the exit code."""
    from pagemap._cli.left_out import tell_left_out
    from pagemap._cli.messages import complain
    from pagemap._vocabulary.units import format_size

    if "among" in about:
        complain(f"looked at {about['among']} only")
    if not about["kinds_told"]:
        why = "the snapshot has no flags of frames; take it as root with --frames"
        if about.get("frames_lost"):
            why = "flags of frames were lost where the file was damaged"
        complain(f"kinds of memory are not known: {why}")
    elif about["ksm_told"] is None:
        complain("cannot test whether this kernel marks only merged pages as KSM pages")
    elif not about["ksm_told"]:
        complain(
            "this kernel marks every anonymous page as merged (as some do from Linux 6.10 on): "
            "pages that KSM merged are counted as anonymous"
        )
    if about["untold"]["shared"]:
        complain(
            f"{format_size(about['untold']['shared'])} of shared memory are only in the total, "
            f"because memory allows only {about['sets']} sets of processes; saved is a lower bound"
        )
    tell_left_out(about)
    if about["beyond"]:
        complain(
            f"{format_size(about['beyond'])} of mapped memory are left out: their frames are past "
            "the end of /proc/kpageflags"
        )
        return 1
    return 0
