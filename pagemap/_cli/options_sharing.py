"""The options of `pagemap sharing`."""

from __future__ import annotations

from pagemap._cli.options import TARGET_HELP, add_threads, in_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "PARTS", "add_arguments"]

PARTS = {
    "total": "what two processes and more map, each frame once, by kind",
    "processes": "what each process shares with any other",
    "pairs": "what two processes share, with or without others",
    "groups": "what just these processes share, by path",
    "paths": "what is shared of a file or a mapping's name, and what that saves",
    "frames": "the frames that most processes map",
}

DESCRIPTION = """\
Tell which processes share which memory, and how much: anonymous memory since a
fork, files by path, shared memory, pages merged by KSM; for pairs and groups of
processes. With targets, only what one of them shares with others."""

EXAMPLES = f"""\
parts:
{in_lines(list(PARTS.items()))}

Needs root: CAP_SYS_ADMIN for PFNs, CAP_DAC_READ_SEARCH for /proc/kpageflags.
All processes are looked at once, in memory of 4 bytes at most for each resident
page of the machine, and a 64th of what is available for sets of processes and
as much for names: what finds no room is counted, and said to be untold. A
TARGET that is a name may fit several processes. What lies in swap is not told.
Processes that share one address space (vfork, CLONE_VM) are one. A frame
belongs to the path that its first process maps.

saved is what each process's own copies would take besides, and each mapping's
own copy of a merged page. The page of zeros is nobody's, and is in no amount
but its own column and the frames.

--json writes one object of schema pagemap.sharing/2: sizes in bytes. --csv
writes one part, the pairs if none is named.

examples:
  sudo pagemap sharing
  sudo pagemap sharing postgres --only --what pairs,total
  sudo pagemap sharing --what paths --top 50 --csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=TARGET_HELP)
    parser.add_argument("--only", action="store_true", help="look at no processes but the targets")
    parser.add_argument(
        "--what",
        action="append",
        default=[],
        metavar="PART[,PART...]",
        help="what to tell; all of it by default",
    )
    parser.add_argument(
        "--top", metavar="N", help="the heaviest so many of each part (10 in a table, else 1000)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON instead of tables")
    form.add_argument("--csv", action="store_true", help="write CSV instead of tables")
    add_threads(parser)
