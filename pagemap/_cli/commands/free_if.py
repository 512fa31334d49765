"""`pagemap free-if`: how much memory comes back if processes end."""

from __future__ import annotations

from pagemap._cli import processes, results
from pagemap._cli.options import add_threads, columns_help
from pagemap._vocabulary.rows.freed import FREED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping
    from typing import Any

    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.freed import FreedRow

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run", "tell_estimate"]

_NAMED = 3  # kernel threads; of more, how many there are says enough

DESCRIPTION = """\
Show how much memory comes back if all these processes end: what they alone map,
and the shared memory, page tables and swap that end with them; what only
becomes droppable (page cache), and what stays. Nothing is killed."""


def examples() -> str:
    """What stands below the options."""
    return f"""\
{columns_help(FREED)}

Targets, a cgroup or a user are one group, in one row. With --by there is a row
for each group among them, or of all processes: what comes back if that group
alone ends. Rows add up to what is surely free if all of them end; what several
groups share is in none of them, but in the stays of each.

A page comes back if all its mappings that the kernel counts are of the group,
and of a large anonymous folio (THP) only if all its pages do: until memory is
short the kernel keeps the whole folio for one page. Shared memory comes back if
it has no name, and no other process maps it or has it open: memfds, MAP_SHARED
memory, removed files of tmpfs, and segments of System V that are marked to be
destroyed. Files of tmpfs stay. Removed files on disks count as droppable.

Not included: other kernel memory of the processes (files, sockets, pipes,
slab), shared memory that is held by a descriptor in flight, and swap slots of
pages that are in memory too. The answer is valid for the moment only. The
kernel puts some of what comes back on lists of each CPU first, where
MemAvailable of /proc/meminfo does not count it.

Needs root: CAP_SYS_ADMIN for PFNs, CAP_DAC_READ_SEARCH for /proc/kpagecount.
Without, it is an estimate by the kernel's sums (smaps): what is mapped more
than once counts as staying, even if only processes of the group map it.

examples:
  sudo pagemap free-if nginx
  sudo pagemap free-if --by name --top 10
  sudo pagemap free-if --by container
  sudo pagemap free-if --cgroup /sys/fs/cgroup/system.slice --by process --json
  pagemap free-if self"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    processes.add_arguments(parser)
    parser.add_argument(
        "--by",
        metavar="WHAT",
        help="process, name, exe, user, cgroup, container or session: a row for each",
    )
    add_threads(parser)
    results.add_arguments(parser, grouped=False)


def run(arguments: Namespace) -> int:
    """Write what comes back. Returns 0, or the exit code where nothing could be read."""
    from pagemap._analyses.freed import freed
    from pagemap._analyses.groups import GROUPS, NUMBERED
    from pagemap._cli.parsing import parse_count, parse_names
    from pagemap._cli.progress import Bar
    from pagemap._errors import UsageError

    asked = processes.Many(arguments)
    threads = parse_count(arguments.threads, option="--threads")
    by = arguments.by
    arguments.by = None  # the rows are the groups
    if by is not None:
        (by, *more) = parse_names([by], GROUPS, option="--by")
        if more:
            raise UsageError("--by takes one word")
    elif not arguments.targets and arguments.cgroup is None and arguments.user is None:
        raise UsageError(
            "name the processes that end: TARGET..., --cgroup PATH, --user NAME, "
            "or --by WHAT for all groups"
        )
    named = ["name"] if by in NUMBERED else []  # their groups are numbers
    shown = results.Results(arguments, FREED, order="frees", always=named)
    made: list[Table[FreedRow]] = []

    def look() -> Table[FreedRow]:
        with Bar(unit="processes") as bar:
            made[:] = [
                freed(
                    asked.pids(),
                    cgroup=arguments.cgroup,
                    user=arguments.user,
                    by=by,
                    threads=threads,
                    progress=bar,
                )
            ]
        return made[0]

    shown.show(look)
    return max(asked.failed(), _remark(made[0]))


def tell_estimate(about: Mapping[str, Any], frees: int | None = None) -> None:
    """Say on stderr that what comes back is estimated, if it is; `frees` is shown in all."""
    from pagemap._cli.messages import complain
    from pagemap._vocabulary.units import format_size

    if about["estimated"]:
        why = "" if about["why"] is None else f", because {about['why']}"
        most = format_size(about["at_most"])
        more = f": with all of it {most} would come back"
        if frees is not None and format_size(frees) == most:
            more = ""
        complain(f"estimated{why}; what is mapped more than once counts as staying{more}")


def _remark(table: Table[FreedRow]) -> int:
    """Report what the table does not show; return the exit code."""
    from pagemap._cli.exit_codes import DENIED
    from pagemap._cli.left_out import tell_left_out
    from pagemap._cli.messages import complain
    from pagemap._space.left_out import KERNEL_THREAD

    about: Any = table.about
    tell_estimate(about, table.total().frees)
    if about["held"]:
        complain(
            "the memory of these stays, because processes that do not end have it too (vfork, "
            f"CLONE_VM): {', '.join(map(str, about['held'][:20]))}"
        )
    threads = [each["pid"] for each in about["left_out"] if each["reason"] == KERNEL_THREAD]
    if len(threads) > _NAMED:
        threads = []
    for pid in threads:
        complain(f"process {pid} is a kernel thread: it has no mappings")
    tell_left_out(about, told=threads)
    denied = any(each["reason"] == "permission denied" for each in about["left_out"])
    return DENIED if denied and not len(table) else 0
