"""`pagemap cache PATH...`: how much of files is in the page cache."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import add_threads, columns_help, complete_with_files
from pagemap._vocabulary.rows.cached_file import (
    CACHED_FILES,
    CHARGED_CGROUPS,
    CHARGED_FILES,
    HELD_FILES,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any

    from pagemap._cli.cache_survey import Survey
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show how much of files is in the page cache: of files, of all files below
directories, of block devices, or of the files that processes have open or
mapped. Nothing is read in, evicted, or marked as used."""

_TOLD = 3  # errors; of more, how many there are says enough
_GLOB = frozenset("*?[")
_MARKS = ("active", "mapped", "mapcount")
_HELD = ("deleted", "processes", "descriptors", "mappings", "pids", "names")


def examples() -> str:
    """What stands below the options."""
    return f"""\
{columns_help(CACHED_FILES)}

{columns_help(HELD_FILES.select(_HELD), "columns of --open, with those above")}

{columns_help(CHARGED_FILES, "columns of --charged")}

{columns_help(CHARGED_CGROUPS, "columns of --by cgroup")}

Rows of a table are in order of what is cached, the largest first; those of
other formats are written as they are found, without --sort. The total includes
all files that have pages cached, also those that --top leaves out. A file of
several names (hard links, bind mounts) is counted once. Symbolic links below a
directory are not followed, and file systems of the kernel's own (proc, sysfs)
not entered.

The kernel tells only the owner of a file, and root, how much of it is cached.
The column cached is - for other files, which --all shows, and --open. On
overlay file systems, and before Linux 6.5, only mincore tells: then dirty,
writeback and evicted are -.

--bar draws the file from its beginning to its end: blocks as high as much of a
part is cached; where the output is no terminal that takes UTF-8, O where all is
and o where something is. Without a bar the other formats leave this column out.

--frames, --charged and --by cgroup need root: cached pages are mapped for a
moment to see their frames, which makes none of them active or referenced. A
page is charged to the cgroup that brought it in, whoever uses it since; what
else is charged to cgroups, memory --by cgroup shows.

--open finds files by device and inode, through /proc/PID/fd and map_files: also
deleted ones, memfds, and those of containers. Without root it shows the files
of your own processes. Empty files and block devices are not among them.

To read files in, to evict them or to lock them is not the business of this
command: vmtouch -t, vmtouch -e and vmtouch -l do that.

examples:
  pagemap cache . --top 20
  sudo pagemap cache -x /var/lib --min 64M --top 10
  pagemap cache /usr/lib/x86_64-linux-gnu/libc.so.6 --all --bar
  sudo pagemap cache --open --top 10
  sudo pagemap cache /var/log --by cgroup
  pagemap cache '/etc/*.conf' --csv"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    complete_with_files(
        parser.add_argument(
            "paths",
            metavar="PATH",
            nargs="*",
            help="a file, a directory, a block device, or a pattern of paths",
        )
    )
    parser.add_argument(
        "--open",
        action="store_true",
        help="the files that processes have open or mapped, and which processes, instead of PATH",
    )
    parser.add_argument(
        "-x", "--one-file-system", action="store_true", help="enter no other file systems"
    )
    parser.add_argument(
        "--min", dest="least", metavar="SIZE", help="only files of which so much is cached (64K)"
    )
    parser.add_argument(
        "--all", action="store_true", help="also files of which nothing is cached, or told"
    )
    parser.add_argument(
        "--bar", action="store_true", help="show which parts of each file are cached"
    )
    parser.add_argument(
        "--frames",
        action="store_true",
        help="show how much of each file is active and mapped, and how often",
    )
    parser.add_argument(
        "--charged",
        action="store_true",
        help="what of each file is charged to which cgroup; --by cgroup sums that up",
    )
    add_threads(parser)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the files. Returns 0, or the exit code of a path that could not be looked at."""
    from pagemap._cli.cache_survey import rows_of, shares_of, tables_of
    from pagemap._cli.parsing import parse_count

    least = _least(arguments)
    by_cgroup = arguments.by == "cgroup"
    charged = by_cgroup or arguments.charged
    _check(arguments, charged=charged)
    if by_cgroup:
        arguments.by = None
    schema: Schema[Any] = HELD_FILES if arguments.open else CACHED_FILES
    if charged:
        schema = CHARGED_CGROUPS if by_cgroup else CHARGED_FILES
    # rows of a table are sorted, so all are kept; those of other formats are written as found
    order = "cached" if arguments.format in (None, "table") else None
    shown, frames, bar = _results(arguments, schema, order, charged=charged)
    paths = [path for text in arguments.paths for path in _paths(text)]
    threads = parse_count(arguments.threads, option="--threads")
    last: list[Survey] = []

    def make() -> Iterator[Table[Any]]:
        with shares_of(frames=frames, charged=charged, threads=threads) as shares:
            rows = rows_of(least, charged=charged, held=arguments.open)
            tables = tables_of(arguments, paths, rows, shares=shares, bar=bar, last=last)
            if not by_cgroup:
                yield from tables
                return
            from pagemap._analyses.cached_charged import cache_cgroups

            yield cache_cgroups(tables)

    shown.show(make)
    return _tell(last[0], held=arguments.open)


def _least(arguments: Namespace) -> int:
    from pagemap._cli.parsing import parse_size
    from pagemap._errors import UsageError

    if arguments.least is None:
        return 0 if arguments.all else 1
    if arguments.all:
        raise UsageError("give --min or --all, not both")
    try:
        return max(parse_size(arguments.least), 1)
    except UsageError as error:
        raise UsageError(f"--min: {error.message}") from None


def _check(arguments: Namespace, *, charged: bool) -> None:
    from pagemap._errors import UsageError

    if arguments.open and arguments.paths:
        raise UsageError("give either PATH, or --open for the files of processes")
    if not arguments.open and not arguments.paths:
        raise UsageError("no file is named: give PATH, or --open for the files of processes")
    if arguments.open and arguments.one_file_system:
        raise UsageError("-x is for directories, and --open enters none")
    which = "--charged" if arguments.charged else "--by cgroup"
    for option in ("bar", "all", "frames"):
        if charged and getattr(arguments, option):
            raise UsageError(f"--{option} is not for {which}, which has rows for cgroups")


def _results(
    arguments: Namespace, schema: Schema[Any], order: str | None, *, charged: bool
) -> tuple[results.Results, bool, bool]:
    """The output, and whether frames and bars are wanted: by an option, or by a column's name."""
    frames = arguments.frames and not charged
    unasked = {*(() if frames else _MARKS), *(() if arguments.bar else ("residency",))}
    usual = None if charged else [name for name in schema.names if name not in unasked]
    always = [*(_MARKS if frames else ()), *(("residency",) if arguments.bar else ())]
    shown = results.Results(
        arguments, schema, order=order, usual=usual, always=always, also_by=["cgroup"]
    )
    if not charged:
        frames = frames or any(map(shown.named, _MARKS))
    return shown, frames, arguments.bar or (not charged and shown.named("residency"))


def _paths(text: str) -> list[str]:
    """What a pattern matches, where there is no file of that very name."""
    import os

    if os.path.lexists(text) or not _GLOB.intersection(text):
        return [text]
    from glob import glob

    return sorted(glob(text, recursive=True)) or [text]


def _tell(survey: Survey, *, held: bool) -> int:
    """Say what could not be looked at; the exit code, an error only if that is all."""
    from pagemap._cli.exit_codes import code_of, message_of
    from pagemap._cli.messages import complain

    for error in (*survey.named, *survey.errors[:_TOLD]):
        complain(message_of(error))
    if survey.failed > _TOLD:
        complain(f"and {survey.failed - _TOLD} more files or directories could not be looked at")
    for error in survey.left_out[:_TOLD]:
        complain(str(error))
    if survey.unasked > _TOLD:
        complain(f"and {survey.unasked - _TOLD} more were left out")
    if held:
        from pagemap._cli.left_out import tell_left_out, tell_unasked

        tell_left_out(about := survey.about())
        tell_unasked(about["unasked"])  # type: ignore[arg-type]
        return 0  # who has which files is known all the same
    errors = [*survey.named, *(survey.errors if survey.failed == survey.files else ())]
    return code_of(errors[0]) if errors else 0
