"""`pagemap footprint [TARGET...]`: what memory processes take."""

from __future__ import annotations

from contextlib import ExitStack

from pagemap._cli import results
from pagemap._cli.options import TARGET_HELP, columns_help, complete_with_files, in_lines
from pagemap._vocabulary.rows.footprint import FOOTPRINTS, MAPPING_FOOTPRINTS, PATH_FOOTPRINTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from pagemap._analyses.gentle import Gentle
    from pagemap._errors import PagemapError
    from pagemap._space.every_process import EveryProcess
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Tell what memory processes take: resident (rss), divided among those who share
it (pss), private (uss), swapped, clean and dirty; of processes, of their
mappings, or of the files they map. Without a target: of all processes."""

_SCHEMAS: dict[str, Schema[Any]] = {"mapping": MAPPING_FOOTPRINTS, "path": PATH_FOOTPRINTS}
_GROUPS = ("name", "user", "cgroup")
_NAMED = ("user", "cgroup", "cmdline")  # they cost more, so they are for who names them
_USUAL_BUDGET = 0.25


def examples() -> str:
    """What stands below the options."""
    apart = [
        (column.name, column.meaning)
        for schema in _SCHEMAS.values()
        for column in schema
        if column.name not in FOOTPRINTS
    ]
    return f"""\
{columns_help(FOOTPRINTS)}

columns with --by mapping and --by path:
{in_lines(list(dict(apart).items()))}

Of several processes pss and uss add up to what they take together; rss counts
shared pages again and again. A name as TARGET means all processes that have it.
user, cgroup and cmdline are shown when they are named.

The sums are the kernel's own (smaps_rollup; for mappings and paths smaps), and
one needs no rights for one's own processes. While the kernel sums up a mapping,
13 ms a gigabyte, it holds the process's lock, and mmap() there waits. --gentle
walks the page table instead, 512 pages at a time, with pauses, and tells how
long the longest chunk took. It needs root, and shows - for what it cannot tell:
swap_pss, thp, locked, lazyfree, referenced; what of shared memory lies in swap,
where any is in use; clean and dirty, where a page may have been written without
a mark on its frame (lazily freed, shared memory that was read first, and all
anonymous memory of a machine that ever read a page back from swap).

One address space of several processes (vfork, CLONE_VM) is counted once, in the
row of the first of them; the column sharers has the others. Files are told
apart by device and inode, whatever their names. What several have of the
hugetlb pool is not added up. Processes that end meanwhile, or forbid reading,
are counted on stderr, and named in JSON (about.left_out).

examples:
  pagemap footprint --sort uss --top 10
  pagemap footprint self --columns pid,pss,swap,cmdline
  pagemap footprint --by user
  sudo pagemap footprint --cgroup /sys/fs/cgroup/system.slice --by path
  sudo pagemap footprint self --gentle --budget 10
  pagemap footprint --watch 2"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=TARGET_HELP)
    complete_with_files(
        parser.add_argument(
            "--cgroup", metavar="PATH", help="those of a cgroup's directory, and of all below it"
        )
    )
    parser.add_argument(
        "--by",
        metavar="WHAT",
        help="mapping or path: a row for each mapping, or each mapped file; "
        "name, user or cgroup: a row for the processes alike",
    )
    parser.add_argument(
        "--gentle", action="store_true", help="never hold a process's lock for long (root)"
    )
    parser.add_argument(
        "--budget", metavar="PERCENT", help="how much of one core --gentle may use (25)"
    )
    results.add_arguments(parser, grouped=False)


def run(arguments: Namespace) -> int:
    """Write the footprints. Returns 0, or the code of a target that was not read."""
    from pagemap._cli.words import parse_names
    from pagemap._errors import Unsupported, UsageError

    if arguments.targets and arguments.cgroup is not None:
        raise UsageError("give targets or --cgroup PATH, not both")
    by = arguments.by
    if by is not None:
        (by, *more) = parse_names([by], [*_SCHEMAS, *_GROUPS], option="--by")
        if more:
            raise UsageError("--by takes one word")
    schema: Schema[Any] = _SCHEMAS.get(by, FOOTPRINTS)
    arguments.by = None if by in _SCHEMAS else by
    usual = [name for name in schema.names if name not in _NAMED]
    order = None if by == "mapping" else "pss"  # mappings stand in order of address
    shown = results.Results(arguments, schema, order=order, usual=usual)
    budget = _budget(arguments)
    with ExitStack() as stack:
        gentle = None
        if budget is not None:
            from pagemap._analyses.gentle import UNTOLD, Gentle

            for name in UNTOLD:
                if shown.named(name):
                    raise Unsupported(
                        f"--gentle cannot tell {name}: only the kernel's own sums have it; "
                        "leave out --gentle"
                    )
            gentle = stack.enter_context(Gentle(budget))
        report = _Report(arguments, shown, by if by in _SCHEMAS else "process", gentle)
        shown.show(report.read)
        return report.tell()


def _budget(arguments: Namespace) -> float | None:
    from pagemap._cli.words import parse_count
    from pagemap._errors import UsageError

    percent = parse_count(arguments.budget, option="--budget")
    if percent is None:
        return _USUAL_BUDGET if arguments.gentle else None
    if not arguments.gentle:
        raise UsageError("--budget says how much of a core --gentle may use; add --gentle")
    if percent > 100:
        raise UsageError(f"--budget is a percentage of one core, from 1 to 100, not {percent}")
    return percent / 100


class _Report:
    """What is asked for, to be read once, or again and again; and what the rows do not show."""

    def __init__(
        self, arguments: Namespace, shown: results.Results, by: str, gentle: Gentle | None
    ) -> None:
        self._targets: list[str] = arguments.targets
        self._cgroup: str | None = arguments.cgroup
        self._names = shown.wanted()
        self._by = by
        self._gentle = gentle
        self._failed: list[PagemapError] = []
        self._every: EveryProcess | None = None
        self._rows = 0

    def read(self) -> Table[Any]:
        """The rows. Raises the error of targets where none can be read."""
        from pagemap._analyses.footprints import footprints_of
        from pagemap._cli.messages import complain
        from pagemap._errors import NoSuchProcess, TargetVanished

        before = self._rows
        self._failed = []
        every = self._every = self._processes()
        table = footprints_of(every, names=self._names, by=self._by, gentle=self._gentle)
        self._rows = len(table)
        if self._targets:
            self._failed += every.errors.values()
            if self._failed and not self._rows and not every.left_out[len(every.errors) :]:
                *others, last = self._failed
                for error in others:
                    complain(str(error))
                if before and isinstance(last, NoSuchProcess):  # it was there
                    raise TargetVanished(str(last), pid=last.pid, errno=last.errno)
                raise last
        return table

    def _processes(self) -> EveryProcess:
        """Who is meant; targets that are not to be found go to `_failed`."""
        from pagemap._cli.targets import several
        from pagemap._errors import PagemapError, UsageError
        from pagemap._kernel.cgroup_members import pids_of
        from pagemap._space.every_process import EveryProcess

        if self._cgroup is not None:
            return EveryProcess(others=pids_of(self._cgroup))
        if not self._targets:
            return EveryProcess()
        found: dict[int, None] = {}
        for text in self._targets:
            try:
                found.update(dict.fromkeys(several([text])))
            except UsageError:
                raise
            except PagemapError as error:
                self._failed.append(error)
        return EveryProcess(found, others=())

    def tell(self) -> int:
        """Say what the rows do not show; the exit code, for somebody must have been readable."""
        from pagemap._cli.exit_codes import DENIED, code_of, message_of
        from pagemap._cli.left_out import tell_left_out, tell_sharers
        from pagemap._cli.messages import complain
        from pagemap._space import every_process

        every = self._every
        assert every is not None
        for error in self._failed:
            complain(message_of(error))
        # sums alone are in a file of mode 0444
        sums = self._by == "process" and self._gentle is None
        tell_left_out(every, sums=sums, told=every.errors if self._targets else ())
        tell_sharers(every.sharers)
        if self._gentle is not None and self._gentle.chunks:
            longest = self._gentle.longest * 1000
            complain(f"the longest of {self._gentle.chunks} chunks took {longest:.2f} ms")
        if self._failed:
            return code_of(self._failed[0])
        if self._cgroup is not None and not every.pids:
            complain(f"cgroup {self._cgroup!r} has no processes")
        denied = any(each.reason == every_process.DENIED for each in every.left_out)
        return DENIED if denied and not self._rows else 0
