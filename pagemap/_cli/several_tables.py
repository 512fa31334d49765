"""Several results of one command: tables one after another, or one JSON document with all."""

from __future__ import annotations

from pagemap._cli.output import open_output
from pagemap._cli.parsing import parse_limit
from pagemap._cli.terminal import encoding_of, is_bold, width_of
from pagemap._errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from pagemap._tables.table import Table

__all__ = ["Several"]


class Several:
    """The output of several tables, under their names.

    Raises UsageError for what only one of them can have: `option` names one of `parts`. Columns
    that are called `always` are shown, whatever rank they have.
    """

    def __init__(
        self,
        arguments: Namespace,
        parts: Collection[str],
        *,
        option: str,
        always: Sequence[str] = (),
    ) -> None:
        self._always = always
        self._path: str | None = arguments.output
        self._header: bool = arguments.header
        self._json = arguments.format == "json"
        self._top = parse_limit(arguments.top, option="--top")
        asked = {
            f"--format {arguments.format}": arguments.format not in (None, "table", "json"),
            "--columns": bool(arguments.columns),
            "--sort": arguments.sort is not None,
            "--reverse": arguments.reverse,
            "--by": getattr(arguments, "by", None) is not None,
            "--watch": arguments.watch is not None,
        }
        for name, given in asked.items():
            if given:
                raise UsageError(
                    f"{name} needs a single table, and these are {len(parts)}: "
                    f"choose one with {option}: {', '.join(parts)}"
                )

    def show(self, make: Callable[[], Mapping[str, Table[Any]]], schema: str, version: int) -> None:
        """Write what `make` gives; the document is of `schema`, the `about` that of any table."""
        with open_output(self._path) as output:
            tables = {name: table.top(self._top) if self._top is not None else table
                      for name, table in make().items()}  # fmt: skip
            if self._json:
                from pagemap._export import json

                about = next(iter(tables.values())).about
                json.write_several(tables, schema, version, about, output.write)
                return
            from pagemap._render import terminal

            encoding, unfit = encoding_of(output.fd)

            def put(text: str) -> None:
                output.write(text.encode(encoding, unfit))

            for number, (name, table) in enumerate(tables.items()):
                put(f"{chr(10) if number else ''}{name}\n")
                terminal.write(
                    [table],
                    put,
                    always=[each for each in self._always if each in table.schema],
                    width=width_of(output.fd),
                    header=self._header,
                    bold=is_bold(output.fd),
                )
