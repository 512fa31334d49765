"""The output of every command: its options, and how a result is written.

A command adds these options to its own, names the schema of its result, and passes a function that
makes the result. Columns, order, totals and formats come from the schema.
"""

from __future__ import annotations

from pagemap._cli.output import open_output
from pagemap._cli.output_options import FORMATS, add_arguments
from pagemap._cli.parsing import parse_limit, parse_names
from pagemap._cli.result_columns import column_of, heaviest, one
from pagemap._cli.result_forms import draw, export, first, several
from pagemap._cli.terminal import lines_of, width_of
from pagemap._errors import UsageError
from pagemap._tables.sums import Sums

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from pagemap._cli.output import Output
    from pagemap._cli.result_forms import Tables
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

__all__ = ["FORMATS", "Results", "add_arguments"]

_OTHER_LINES = 4  # of a screen: the time, the header, the total, the cursor


class Results:
    """The output of a command, in the form that its arguments ask for.

    `schema` is the schema of the result, `order` the column it is sorted by without --sort, and
    `usual` the columns that are written without --columns: by default all, or in a table those that
    fit its width. Raises UsageError at once for an unknown column, and for options that cannot be
    combined.

    With --watch there are `count` rounds, if that is given; where it `waits`, the first of them is
    not shown at once, but after the time between two. Amounts are shown with their `changes` since
    the round before, but where these are amounts already.

    `also_by` are words of --by that are no columns, which the command has seen to itself.

    `after` may be set to a function that returns lines to print below a table.
    """

    def __init__(
        self,
        arguments: Namespace,
        schema: Schema[Any],
        *,
        order: str | None = None,
        usual: Sequence[str] | None = None,
        always: Sequence[str] = (),
        plain: str = "table",
        count: int | None = None,
        waits: bool = False,
        changes: bool = True,
        also_by: Sequence[str] = (),
    ) -> None:
        self._count = count
        self._waits = waits
        self._changes = changes
        self._path: str | None = arguments.output
        self._header: bool = arguments.header
        self._seconds = None if arguments.watch is None else _seconds(arguments.watch)
        self._top = parse_limit(arguments.top, option="--top")
        self._reverse: bool = arguments.reverse
        by: str | None = getattr(arguments, "by", None)
        self._by = None if by is None else column_of(by, schema, also_by)
        if self._by is not None:
            usual, order = None, heaviest(schema.grouped(self._by))
        self.made = schema
        self.schema = schema if self._by is None else schema.grouped(self._by)
        self._order = self._order_of(arguments.sort, order)
        self._names = parse_names(arguments.columns, self.schema.names, option="--columns") or None
        self._usual = usual
        self._always = [name for name in always if name in self.schema]
        self.after: Callable[[], Iterable[str]] | None = None
        self.format: str = arguments.format or (plain if self.is_plain else "table")
        self._check(plain)

    def _order_of(self, asked: str | None, usual: str | None) -> str | None:
        if asked is not None:
            return one(asked, self.schema, "--sort")
        if usual is None or usual not in self.schema:
            return None
        return usual

    def _check(self, plain: str) -> None:
        if self.format == plain != "table" and not self.is_plain:
            raise UsageError(
                f"the format {plain} has all rows, in fixed columns and order; for --columns, "
                "--sort, --reverse, --top, --by or --watch use --format table"
            )
        if self._seconds is not None and self.format in ("json", "arrow"):
            raise UsageError(
                f"there is a result every round, and {self.format} can hold only one; "
                "use --format jsonl"
            )
        endless = self._seconds is not None and self._count is None
        if endless and self._path not in (None, "-"):
            raise UsageError(
                "-o cannot be used with --watch: it puts the file in place at the end, and --watch "
                "has no end; write to standard output and redirect it (> FILE)"
            )

    @property
    def replaces_a_file(self) -> bool:
        """Whether the result is written to a file that may be there already."""
        return self._path not in (None, "-")

    @property
    def is_plain(self) -> bool:
        """Whether all rows are wanted, once, with the usual columns, in their original order."""
        return self.in_order and self._names is None and self._top is None and self._seconds is None

    @property
    def in_order(self) -> bool:
        """Whether rows are written in the order they are made, so that none must be kept."""
        return self._order is None and self._by is None and not self._reverse

    def wanted(self, *more: str) -> list[str]:
        """The columns that are needed: those shown, those sorted by, and `more`."""
        names = set(self._shown(width_of(1) if self._path is None else None)) | set(more)
        names |= {name for name in (self._order, self._by) if name is not None}
        return [name for name in self.made.names if name in names]

    def named(self, name: str) -> bool:
        """Whether the user named this column in an option."""
        return name in (self._names or ()) or name in (self._order, self._by)

    def _shown(self, width: int | None) -> list[str]:
        if self._names is not None:
            return self._names
        if self._usual is not None and self.format != "table":
            return list(self._usual)
        if self.format != "table":
            return list(self.schema.names)
        from pagemap._render.fitting import fitting

        return [column.name for column in fitting(self.schema, width, always=self._always)]

    def show(self, make: Callable[[], Tables]) -> None:
        """Write what `make` returns, a Table or several; with --watch call it every round.

        The output is opened before `make` is called.
        """
        with open_output(self._path) as output:
            if self.format == "arrow" and width_of(output.fd) is not None:
                raise UsageError(
                    "cannot write arrow to a terminal, because it is a binary format; use -o FILE "
                    "or pipe it to a program that reads it"
                )
            if self._seconds is None:
                self._write(make(), output)
            else:
                self._watch(make, output, self._seconds)

    def _watch(self, make: Callable[[], Tables], output: Output, seconds: float) -> None:
        import time

        from pagemap._cli.watch import rounds
        from pagemap._render.changes import Changes
        from pagemap._space.machine import moment

        changes = Changes()
        drawn = self.format == "table"
        for number in rounds(seconds, output, drawn=drawn, count=self._count, waits=self._waits):
            now = moment(time.time())
            if self.format != "table":
                header = self._header and number == 0
                self._write(make(), output, header=header, extra={"time": now})
                continue
            table = _whole(several(make()))
            output.write(f"{now}\n".encode("ascii"))
            lines = lines_of(output.fd)
            most = None if lines is None else max(lines - _OTHER_LINES, 1)
            self._write(table, output, changes=changes if self._changes else None, most=most)
            changes.keep(self._grouped(table))

    def _write(
        self,
        made: Tables,
        output: Output,
        *,
        header: bool | None = None,
        extra: Mapping[str, str] | None = None,
        changes: Any = None,
        most: int | None = None,
    ) -> None:
        header = self._header if header is None else header
        sums = Sums()
        limits = [each for each in (self._top, most) if each is not None]
        tables = first(sums.over(self._arranged(several(made))), min(limits, default=None))
        if self.format == "table":
            draw(
                tables,
                output,
                names=self._names,
                always=self._always,
                header=header,
                total=sums,
                changes=changes,
                after=self.after,
            )
            return
        names = self._names if self._names is not None else self._usual
        chosen = (table.select(names) for table in tables)
        shown = names or self.schema.names
        export(
            self.format,
            chosen,
            output.write,
            header=header,
            extra=extra,
            total=lambda: [sums.get(name) for name in shown],
        )

    def _arranged(self, tables: Iterator[Table[Any]]) -> Iterator[Table[Any]]:
        """The rows, grouped and sorted if that is asked for."""
        if self.in_order:
            return tables
        whole = self._grouped(_whole(tables))
        if self._order is not None:
            largest_first = self.schema[self._order].is_amount
            return iter([whole.sorted(self._order, reverse=largest_first is not self._reverse)])
        return iter([whole.reversed() if self._reverse else whole])

    def _grouped(self, table: Table[Any]) -> Table[Any]:
        return table if self._by is None else table.grouped(self._by)


def _whole(tables: Iterable[Table[Any]]) -> Table[Any]:
    from pagemap._tables.table import Table

    return Table.joined(tables)


def _seconds(text: str) -> float:
    from pagemap._cli.watch import parse_seconds

    return parse_seconds(text, option="--watch")
