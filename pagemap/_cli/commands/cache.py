"""`pagemap cache PATH...`: how much of files is in the page cache."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import columns_help, complete_with_files
from pagemap._vocabulary.rows.cached_file import CACHED_FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any

    from pagemap._analyses.cached_files import CacheSurvey
    from pagemap._tables.table import Table

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show how much of files is in the page cache: of files, of all files below
directories, and of block devices. Nothing is read in, evicted, or marked as
used."""

_TOLD = 3  # errors; of more, how many there are says enough
_GLOB = frozenset("*?[")


def examples() -> str:
    """What stands below the options."""
    return f"""\
{columns_help(CACHED_FILES)}

Rows of a table are in order of what is cached, the largest first; those of other
formats are written as they are found, without --sort. The total includes all
files that have pages cached, also those that --top leaves out. A file of several
names (hard links, bind mounts) is counted once. Symbolic links below a directory
are not followed, and file systems of the kernel's own (proc, sysfs) not entered.

The kernel tells only the owner of a file, and root, how much of it is cached.
The column cached is - for other files, which --all shows. On overlay file
systems, and before Linux 6.5, only mincore tells: then dirty, writeback and
evicted are -.

To read files in, to evict them or to lock them is not the business of this
command: vmtouch -t, vmtouch -e and vmtouch -l do that.

examples:
  pagemap cache . --top 20
  sudo pagemap cache -x /var/lib --min 64M --top 10
  pagemap cache /usr/lib/x86_64-linux-gnu/libc.so.6 --all
  pagemap cache '/etc/*.conf' --csv"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    complete_with_files(
        parser.add_argument(
            "paths",
            metavar="PATH",
            nargs="+",
            help="a file, a directory, a block device, or a pattern of paths",
        )
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
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the files. Returns 0, or the exit code of a path that could not be looked at."""
    from pagemap._analyses.cached_files import CacheSurvey
    from pagemap._cli.parsing import parse_size
    from pagemap._cli.progress import Bar
    from pagemap._errors import UsageError

    least = 0 if arguments.all else 1
    if arguments.least is not None:
        if arguments.all:
            raise UsageError("give --min or --all, not both")
        try:
            least = max(parse_size(arguments.least), 1)
        except UsageError as error:
            raise UsageError(f"--min: {error.message}") from None
    # rows of a table are sorted, so all are kept; those of other formats are written as found
    order = "cached" if arguments.format in (None, "table") else None
    shown = results.Results(arguments, CACHED_FILES, order=order)
    paths = [path for text in arguments.paths for path in _paths(text)]
    last: list[CacheSurvey] = []

    def make() -> Iterator[Table[Any]]:
        with Bar(unit="files") as bar:
            survey = CacheSurvey(
                paths, one_file_system=arguments.one_file_system, least=least, progress=bar
            )
            last[:] = [survey]
            yield from survey.tables()

    shown.show(make)
    return _tell(last[0])


def _paths(text: str) -> list[str]:
    """What a pattern matches, where there is no file of that very name."""
    import os

    if os.path.lexists(text) or not _GLOB.intersection(text):
        return [text]
    from glob import glob

    return sorted(glob(text, recursive=True)) or [text]


def _tell(survey: CacheSurvey) -> int:
    """Say what could not be looked at; the exit code, an error only if that is all."""
    from pagemap._cli.exit_codes import code_of, message_of
    from pagemap._cli.messages import complain

    for error in (*survey.named, *survey.errors[:_TOLD]):
        complain(message_of(error))
    if survey.failed > _TOLD:
        complain(f"and {survey.failed - _TOLD} more files or directories could not be looked at")
    errors = [*survey.named, *(survey.errors if survey.failed == survey.files else ())]
    return code_of(errors[0]) if errors else 0
