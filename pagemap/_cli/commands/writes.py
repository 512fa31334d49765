"""`pagemap writes TARGET`: what a process writes."""

from __future__ import annotations

import contextlib
import time

from pagemap._cli import results
from pagemap._cli.options import add_patterns, add_target, columns_help
from pagemap._vocabulary.rows.written import WRITES, WRITTEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from pagemap._cli.patterns import Patterns
    from pagemap._history.tracker import Tracker
    from pagemap._process import Process
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.written import WritesRow, WrittenRow
    from pagemap._vocabulary.schema import Schema

    Written = Table[WritesRow] | Table[WrittenRow]

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show which memory a process writes, by mapping or with --pages by page: in one
second, in the time of --for, or with --every again and again. No write is lost
between two rounds, but for the kinds of writes that are not seen: see below."""

_SECONDS = 1.0
_STEP = 0.1  # seconds between two looks whether the process is still there


def examples() -> str:
    """What stands below the options."""
    return f"""\
Without --inject the soft-dirty bits of the pages are read and cleared, which
disturbs other tools that use them (CRIU); the process is stopped for a moment
at the end of each round. Many kernels have no such bits (exit code 69).

With --inject (Linux 6.7 on x86-64) one thread of the process is stopped for
0.1 to 0.5 ms and made to open a userfaultfd, by which its memory is
write-protected; a write lifts that, at the cost of a page fault. Meanwhile new
memory does not join mappings that are tracked. No privileges are needed for
processes of one's own. It is refused if the process has a
userfaultfd already, is traced, or may not call userfaultfd(2). If the helper
process that does it is killed in the 0.05 to 0.4 ms in which the thread makes
that call, the target may crash; killed at any other time, by whatever signal,
the tracking ends, and the target is as before, but for a descriptor that it may
have kept. If the process makes guard regions (MADV_GUARD_INSTALL, Linux 6.15)
in shared memory or memory of a file that is tracked, the kernel keeps it busy
in that call until the tracking ends.

If the process exits, the round in which it does is not shown, and the exit code
is 75. Shown are mappings that may be written, or were. A page that was written
counts whole: a huge page as well, if it is not split.
WRITTEN also counts memory of which single writes cannot be known: NEW, memory
of mappings that are new since the last round, or were moved or changed; and
UNTRACKED, memory that cannot be tracked. Pages of a shared file or of shared
memory count as written when they are first touched; and those that were there
and left the page table since (GONE): because they were written, or with
soft-dirty bits maybe without that.
Not seen are writes to shared memory through other mappings, and those by
devices into pinned memory; nor those to pages of a shared file or of shared
memory that leave the page table (because of reclaim, or by madvise) in the same
round in which they are first touched, or moved by mremap, nor with soft-dirty
bits if they are there again at its end; nor those to private memory that is
thrown away (MADV_DONTNEED), or unmapped, which with --inject counts as written
when it is touched again, if only by a read; nor with soft-dirty bits zeros over
all of a page of a transparent huge page that is split in the same round (Linux
6.12).

{columns_help(WRITES)}

{columns_help(WRITTEN, "columns with --pages")}

examples:
  pagemap writes 4242 --inject --for 500ms --top 10
  pagemap writes 5678 --inject --every 200ms --for 1s --map '[heap]'
  pagemap writes @/run/nginx.pid --inject --pages --for 100ms --json
  pagemap writes 1234 --inject --every 100ms --for 300ms --format jsonl"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_target(parser)
    for option, metavar, text in (
        ("every", "TIME", "a round every TIME (1s, 500ms, 2m), until interrupted; as --watch"),
        ("for", "TIME", "how long in all (default: without --every, one round of 1s)"),
    ):
        parser.add_argument(f"--{option}", dest=f"{option}_", metavar=metavar, help=text)
    add_patterns(parser)
    parser.add_argument("--pages", action="store_true", help="a row for each range of pages")
    parser.add_argument(
        "--inject",
        action="store_true",
        help="track by a userfaultfd that the process is made to open; changes the process",
    )
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Track and write. Returns 1 when a pattern matched no mapping."""
    from pagemap._cli import targets
    from pagemap._cli.messages import complain
    from pagemap._cli.patterns import Patterns
    from pagemap._history.tracker import track
    from pagemap._process import Process
    from pagemap._tables.table import Table

    seconds, count = _times(arguments)
    patterns = Patterns(arguments.patterns)
    schema: Schema[Any] = WRITTEN if arguments.pages else WRITES
    order = None if arguments.pages else "written"
    shown = results.Results(arguments, schema, order=order, count=count, waits=True)
    pid = targets.one(arguments.target)
    with Process(pid) as process:
        if process.kernel_thread:
            complain(f"process {pid} is a kernel thread: it has no mappings")
            shown.show(lambda: Table.of_rows(schema, []))
            return 0
        if not process.is_own:
            _warn(process, inject=arguments.inject)
        with contextlib.closing(track(process, inject=arguments.inject)) as tracker:
            report = _Report(process, tracker, patterns, by_page=arguments.pages)
            if arguments.watch is None:
                shown.show(lambda: report.after(seconds))
            else:
                shown.show(report.now)
            return report.tell()


def _times(arguments: Namespace) -> tuple[float, int | None]:
    """How long a single round is, and how many there are."""
    from pagemap._cli.watch import parse_seconds
    from pagemap._errors import UsageError

    if arguments.every_ is not None:
        if arguments.watch is not None:
            raise UsageError("give --every or --watch, not both: they mean the same")
        arguments.watch = arguments.every_
    whole = None if arguments.for_ is None else parse_seconds(arguments.for_, option="--for")
    if arguments.watch is None:
        return whole or _SECONDS, None
    each = parse_seconds(arguments.watch, option="--every")
    if whole is None:
        return each, None
    if whole < each:
        raise UsageError(f"--for must be at least as long as a round, {each:g} s")
    return each, round(whole / each)


def _warn(process: Process, *, inject: bool) -> None:
    """Say what will be done to the process, before it is."""
    from pagemap._cli.messages import complain
    from pagemap._kernel.injection import WARNING
    from pagemap._kernel.soft_dirty import is_tracked

    if inject:
        complain(f"process {process.pid} is changed: {WARNING}")
    elif is_tracked():
        complain(
            f"process {process.pid} is changed: its soft-dirty bits are cleared, which disturbs "
            "other tools that use them (CRIU), and it is stopped for a moment in each round"
        )


class _Report:
    """The tables of rounds, and the messages about them."""

    def __init__(
        self, process: Process, tracker: Tracker, patterns: Patterns, *, by_page: bool
    ) -> None:
        self._process = process
        self._tracker = tracker
        self._patterns = patterns
        self._by_page = by_page
        self._untracked = 0
        self._paths: set[str] = set()

    def after(self, seconds: float) -> Written:
        """What was written in so much time from now. Raises TargetVanished as soon as it exits."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _STEP))
            self._process.require_alive()
        return self.now()

    def now(self) -> Written:
        """What was written in the round that ends now."""
        written = self._tracker.collect()
        self._untracked = sum(row.size for row in written if row.how == "untracked")
        table: Written = written if self._by_page else self._tracker.by_mapping(written)
        if not self._patterns.texts:
            return table
        self._paths.update(self._process.maps()["path"].words)
        for path in self._paths:  # one in which nothing was written is matched all the same
            self._patterns(path)
        return table.where(lambda row: self._patterns(row.path))

    def tell(self) -> int:
        """Write the messages; return the exit code."""
        from pagemap._cli.messages import complain
        from pagemap._vocabulary.units import format_size

        if self._untracked:
            complain(f"{format_size(self._untracked)} cannot be tracked, and count as written")
        for text in self._patterns.unused:
            said = f"no mapping of process {self._process.pid} matches the pattern {text!r}"
            meant = self._patterns.nearest(text, self._paths)
            complain(f"{said}; did you mean {meant!r}?" if meant else said)
        return 1 if self._patterns.unused else 0
