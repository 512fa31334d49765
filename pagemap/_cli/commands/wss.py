"""`pagemap wss TARGET`: how much of what is resident is touched in a window of time."""

from __future__ import annotations

from contextlib import ExitStack

from pagemap._cli import results
from pagemap._cli.options import (
    TARGET_HELP,
    columns_help,
    complete_with_files,
    in_lines,
)
from pagemap._vocabulary.rows.working_set import METHODS, WORKING_SETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any

    from pagemap._errors import TargetVanished
    from pagemap._history.working_set import WorkingSet
    from pagemap._tables.table import Table

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show how much of its resident memory a process touches in a window of time, and
how much it does not: the working set, by mapping, of those that have any. With
--cgroup, that of all processes of a cgroup. It takes as long as the window."""

_WINDOW = 10.0


def examples() -> str:
    """What stands below the options."""
    return f"""\
methods:
{in_lines(list(METHODS.items()))}

Without --method the best that works is used: for a process damon, then
referenced; for a cgroup mglru, then referenced. The method and its precision
are reported on stderr and in JSON (about.method, about.precision; about.
passed_over says why others were not used). No method is exact: a page whose
translation stays in the TLB of a processor leaves no mark when it is touched.

{columns_help(WORKING_SETS)}
  idle_Ns   resident and not touched N seconds after the window began: a column
            for each time of --idle, and for the end of the window

This command changes the target: it clears the accessed marks of its pages,
which disturbs other tools that read them, such as Referenced in smaps, and
another wss of the same process at the same time: run one at a time. written
clears the soft-dirty bits instead. referenced holds the mmap_lock of a process
while it clears and reads, 13 ms for each gigabyte. mglru ages the memory of a
cgroup. --probe takes up to half of it away, in 20 steps, and stops when what
was taken is needed again; the processes wait meanwhile. damon is not used while
somebody else has set up DAMON; its settings are removed at the end, even if
this command is killed.

If the process exits before the window ends, the exit code is 75. Shown is what
was read until then: at the times of --idle, so that before the first of these
nothing is.

examples:
  pagemap wss 4242 --over 1s
  pagemap wss self --over 500ms --sort touched --top 10
  sudo pagemap wss 1234 --over 1s --idle 200ms,500ms --json
  sudo pagemap wss 4242 --over 1s --method referenced --by path"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("target", metavar="TARGET", nargs="?", help=TARGET_HELP)
    complete_with_files(
        parser.add_argument(
            "--cgroup", metavar="PATH", help="all processes of this memory cgroup directory"
        )
    )
    for option, metavar, text in (
        ("over", "TIME", "how long the window is: seconds, or 500ms, 10s, 2m (default: 10s)"),
        ("every", "TIME", "begin a new window every TIME, which is --over or longer, as --watch"),
        ("method", "METHOD", "how to find what is touched (default: the best that works)"),
    ):
        parser.add_argument(f"--{option}", metavar=metavar, help=text)
    parser.add_argument(
        "--idle",
        action="append",
        default=[],
        metavar="TIME[,TIME...]",
        help="times of the columns of what is not touched (default: 5s, 30s, 60s below --over)",
    )
    parser.add_argument(
        "--regions",
        action="store_true",
        help="a row for each part of a mapping that was first touched at one time (damon, written)",
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="take memory away from the cgroup until it is needed (root, cgroup v2); disturbs it",
    )
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Measure and write. Returns 0, or the exit code where no process of a cgroup may be read."""
    from pagemap._cli import targets
    from pagemap._cli.messages import complain
    from pagemap._cli.watch import parse_seconds
    from pagemap._errors import UsageError
    from pagemap._history.window import LEAST
    from pagemap._process import Process
    from pagemap._tables.table import Table

    if (arguments.target is None) is (arguments.cgroup is None):
        raise UsageError("give one TARGET, or --cgroup PATH")
    over = _WINDOW
    if arguments.over is not None:
        over = parse_seconds(arguments.over, option="--over")
        if over < LEAST:
            raise UsageError(f"--over must be at least {LEAST * 1000:g}ms, not {arguments.over}")
    if arguments.every is not None:
        if arguments.watch is not None:
            raise UsageError("give --every or --watch, not both: they mean the same")
        if parse_seconds(arguments.every, option="--every") < over:
            raise UsageError(f"--every must be at least as long as the window, {over:g} s")
        arguments.watch = arguments.every
    pid = None if arguments.target is None else targets.one(arguments.target)
    asked = _asked(arguments, pid, over)
    shown = results.Results(
        arguments, asked.schema, order=None if arguments.regions else "rss", waits=True
    )
    with ExitStack() as stack:
        process = None if pid is None else stack.enter_context(Process(pid))
        if process is not None and process.kernel_thread:
            complain(f"process {pid} is a kernel thread: it has no mappings")
            shown.show(lambda: Table.of_rows(asked.schema, []))
            return 0
        report = _Report(arguments.cgroup)
        shown.show(lambda: report.of(asked.tables(process)))
        return report.tell()


def _asked(arguments: Namespace, pid: int | None, over: float) -> WorkingSet:
    from pagemap._cli.parsing import parse_names
    from pagemap._cli.watch import parse_seconds
    from pagemap._errors import UsageError
    from pagemap._history.working_set import WorkingSet

    idle = [
        parse_seconds(text, option="--idle") for each in arguments.idle for text in each.split(",")
    ]
    if any(each > over for each in idle):
        raise UsageError(f"--idle has times longer than the window, {over:g} s; make --over longer")
    method = None
    if arguments.method is not None:
        method, *more = parse_names([arguments.method], METHODS, option="--method")
        if more:
            raise UsageError("--method takes one word")
    if arguments.probe and (method not in (None, "reclaim") or arguments.cgroup is None):
        raise UsageError("--probe is a method of its own, for a cgroup: give --cgroup PATH")
    if method == "reclaim" and not arguments.probe:
        raise UsageError("the method reclaim disturbs the cgroup: ask for it by --probe")
    if arguments.regions and (method not in (None, "damon", "written") or arguments.target is None):
        raise UsageError("--regions needs the method damon or written, and a TARGET")
    return WorkingSet(
        pid,
        cgroup=arguments.cgroup,
        over=over,
        idle=idle or None,
        method="reclaim" if arguments.probe else method,
        regions=arguments.regions,
    )


class _Report:
    """What is to be said on stderr of the results."""

    def __init__(self, cgroup: str | None) -> None:
        self._cgroup = cgroup
        self._last: Table[Any] | None = None
        self._vanished: TargetVanished | None = None

    def of(self, tables: Iterator[Table[Any]]) -> Iterator[Table[Any]]:
        """The same tables. Before the first, say how it was found.

        That the process has exited is kept until what was read is written, in whatever order.
        """
        from pagemap._cli.messages import complain
        from pagemap._errors import TargetVanished

        if self._vanished is not None:
            raise self._vanished
        told = False
        try:
            for table in tables:
                if self._last is None:
                    complain(f"method {table.about['method']}: {table.about['precision']}")
                self._last, told = table, True
                yield table.where(lambda row: row.rss != 0)
        except TargetVanished as error:
            if not told:
                raise
            self._vanished = error

    def tell(self) -> int:
        """Say what was left out; the exit code."""
        from pagemap._cli.exit_codes import DENIED
        from pagemap._cli.left_out import tell_left_out, tell_sharers
        from pagemap._cli.messages import complain
        from pagemap._space.left_out import DENIED as FORBIDDEN

        if self._vanished is not None:
            raise self._vanished
        assert self._last is not None
        about: dict[str, Any] = self._last.about
        if "left_out" not in about:
            return 0
        tell_left_out(about)
        tell_sharers(about["sharers"])
        if len(self._last):
            return 0
        denied = any(each["reason"] == FORBIDDEN for each in about["left_out"])
        if not denied:
            complain(f"cgroup {self._cgroup!r} has no processes")
        return DENIED if denied else 0
