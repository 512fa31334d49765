"""`pagemap maps TARGET`: the mappings of a process and what they hold: a table, JSON, CSV."""

from __future__ import annotations

from pagemap._analyses.tally import Tally, exclusive_by
from pagemap._analyses.tally_plan import BY_PAGE_TABLE, tellable
from pagemap._cli.exclusive import warn
from pagemap._cli.messages import complain
from pagemap._cli.output import open_output
from pagemap._cli.patterns import Patterns
from pagemap._cli.targets import one
from pagemap._cli.words import parse_count, parse_names
from pagemap._errors import UsageError
from pagemap._kernel import maps
from pagemap._process import Process
from pagemap._render.columns import ALIASES, COUNTED, SHOWN, fitting
from pagemap._render.document import batches
from pagemap._render.mappings import Totals, ordered, write_csv, write_json, write_text
from pagemap._render.table import terminal_width
from pagemap._vocabulary.units import PAGE_SHIFT
from pagemap._vocabulary.words import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from pagemap._vocabulary.rows.mapping import Mapping

    Counted = tuple[Mapping, Tally]

__all__ = ["run"]

_NAMES = [column.name for column in SHOWN]
_AMOUNTS = [column.name for column in SHOWN if column.kind in ("amount", "count")]
_COUNTS = [column.name for column in SHOWN if column.kind == "count"]


def run(arguments: Namespace) -> int:
    """Write the mappings to stdout. Returns 1 when a pattern fitted none of them."""
    named = parse_names(arguments.columns, _NAMES, option="--columns", aliases=ALIASES)
    order = _sort_column(arguments.sort)
    patterns = Patterns(arguments.patterns)
    threads = parse_count(arguments.threads, option="--threads")
    shown = _shown(arguments, named)
    counts = [name for name in _COUNTS if name in shown or name == order]
    pid = one(arguments.target)
    with Process(pid) as process, open_output() as output:
        if process.kernel_thread:
            complain(f"process {pid} is a kernel thread: it has no mappings")
        # What a kernel cannot tell is an error only where it was asked for by name.
        asked = [*named, *([order] if order else [])]
        counts, asked = ([COUNTED.get(name, name) for name in each] for each in (counts, asked))
        counts = tellable(process, counts, asked)
        by = exclusive_by(process) if "exclusive" in counts else None
        if by == BY_PAGE_TABLE:
            # whether that matters, they tell
            counts = tellable(process, [*counts, "huge", "hugetlb"], counts)
        counted = _counted(process, counts, threads)
        if arguments.patterns:
            counted = (each for each in counted if patterns(each[0].path))
        if order:
            counted = iter(ordered(counted, order))
        totals = Totals()
        added = totals.over(batches(counted))
        if arguments.totals_only:
            for _ in added:
                pass
        rows = None if arguments.totals_only else added
        if arguments.json:
            write_json(process.pid, shown, rows, totals, output.write, exclusive_by=by)
        elif arguments.csv:
            write_csv(shown, rows, totals, output.write)
        else:
            write_text(shown, rows, totals, output.write, in_pages=arguments.pages)
        if by == BY_PAGE_TABLE:
            warn(totals.amounts())
        return _judge(process, patterns)


def _sort_column(text: str | None) -> str | None:
    if text is None:
        return None
    columns = parse_names([text], _NAMES, option="--sort", aliases=ALIASES)
    if len(columns) > 1:
        raise UsageError(f"--sort takes one column, not {len(columns)}")
    return columns[0]


def _shown(arguments: Namespace, named: list[str]) -> list[str]:
    """The columns to show: those that were named, or what is usual for this output."""
    if arguments.totals_only:
        amounts = [name for name in named or _NAMES if name in _AMOUNTS]
        if not amounts:
            raise UsageError(
                "--totals-only has nothing to add up in these --columns; "
                f"choose from {', '.join(map(spell, _AMOUNTS))}"
            )
        return amounts
    if named:
        return named
    if arguments.json or arguments.csv:
        return _NAMES
    return [column.name for column in fitting(terminal_width())]


def _counted(process: Process, counts: list[str], threads: int | None) -> Iterator[Counted]:
    """Each mapping with its tally; without any look at pages where nothing is to be counted."""
    if process.kernel_thread:
        return iter(())
    if counts:
        return process.tally(counts, threads=threads)
    unknown = (None,) * (len(Tally._fields) - 1)
    return (
        (mapping, Tally(mapping.size >> PAGE_SHIFT, *unknown))
        for block in process.maps_blocks()
        for mapping in maps.parse(block)
    )


def _judge(process: Process, patterns: Patterns) -> int:
    if process.kernel_thread:
        return 0
    for text in patterns.unused:
        complain(f"no mapping of process {process.pid} fits the pattern {text!r}")
    return 1 if patterns.unused else 0
