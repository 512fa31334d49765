"""The options of output that every command has."""

from __future__ import annotations

from pagemap._cli.options import complete_with_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

__all__ = ["FORMATS", "add_arguments"]

FORMATS = ("table", "csv", "json", "jsonl", "arrow")


def add_arguments(
    parser: ArgumentParser, *, formats: Sequence[str] = FORMATS, grouped: bool = True
) -> None:
    """Add the options of output. `grouped` is False for a command with a --by of its own."""
    group = parser.add_argument_group(
        "output",
        "A table has amounts in units of 1024 bytes (K, M, G) and shares in percent;\n"
        "all other formats have bytes, and shares from 0 to 1.",
    )
    forms = group.add_mutually_exclusive_group()
    forms.add_argument(
        "--format",
        choices=formats,
        metavar="FORMAT",
        help=f"{formats[0]} (the default), {', '.join(formats[1:])}; arrow is an IPC stream",
    )
    for name in ("csv", "json"):
        forms.add_argument(
            f"--{name}", action="store_const", const=name, dest="format", help=f"--format {name}"
        )
    output = group.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write to FILE (mode 0600); an existing one is replaced when all is written, or the "
        "target has exited",
    )
    complete_with_files(output)
    group.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="NAME[,NAME...]",
        help="the columns to show, in this order",
    )
    group.add_argument(
        "--sort", metavar="COLUMN", help="sort rows by it: amounts descending, all else ascending"
    )
    group.add_argument("--reverse", action="store_true", help="reverse the order of the rows")
    group.add_argument(
        "--top",
        metavar="N",
        help="show only N rows; totals include all rows (0: only totals, in a table or JSON)",
    )
    if grouped:
        group.add_argument(
            "--by", metavar="COLUMN", help="one row for each value of this column, with sums"
        )
    group.add_argument(
        "--no-header",
        action="store_false",
        dest="header",
        help="leave out the line of column names",
    )
    group.add_argument(
        "--watch",
        metavar="SECONDS",
        help="repeat every SECONDS, and show by how much amounts changed",
    )
