"""The options of `pagemap footprint`."""

from __future__ import annotations

from pagemap._cli.options import TARGET_HELP, complete_with_files, in_lines
from pagemap._render.footprint_columns import SHOWN
from pagemap._vocabulary.words import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments"]

DESCRIPTION = """\
Tell what memory processes take: resident (rss), divided among those who share
it (pss), private (uss), swapped, clean and dirty; of processes, of their
mappings, or of the files they map. Without a target: of all processes."""

EXAMPLES = f"""\
columns:
{in_lines([(spell(column.name), column.meaning) for column in SHOWN])}

Of several processes pss and uss add up to what they take together; rss counts
shared pages again and again. A name as TARGET means all processes that have it.

The sums are the kernel's own (smaps_rollup; with --maps or --by-path, smaps),
and one needs no rights for one's own processes. While the kernel sums up a
mapping, 13 ms a gigabyte, it holds the process's lock, and mmap() there waits.
--gentle walks the page table instead, 512 pages at a time, with pauses, and
tells how long the longest chunk took. It needs root, and shows - for what it
cannot tell: swap-pss; what of shared memory lies in swap, where any is in use;
clean and dirty, where a page may have been written without a mark on its frame
(lazily freed, shared memory that was read first, and all anonymous memory of a
machine that ever read a page back from swap).

One address space of several processes (vfork, CLONE_VM) is counted once, in the
row of the first of them: the column also, and stderr, name the others. Files
are told apart by device and inode, whatever their names.

hugetlb-pss is known without --gentle where nothing of it is shared. What
several have of the hugetlb pool is not added up: in the total it is - or null.

Processes that end meanwhile, or forbid reading, are named on stderr and, in
JSON, under passed; the others are shown all the same.

--json writes one object of schema pagemap.footprint/2: sizes in bytes, the
share from 0 to 1, the totals after the rows. JSON and CSV have the columns'
names with underscores (swap_pss), which --columns takes too.

examples:
  pagemap footprint --sort uss | head
  pagemap footprint nginx postgres --columns pid,pss,swap,name
  sudo pagemap footprint --cgroup /sys/fs/cgroup/system.slice --by-path
  sudo pagemap footprint java --gentle --budget 10
  pagemap footprint --all --watch 2"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=TARGET_HELP)
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--all", action="store_true", help="all processes")
    complete_with_files(
        who.add_argument(
            "--cgroup", metavar="PATH", help="those of a cgroup's directory, and of all below it"
        )
    )
    view = parser.add_mutually_exclusive_group()
    view.add_argument("--maps", action="store_true", help="a row for each mapping")
    view.add_argument(
        "--by-path", action="store_true", help="a row for each mapped file, over all processes"
    )
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="NAME[,NAME...]",
        help="what to show, in this order (private is uss, memory is share)",
    )
    parser.add_argument(
        "--sort", metavar="COLUMN", help="amounts: the largest first; by default by pss"
    )
    parser.add_argument(
        "--gentle", action="store_true", help="never hold a process's lock for long (root)"
    )
    parser.add_argument(
        "--budget", metavar="PERCENT", help="of one core, that --gentle may use (25)"
    )
    parser.add_argument("--watch", metavar="SECONDS", help="again and again, until interrupted")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON instead of a table")
    form.add_argument("--csv", action="store_true", help="write CSV instead of a table")
