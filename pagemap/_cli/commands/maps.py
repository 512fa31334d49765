"""`pagemap maps TARGET...`: the mappings of processes, and the memory in them."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import (
    SPACE_HELP,
    add_patterns,
    add_threads,
    columns_help,
    complete_with_files,
)
from pagemap._vocabulary.rows.tally import COUNTS, TALLIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Any

    from pagemap._cli.patterns import Patterns
    from pagemap._cli.saved_targets import SavedTarget
    from pagemap._cli.since import Since
    from pagemap._errors import PagemapError
    from pagemap._process import Process
    from pagemap._snapshot import SavedProcess
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.tally import TallyRow
    from pagemap._vocabulary.schema import Schema

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
List the mappings of processes with the amounts of memory in each, and their
total: virtual size, resident, in swap, of files, in huge pages. If a name fits
several processes, the mappings of all of them are listed. Control characters in
a path are written in octal, as \\012."""


def examples() -> str:
    """What stands below the options."""
    return f"""\
{columns_help(TALLIES)}

A count that this kernel does not provide is -, null in JSON, empty in CSV. Only
what is shown is counted, so --columns start,present,path takes less time than
all columns: USS and UFFD_WP need the entry of every page. A table shows as many
columns as fit the terminal; elsewhere all but pid, offset, dev and inode. JSON
and CSV have every column.

USS comes from map counts where these can be read (root), otherwise from the
page table. That is exact except for transparent huge pages on Linux 6.15 and
later, where all pages of a huge page are reported like its first. uss_by in
JSON ("map count" or "page table") and a line on stderr say which was used.

SWAP of shared memory is not in the page table, and without root the kernel
hides the kind of an entry; where needed, SWAP is taken from smaps. FILE and
SHMEM are distinguished by device; if a device may have either (an overlay),
both are unknown.

footprint --by mapping has what only smaps tells of a mapping: page sizes, the
kernel's flags in words, locked, lazily freed, merged memory (KSM) and more.

A PATTERN is compared with the whole path of a mapping and with its base name.
* and ? are wildcards, every other character means itself. [anon] selects the
mappings without a path.

With --since, a table shows the change of an amount beside it; all other formats
have it in a column of its own, as rss_change. A mapping that is gone is shown
with amounts of 0. Mappings are compared by their first address; pagemap diff
says what became of them.

examples:
  pagemap maps self
  pagemap maps self --sort rss --columns size,rss,uss,path --top 10
  pagemap maps nginx --by path --sort rss
  pagemap maps java --map '[anon]' --top 0
  pagemap maps 1234 --since before.pagemap --sort rss_change --top 10
  pagemap maps self --json | jq '.rows[] | select(.path == "[heap]").size'"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help=SPACE_HELP)
    add_patterns(parser)
    add_threads(parser)
    since = parser.add_argument(
        "--since", metavar="FILE", help="show by how much amounts changed since this snapshot"
    )
    complete_with_files(since)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the mappings. Returns 1 when a pattern matched none of them."""
    from pagemap._cli import spaces
    from pagemap._cli.messages import complain
    from pagemap._cli.parsing import parse_count
    from pagemap._cli.patterns import Patterns
    from pagemap._errors import UsageError

    patterns = Patterns(arguments.patterns)
    threads = parse_count(arguments.threads, option="--threads")
    meant = _once(spaces.several(arguments.targets))
    since: Since | None = None
    schema: Schema[Any] = TALLIES
    if arguments.since is not None:
        from pagemap._cli.since import SINCE, Since

        if arguments.watch is not None:
            raise UsageError("--watch shows what changed since the last round; leave out --since")
        since, schema = Since(arguments.since, alone=len(meant) == 1, threads=threads), SINCE
    shown = results.Results(arguments, schema, always=["pid"] if len(meant) > 1 else [])
    report = _Report(meant, shown, patterns, threads, since)
    shown.show(report.tables)
    code = report.tell()
    if report.counted and patterns.unused:
        for text in patterns.unused:
            complain(report.unused(text))
        return code or 1
    return code


def _once(targets: list[int | SavedTarget]) -> list[int | SavedTarget]:
    """One process of each address space: vfork and CLONE_VM make several of one."""
    pids = [each for each in targets if isinstance(each, int)]
    if len(pids) < 2:
        return targets
    from pagemap._cli.left_out import tell_sharers, tell_unknown
    from pagemap._cli.messages import complain
    from pagemap._space.every_process import EveryProcess

    every = EveryProcess(pids, others=())
    for each in every.left_out:  # before anything is read these are kernel threads
        complain(f"process {each.pid} is a kernel thread: it has no mappings")
    tell_sharers(every.sharers)
    if not every.sharers_known:
        tell_unknown()
    saved = [each for each in targets if not isinstance(each, int)]
    return [*(every.meant(pid) for pid in every.pids), *saved]


class _Report:
    """The tables of some processes, and the messages about them."""

    def __init__(
        self,
        targets: list[int | SavedTarget],
        shown: results.Results,
        patterns: Patterns,
        threads: int | None,
        since: Since | None,
    ) -> None:
        self._targets = targets
        self._since = since
        self._patterns = patterns
        self._shown = shown
        self._threads = threads
        wanted = {name.removesuffix("_change") for name in shown.wanted()}
        self._counts = [name for name in COUNTS if name in wanted]
        # what a kernel cannot tell is an error only where it was asked for by name
        self._named = [name for name in self._counts if shown.named(name)]
        self.counted = False  # whether any process has mappings
        self._failed: list[PagemapError] = []
        self._huge = 0
        self._paths: set[str] = set()

    def tables(self) -> Iterator[Table[TallyRow]]:
        """A table of each process. Raises the error of the last, where none can be read."""
        from pagemap._cli.spaces import opened
        from pagemap._errors import NoSuchProcess, PagemapError, TargetVanished, Unsupported
        from pagemap._kernel.chosen_pid import Chosen

        self._huge = 0
        self._failed = []
        self._paths = set()
        read = 0
        several = len(self._targets) > 1
        for number, target in enumerate(self._targets, 1):
            try:
                with opened(target) as process:
                    table = self._table(process)
            except Unsupported:
                raise
            except PagemapError as error:
                if self.counted and not several and isinstance(error, NoSuchProcess):
                    raise TargetVanished(str(error), pid=error.pid, errno=error.errno) from None
                if number == len(self._targets) and not read:
                    raise
                # one of many that was found, and ended meanwhile, is no failure
                found = isinstance(target, Chosen) and several
                if not (isinstance(error, NoSuchProcess) and found):
                    self._failed.append(error)
                continue
            read += 1
            if several:  # what holds for all of them
                del table.about["pid"]
                table.about["pids"] = self._pids()
            yield table
        if self._shown.replaces_a_file and self._has_no_match():
            raise PagemapError("; ".join(map(self.unused, self._patterns.unused)))

    def _has_no_match(self) -> bool:
        """Whether there are patterns, and none matches any mapping."""
        return self.counted and 0 < len(self._patterns.texts) == len(self._patterns.unused)

    def _pids(self) -> list[int | None]:
        return [each if isinstance(each, int) else each.pid for each in self._targets]

    def _table(self, process: Process | SavedProcess) -> Table[TallyRow]:
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
        return table if self._since is None else self._since.of(process, table, self._patterns)

    def tell(self) -> int:
        """Write the messages; return the exit code of a process that was not read, or 0."""
        from pagemap._cli.exclusive import warn
        from pagemap._cli.exit_codes import code_of, message_of
        from pagemap._cli.messages import complain

        warn(self._huge, "USS")
        for error in self._failed:
            complain(message_of(error))
        return code_of(self._failed[0]) if self._failed else 0

    def unused(self, text: str) -> str:
        """The message that a pattern matches nothing, with one that may have been meant."""
        pids = self._pids()
        whose = f"process {pids[0]}" if len(pids) == 1 else "these processes"
        said = f"no mapping of {whose} matches the pattern {text!r}"
        meant = self._patterns.nearest(text, self._paths)
        return f"{said}; did you mean {meant!r}?" if meant else said
