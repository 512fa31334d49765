"""`pagemap maps TARGET...`: the mappings of processes, and the memory in them."""

from __future__ import annotations

from pagemap._cli import node_options, results
from pagemap._cli.options import (
    SPACE_HELP,
    add_patterns,
    add_threads,
    columns_help,
    complete_with_files,
)
from pagemap._vocabulary.rows.node import NODES
from pagemap._vocabulary.rows.tally import COUNTS, TALLIES
from pagemap._vocabulary.rows.whole_mapping import OF_SMAPS, WHOLE_MAPPINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from pagemap._cli.mapping_report import Report
    from pagemap._cli.patterns import Patterns
    from pagemap._cli.saved_targets import SavedTarget
    from pagemap._cli.since import Since
    from pagemap._process import Process
    from pagemap._snapshot import SavedProcess
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
List the mappings of processes with the amounts of memory in each, and their
total: virtual size, resident, in swap, of files, in huge pages. If a name fits
several processes, the mappings of all of them are listed. Control characters in
a path are written in octal, as \\012."""


def examples() -> str:
    """What stands below the options."""
    more = WHOLE_MAPPINGS.select(OF_SMAPS)
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

{columns_help(more, "columns that smaps alone tells, shown if named in --columns")}

While the kernel adds these up, it holds the process's mmap_lock. VM_FLAGS are
explained by footprint --help. The size of a process's page tables is in
footprint --columns pid,page_tables.

{columns_help(NODES, "columns with --node and --by node")}

RESIDENT comes from page frames; without root it is the kernel's own count
(numa_maps), which holds the lock of the process. MISPLACED is memory on a node
that neither the policy of the mapping (mbind, set_mempolicy) nor the cpuset of
the process names: it was there before the policy was set, its node was full, or
another process read the file. A policy of default or local names no nodes; for
these see REMOTE, memory on nodes other than those where the threads ran last.
Reading it from there takes longer. REMOTE is an estimate, as threads move.

A PATTERN is compared with the whole path of a mapping and with its base name.
* and ? are wildcards, every other character means itself. [anon] selects the
mappings without a path.

Where TARGETs are of several snapshots, or only some of a snapshot, the column
snapshot has the file of each row.

With --since, a table shows the change of an amount beside it; all other formats
have it in a column of its own, as rss_change. A mapping that is gone is shown
with amounts of 0. Mappings are compared by their first address; pagemap diff
says what became of them.

examples:
  pagemap maps self
  pagemap maps self --sort rss --columns size,rss,uss,path --top 10
  pagemap maps nginx --by path --sort rss
  pagemap maps java --map '[anon]' --top 0
  pagemap maps self --columns size,locked,kernel_page_size,vm_flags,path
  pagemap maps java --by node
  sudo pagemap maps 1234 --node 0 --sort misplaced --top 10
  pagemap maps 1234 --since before.pagemap --sort rss_change --top 10
  pagemap maps self --json | jq '.rows[] | select(.path == "[heap]").size'"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help=SPACE_HELP)
    add_patterns(parser)
    add_threads(parser)
    node_options.add_node(
        parser, "list the memory on these NUMA nodes (or all); --by node has their sums"
    )
    since = parser.add_argument(
        "--since", metavar="FILE", help="show by how much amounts changed since this snapshot"
    )
    complete_with_files(since)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the mappings. Returns 1 when a pattern matched none of them."""
    from pagemap._cli import spaces
    from pagemap._cli.exclusive import warn
    from pagemap._cli.mapping_report import Report, always, with_files
    from pagemap._cli.parsing import parse_count
    from pagemap._cli.patterns import Patterns
    from pagemap._errors import UsageError

    patterns = Patterns(arguments.patterns)
    threads = parse_count(arguments.threads, option="--threads")
    meant = _once(spaces.several(arguments.targets))
    if node_options.by_node(arguments):
        if arguments.since is not None:
            raise UsageError("a snapshot does not tell nodes; leave out --since")
        return node_options.write(arguments, meant, patterns, threads)
    since: Since | None = None
    schema: Schema[Any] = TALLIES
    if arguments.since is not None:
        from pagemap._cli.since import SINCE, Since

        if arguments.watch is not None:
            raise UsageError("--watch shows what changed since the last round; leave out --since")
        alone, grouped = len(meant) == 1, arguments.by is not None
        since = Since(arguments.since, alone=alone, grouped=grouped, threads=threads)
        schema = SINCE
    else:
        schema = WHOLE_MAPPINGS
    shown = results.Results(
        arguments,
        with_files(schema, meant),
        usual=None if since else with_files(TALLIES, meant).names,
        always=always(meant),
        also_by=["node"],
    )
    counts = _Counts(shown, patterns, threads, since)
    report = Report(meant, shown, patterns, counts.table)
    shown.show(report.tables)
    warn(counts.uncertain, "USS", counts.remedy)
    return report.tell()


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


class _Counts:
    """The counts of mappings that are shown."""

    def __init__(
        self,
        shown: results.Results,
        patterns: Patterns,
        threads: int | None,
        since: Since | None,
    ) -> None:
        self._since = since
        self._patterns = patterns
        self._threads = threads
        wanted = {name.removesuffix("_change") for name in shown.wanted()}
        self._counts = [name for name in COUNTS if name in wanted]
        self._of_smaps = [name for name in OF_SMAPS if name in wanted]
        # what a kernel cannot tell is an error only where it was asked for by name
        self._named = [name for name in self._counts if shown.named(name)]
        self.remedy = ""
        self.uncertain = 0  # bytes in huge pages, of which only the page table tells uss

    def table(self, process: Process | SavedProcess, report: Report) -> Table[Any]:
        """The mappings of a process."""
        from pagemap._analyses.tally import uss_by
        from pagemap._analyses.tally_plan import BY_PAGE_TABLE, tellable
        from pagemap._cli.exclusive import remedy

        counts = tellable(process, self._counts, self._named)
        uncertain = "uss" in counts and uss_by(process) == BY_PAGE_TABLE
        if uncertain:  # whether that matters, these tell
            counts = tellable(process, [*counts, "huge", "hugetlb"], counts)
        table: Table[Any] = process.tally(counts, threads=self._threads)
        if self._of_smaps:
            from pagemap._analyses.whole_mappings import with_footprints

            table = with_footprints(table, process.footprints(), self._of_smaps)
        table = report.chosen(table)
        if uncertain:
            total = table.total()
            self.uncertain += (total.huge or 0) - (total.hugetlb or 0)
            self.remedy = remedy(process)
        return table if self._since is None else self._since.of(process, table, self._patterns)
