"""`pagemap diff A B`: what changed between two looks at a process."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import (
    TARGET_HELP,
    add_threads,
    columns_help,
    complete_with_files,
    in_lines,
)
from pagemap._vocabulary.flags import ENTRY_FLAGS
from pagemap._vocabulary.page_changes import MAPPING_CHANGES, PAGE_CHANGES
from pagemap._vocabulary.rows.diff import DIFF_REGIONS, DIFFS, KIND_DIFFS, PATH_DIFFS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable
    from typing import Any

    from pagemap._space.address_space import AddressSpace
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show what changed from A to B: mappings that were added, removed, moved, and so
on, and page by page what was faulted in, dropped, swapped, copied, shared.
A and B are snapshots or processes, as a rule one process at two times. With
--every a process is compared with itself, again and again."""

_SOFT_DIRTY = next(flag.bit for flag in ENTRY_FLAGS if flag.name == "soft_dirty")
_UNSEEN = (
    "writes to pages that stay in their frames are not seen, for want of soft-dirty bits: "
    "'pagemap writes PID --inject' sees them"
)

_BY: dict[str, Schema[Any]] = {"mapping": DIFFS, "path": PATH_DIFFS, "kind": KIND_DIFFS}


def examples() -> str:
    """What stands below the options."""
    kinds = [(each.name, each.meaning) for each in (*MAPPING_CHANGES, *PAGE_CHANGES[1:])]
    apart = {
        column.name: column.meaning
        for schema in (PATH_DIFFS, DIFF_REGIONS)
        for column in schema
        if column.name not in DIFFS
    }
    return f"""\
kinds of change:
{in_lines(kinds)}

{columns_help(DIFFS)}

columns with --by path, --by kind and --pages:
{in_lines(list(apart.items()))}

Each page has one kind of change, and no more is said than its two entries
prove: a page that went to swap and came back in the same frame did not change.
The sums of rss, anon, swap and so on over all rows are by how much these
columns of maps changed. A change that one of the two cannot tell is -, null in
JSON, empty in CSV.

Frames (PFNs) are compared only between two looks of the same process, since the
same exec and boot, that both have them (CAP_SYS_ADMIN). Otherwise no page is
shown as moved, and a line on stderr says why.

Pages of shared memory that are in swap have no entry: they are dropped, and the
kernel's sums tell how much of a mapping was swapped out or in. A page that was
written in place has the same entry as before, and is no change where the kernel
has no soft-dirty bits: pagemap writes --inject sees such writes.

examples:
  sudo pagemap snapshot 1234 -o before.pagemap
  sudo pagemap diff before.pagemap 1234
  sudo pagemap diff before.pagemap 1234 --by kind
  sudo pagemap diff before.pagemap after.pagemap --by path --sort rss --top 10
  sudo pagemap diff before.pagemap after.pagemap --pages --csv
  sudo pagemap diff 1234 --by kind --watch 1"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    before = parser.add_argument(
        "before", metavar="A", help=f"a snapshot (FILE, FILE#PID, FILE@N); or {TARGET_HELP}"
    )
    after = parser.add_argument("after", metavar="B", nargs="?", help="the same, later")
    for each in (before, after):
        complete_with_files(each)
    parser.add_argument(
        "--by",
        metavar="WHAT",
        help="mapping (the default), path or kind: a row for each and each kind of change",
    )
    parser.add_argument(
        "--every",
        metavar="TIME",
        help="without B: compare A every TIME (1s, 500ms, 2m) with what it was at the time before, "
        "until interrupted",
    )
    parser.add_argument("--pages", action="store_true", help="a row for each range of pages")
    add_threads(parser)
    results.add_arguments(parser, grouped=False)


def run(arguments: Namespace) -> int:
    """Write what changed."""
    from pagemap._cli import spaces
    from pagemap._cli.parsing import parse_count, parse_names
    from pagemap._errors import UsageError
    from pagemap._history.diff import diff, diff_regions
    from pagemap._space.live_space import LiveSpace

    by, *more = parse_names(
        ["mapping" if arguments.by is None else arguments.by], _BY, option="--by"
    )
    if more:
        raise UsageError("--by takes one word")
    if arguments.pages and arguments.by is not None:
        raise UsageError("--pages has a row for each range of pages; leave out --by")
    arguments.by = None
    threads = parse_count(arguments.threads, option="--threads")
    schema = DIFF_REGIONS if arguments.pages else _BY[by]
    if arguments.after is None:
        return _repeated(arguments, schema, by, threads)
    if arguments.every is not None:
        raise UsageError("--every compares A with itself: leave out B")
    shown = results.Results(arguments, schema)
    with spaces.one(arguments.before) as a, spaces.one(arguments.after) as b:
        if isinstance(a, LiveSpace) and isinstance(b, LiveSpace) and a.pid == b.pid:
            raise UsageError(
                f"A and B are both process {a.pid} as it is now; save it first, and compare later: "
                f"pagemap snapshot {a.pid} -o FILE"
            )
        remarks = _Remarks()

        def make() -> Table[Any] | Iterable[Table[Any]]:
            if arguments.pages:
                return map(remarks.of, diff_regions(a, b, threads=threads))
            return remarks.of(diff(a, b, by=by, threads=threads))

        shown.show(make)
        remarks.tell(a, b)
    return 0


def _repeated(arguments: Namespace, schema: Schema[Any], by: str, threads: int | None) -> int:
    """Compare a process with what it was at the time before, and so on."""
    from pagemap._cli.looks import Looks
    from pagemap._cli.messages import complain
    from pagemap._errors import UsageError
    from pagemap._history.diff import diff, diff_regions

    if arguments.every is not None:
        if arguments.watch is not None:
            raise UsageError("give --every or --watch, not both: they mean the same")
        arguments.watch = arguments.every
    if arguments.watch is None:
        raise UsageError("give B too, or --every TIME to compare A with itself")
    shown = results.Results(arguments, schema, waits=True, changes=False)
    with Looks(arguments.before, threads) as looks:
        told = False

        def make() -> Table[Any] | Iterable[Table[Any]]:
            nonlocal told
            a, b = looks.next()
            if not told and not b.pfns_visible:
                complain(f"PFNs are not compared: {looks.why_hidden}")
            told = True
            if arguments.pages:
                return diff_regions(a, b, threads=threads)
            return diff(a, b, by=by, threads=threads)

        shown.show(make)
    return 0


class _Remarks:
    """What the rows do not say."""

    def __init__(self) -> None:
        self._why_not: object = None
        self._changed = False

    def of(self, table: Table[Any]) -> Table[Any]:
        """The same table."""
        self._why_not = table.about["pfns_not_compared_because"]
        self._changed = self._changed or len(table) > 0
        return table

    def tell(self, a: AddressSpace, b: AddressSpace) -> None:
        """Say it on stderr."""
        from pagemap._cli.messages import complain

        for process in {a.pid: a, b.pid: b}.values():
            if process.kernel_thread:
                complain(f"process {process.pid} is a kernel thread: it has no mappings")
        if self._why_not is not None:
            complain(f"PFNs are not compared: {self._why_not}")
        if not self._changed:
            marked = (a.machine.told() & b.machine.told()) >> _SOFT_DIRTY & 1
            complain("nothing changed" + ("" if marked else f"; {_UNSEEN}"))
