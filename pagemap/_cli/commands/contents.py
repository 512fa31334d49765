"""`pagemap contents FILE`: which processes a snapshot file has, and at which moments."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import columns_help, complete_with_files
from pagemap._vocabulary.rows.contents import CONTENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show what a file of snapshot or record has: its processes and moments, when and
where they were taken, and what was saved of them."""


def examples() -> str:
    """What stands below the options."""
    return f"""\
Other commands read one of them where a TARGET is taken: FILE#PID is a process,
FILE@N a moment, FILE@-1 the last. Pages are not read here: whether they are as
they were written is seen where they are read.

{columns_help(CONTENTS)}

examples:
  pagemap contents before.pagemap
  pagemap contents before.pagemap --columns moment,begin,complete"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    complete_with_files(
        parser.add_argument("file", metavar="FILE", help="a file of snapshot or record")
    )
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the rows. Says so where the file ends within a moment."""
    from pagemap._cli.messages import complain, ends_midway
    from pagemap._cli.saved_files import check_whole
    from pagemap._snapshot import Snapshot

    shown = results.Results(arguments, CONTENTS)
    check_whole(arguments.file)
    with Snapshot(arguments.file) as snapshot:
        if snapshot.cut_short:
            complain(ends_midway(snapshot))
        shown.show(snapshot.contents)
    return 0
