"""A result in its form: a table on what its output is, or one of the formats for programs."""

from __future__ import annotations

from pagemap._cli.terminal import encoding_of, is_bold, takes_blocks, width_of, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from pagemap._cli.output import Output
    from pagemap._tables.sums import Sums
    from pagemap._tables.table import Table

    Tables = Table[Any] | Iterable[Table[Any]]

__all__ = ["draw", "export", "first", "several"]


def draw(
    tables: Iterable[Table[Any]],
    output: Output,
    *,
    names: Sequence[str] | None,
    always: Sequence[str],
    header: bool,
    total: Sums,
    changes: Any,
    after: Callable[[], Iterable[str]] | None,
) -> None:
    """Write the tables as one, with `total` below them, and the lines that `after` returns."""
    from pagemap._render import terminal

    encoding, unfit = encoding_of(output.fd)

    def put(text: str) -> None:
        output.write(text.encode(encoding, unfit))

    terminal.write(
        tables,
        put,
        names=names,
        always=always,
        width=width_of(output.fd),
        header=header,
        bold=is_bold(output.fd),
        total=total,
        changes=changes,
        ascii_bars=not takes_blocks(output.fd),
    )
    for line in after() if after else ():
        put(wrapped(line, width_of(output.fd)))


def export(
    form: str,
    tables: Iterable[Table[Any]],
    write: Callable[[bytes], object],
    *,
    header: bool,
    extra: Mapping[str, str] | None,
    total: Callable[[], list[Any]],
) -> None:
    """Write the tables as one, in a format for programs; each row with what is `extra`."""
    if form == "csv":
        from pagemap._export import csv

        csv.write(tables, write, header=header, extra=extra)
    elif form == "jsonl":
        from pagemap._export import jsonl

        jsonl.write(tables, write, extra=extra)
    elif form == "json":
        from pagemap._export import json

        json.write(tables, write, total=total)
    else:
        from pagemap._export import arrow

        arrow.write(tables, write)


def first(tables: Iterable[Table[Any]], left: int | None) -> Iterator[Table[Any]]:
    """The first rows, as many as are wanted; all are read, because the sums include all."""
    for number, table in enumerate(tables):
        if left is None:
            yield table
        elif left or number == 0:
            yield table.top(left)
            left -= min(left, len(table))


def several(made: Tables) -> Iterator[Table[Any]]:
    """The tables, where there may be one alone."""
    from pagemap._tables.table import Table

    return iter([made]) if isinstance(made, Table) else iter(made)
