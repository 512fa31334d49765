"""`pagemap maps TARGET...`: the mappings of processes, and what they hold."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import (
    TARGET_HELP,
    add_patterns,
    add_threads,
    columns_help,
)
from pagemap._vocabulary.rows.tally import COUNTS, TALLIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from pagemap._cli.patterns import Patterns
    from pagemap._errors import PagemapError
    from pagemap._process import Process
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.tally import TallyRow

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
List the mappings of processes with what each holds, and the total: how much is
reserved, in memory, in swap, of files, huge. A name that fits several processes
gives those of all of them. Control characters in a path are written in octal,
as \\012."""


def examples() -> str:
    """What stands below the options."""
    return f"""\
{columns_help(TALLIES)}

A count that this kernel cannot tell is -, null in JSON, empty in CSV. Only what
is shown is asked for, so --columns start,present,path costs less than all: USS
and UFFD_WP take a look at every page. A table shows as many columns as its
terminal has room for; what is no terminal gets all but pid, offset, dev and
inode. JSON and CSV have every column.

USS is by map counts where these can be read (root). Else it is the page table's
word, which is true but for transparent huge pages on Linux 6.15 and later:
there all of a huge page is as its first page is. uss_by in JSON says which
("map count" or "page table"), and a line on stderr. What the page table does
not tell of SWAP (shared memory, and without root what an entry is) is taken
from smaps, where anything lies in swap. FILE and SHMEM are told apart by the
device; of one that may hold either (an overlay) both are unknown.

A PATTERN is compared with the whole path of a mapping and with its base name.
* and ? are wildcards, every other character means itself. [anon] selects the
mappings without a path.

examples:
  pagemap maps self
  pagemap maps self --sort rss --columns size,rss,uss,path --top 10
  pagemap maps nginx --by path --sort rss
  pagemap maps java --map '[anon]' --top 0
  pagemap maps self --json | jq '.rows[] | select(.path == "[heap]").size'"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help=TARGET_HELP)
    add_patterns(parser)
    add_threads(parser)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the mappings. Returns 1 when a pattern fitted none of them."""
    from pagemap._cli import targets
    from pagemap._cli.messages import complain
    from pagemap._cli.parsing import parse_count
    from pagemap._cli.patterns import Patterns

    patterns = Patterns(arguments.patterns)
    threads = parse_count(arguments.threads, option="--threads")
    shown = results.Results(arguments, TALLIES)
    report = _Report(targets.several(arguments.targets), shown, patterns, threads)
    shown.show(report.tables)
    code = report.tell()
    if report.counted and patterns.unused:
        for text in patterns.unused:
            complain(report.unused(text))
        return code or 1
    return code


class _Report:
    """The tables of some processes, and what they do not show."""

    def __init__(
        self, pids: list[int], shown: results.Results, patterns: Patterns, threads: int | None
    ) -> None:
        self._pids = pids
        self._patterns = patterns
        self._threads = threads
        wanted = shown.wanted()
        self._counts = [name for name in COUNTS if name in wanted]
        # what a kernel cannot tell is an error only where it was asked for by name
        self._named = [name for name in self._counts if shown.named(name)]
        self.counted = False  # whether any process has mappings
        self._failed: list[PagemapError] = []
        self._huge = 0
        self._paths: set[str] = set()

    def tables(self) -> Iterator[Table[TallyRow]]:
        """A table of each process. Raises the error of the last, where none can be read."""
        from pagemap._errors import NoSuchProcess, PagemapError, TargetVanished, Unsupported
        from pagemap._process import Process

        self._huge = 0
        self._failed = []
        read = 0
        for number, pid in enumerate(self._pids, 1):
            try:
                with Process(pid) as process:
                    table = self._table(process)
            except Unsupported:
                raise
            except PagemapError as error:
                if self.counted and len(self._pids) == 1 and isinstance(error, NoSuchProcess):
                    raise TargetVanished(str(error), pid=pid, errno=error.errno) from None
                if number == len(self._pids) and not read:
                    raise
                # one of many that ended meanwhile is no failure
                if not isinstance(error, NoSuchProcess) or len(self._pids) == 1:
                    self._failed.append(error)
                continue
            read += 1
            yield table

    def _table(self, process: Process) -> Table[TallyRow]:
        from pagemap._analyses.tally import uss_by
        from pagemap._analyses.tally_plan import BY_PAGE_TABLE, tellable
        from pagemap._cli.messages import complain

        if process.kernel_thread:
            complain(f"process {process.pid} is a kernel thread: it has no mappings")
        counts = tellable(process, self._counts, self._named)
        uncertain = "uss" in counts and uss_by(process) == BY_PAGE_TABLE
        if uncertain:  # whether that matters, these tell
            counts = tellable(process, [*counts, "huge", "hugetlb"], counts)
        table = process.tally(counts, threads=self._threads)
        self.counted = self.counted or not process.kernel_thread
        if self._patterns.texts:
            self._paths.update(table["path"].words)
            table = table.where(lambda row: self._patterns(row.path))
        if uncertain:
            total = table.total()
            self._huge += (total.huge or 0) - (total.hugetlb or 0)
        return table

    def tell(self) -> int:
        """Say what the rows do not show; the exit code of a process that was not read, or 0."""
        from pagemap._cli.exclusive import warn
        from pagemap._cli.exit_codes import code_of, message_of
        from pagemap._cli.messages import complain

        warn(self._huge, "USS")
        for error in self._failed:
            complain(message_of(error))
        return code_of(self._failed[0]) if self._failed else 0

    def unused(self, text: str) -> str:
        """That a pattern fits nothing, and one that might have been meant."""
        whose = f"process {self._pids[0]}" if len(self._pids) == 1 else "these processes"
        said = f"no mapping of {whose} fits the pattern {text!r}"
        meant = self._patterns.nearest(text, self._paths)
        return f"{said}; did you mean {meant!r}?" if meant else said
