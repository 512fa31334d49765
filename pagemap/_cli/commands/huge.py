"""`pagemap huge [TARGET...]`: how much memory is in huge pages, by size and mapping."""

from __future__ import annotations

from pagemap._cli import processes, results, spaces
from pagemap._cli.options import (
    SPACE_HELP,
    add_patterns,
    add_threads,
    columns_help,
    in_lines,
)
from pagemap._vocabulary.rows.huge import (
    HUGE,
    HUGE_PROCESSES,
    LARGEST,
    size_word,
    with_sizes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from typing import Any

    from pagemap._cli.patterns import Patterns
    from pagemap._process import Process
    from pagemap._snapshot import SavedProcess
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._tables.table import Table

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show how much memory is in transparent huge pages, of which size, and how it is
mapped: for each mapping of one TARGET, or for each of several processes.
Without a target, for all processes. Needs CAP_SYS_ADMIN (sudo)."""

_KINDS = ("mapping", "process")


def examples() -> str:
    """The help below the options."""
    apart = [(column.name, column.meaning) for column in HUGE_PROCESSES if column.name not in HUGE]
    return f"""\
{columns_help(HUGE)}

columns of processes:
{in_lines(apart)}

With --sizes there is a column for each size of folios: thp_64k is the memory in
whole folios of 64 KiB. anon_aligned_64k, file_unaligned_64k and so on divide it
further. The kernel's tool thpmaps counts the same.

SIZE of --cont is the size of blocks that a processor may hold in one TLB entry,
such as 64K or 2M: contiguous, aligned in memory and in the address space,
mapped by PTEs. Each SIZE adds a column, such as cont_64k.

A snapshot has what is needed if it was taken as root with --frames.

Processes that share one address space (vfork, CLONE_VM) are counted once, in
the row of the first; the column sharers has the others.

examples:
  sudo pagemap huge self --sort thp --top 10
  sudo pagemap huge --top 10
  sudo pagemap huge --sizes --cont 64K,2M --json
  sudo pagemap huge self --by path
  sudo pagemap huge --cgroup /sys/fs/cgroup/system.slice --by mapping"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    processes.add_arguments(parser, targets=SPACE_HELP)
    add_patterns(parser)
    parser.add_argument(
        "--sizes", action="store_true", help="add columns for each size, kind and way of mapping"
    )
    parser.add_argument(
        "--cont",
        action="append",
        default=[],
        metavar="SIZE[,SIZE...]",
        help="also count contiguous blocks of this size",
    )
    parser.add_argument(
        "--by",
        metavar="WHAT",
        help="mapping or process: a row for each; a column: a row for each of its values",
    )
    add_threads(parser)
    results.add_arguments(parser, grouped=False)


def run(arguments: Namespace) -> int:
    """Write the mappings, or the processes."""
    from pagemap._process import Process

    asked = processes.Many(arguments)
    conts = _orders(arguments.cont)
    saved = asked.saved()
    pids = asked.pids() if saved is None else list(saved.pids)
    if saved is not None:
        saved.require_pfns("count huge pages")
        spaces.require_frames(saved, zeros=True)
    by = arguments.by
    arguments.by = None if by in _KINDS else by
    mappings = by == "mapping" or (by in HUGE and by not in HUGE_PROCESSES)
    one = len(arguments.targets) == len(pids) == 1
    mappings = mappings or (one and by != "process")
    report = _Report(arguments, asked, conts, mappings=mappings)
    if not mappings or not one:
        return report.of_many(saved)
    return report.of_one(Process(pids[0]) if saved is None else spaces.again(saved, pids[0]))


class _Report:
    """What is asked for, and its output."""

    def __init__(
        self, arguments: Namespace, asked: processes.Many, conts: Sequence[int], *, mappings: bool
    ) -> None:
        from pagemap._cli.parsing import parse_count
        from pagemap._cli.patterns import Patterns
        from pagemap._errors import UsageError

        if arguments.patterns and not mappings:
            raise UsageError("--map selects mappings, and rows are processes; add --by mapping")
        self._asked = asked
        self._mappings = mappings
        self._patterns: Patterns = Patterns(arguments.patterns)
        schema: Any = HUGE if mappings else HUGE_PROCESSES
        plain = with_sizes(schema, conts=conts)
        self._shown = results.Results(
            arguments,
            with_sizes(schema, sizes=True, conts=conts),
            order=None if mappings else "thp",
            usual=None if arguments.sizes else plain.names,
            always=[f"thp_{size_word(order)}" for order in range(LARGEST, 0, -1)]
            if arguments.sizes
            else [],
        )
        self._conts = conts
        self._sizes = arguments.sizes or any(name not in plain for name in self._shown.wanted())
        self._threads = parse_count(arguments.threads, option="--threads")

    def of_one(self, opened: Process | SavedProcess) -> int:
        """Write the mappings of a process. Returns 1 if a pattern matches none."""
        from pagemap._cli.messages import complain
        from pagemap._vocabulary.units import PAGE_SIZE

        sizes = [PAGE_SIZE << order for order in self._conts]
        with opened as process:
            pid = process.pid
            if process.kernel_thread:
                complain(f"process {pid} is a kernel thread: it has no mappings")
            self._shown.show(
                lambda: self._chosen(
                    process.huge(sizes=self._sizes, cont=sizes, threads=self._threads)
                )
            )
            for text in [] if process.kernel_thread else self._patterns.unused:
                complain(f"no mapping of process {pid} matches the pattern {text!r}")
            return 1 if self._patterns.unused and not process.kernel_thread else 0

    def of_many(self, saved: SavedProcesses | None) -> int:
        """Write several processes, or all. Returns 77 if none of them may be read."""
        from pagemap._process import Process

        if saved is None:
            with Process("self") as own:
                own.huge()  # raises, once, where no frames may be read at all
        self._shown.show(lambda: self._chosen(self._read(saved)))
        return self._asked.tell()

    def _read(self, saved: SavedProcesses | None) -> Table[Any]:
        from pagemap._analyses.huge_of_many import huge_mappings, huge_processes

        read: Any = huge_mappings if self._mappings else huge_processes
        table: Table[Any] = read(
            saved or self._asked.find(), sizes=self._sizes, conts=self._conts, threads=self._threads
        )
        self._asked.judge(len(table))
        return table

    def _chosen(self, table: Table[Any]) -> Table[Any]:
        if not self._patterns.texts:
            return table
        return table.where(lambda row: self._patterns(row.path))


def _orders(texts: list[str]) -> list[int]:
    """The orders of the sizes of --cont, ascending, without duplicates."""
    from pagemap._analyses.huge import orders_of
    from pagemap._cli.parsing import parse_size
    from pagemap._errors import UsageError

    words = [word.strip() for text in texts for word in text.split(",")]
    try:
        return orders_of(map(parse_size, words))
    except UsageError as error:
        raise UsageError(f"--cont {','.join(words)}: {error.message}") from None
