"""What `pagemap maps --huge` is asked for, and how it is written: sizes, columns, form."""

from __future__ import annotations

from pagemap._analyses.huge_counts import order_of, pmd_order
from pagemap._cli.words import parse_count, parse_names
from pagemap._errors import UsageError
from pagemap._render.document import batches
from pagemap._render.huge import write_csv, write_json
from pagemap._render.huge_columns import ALIASES, AMOUNTS, SHOWN, VIEWS, fitting
from pagemap._render.huge_sheet import Sheet, ordered
from pagemap._render.huge_table import write_text
from pagemap._render.table import terminal_width
from pagemap._vocabulary.words import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from pagemap._cli.output import Output
    from pagemap._render.huge_sheet import Row

__all__ = ["Report"]

_SORTED = {each.name for each in SHOWN if each.kind not in ("blocks", "sizes")}


class Report:
    """What is asked for: of which sizes, in which columns, in which form."""

    def __init__(self, arguments: Namespace) -> None:
        self.view = "processes" if arguments.target is None else "mappings"
        self._arguments = arguments
        self.threads = parse_count(arguments.threads, option="--threads")
        self.cont = _sizes(arguments.cont)
        known = VIEWS[self.view]
        named = parse_names(arguments.columns, known, option="--columns", aliases=ALIASES)
        self._names = self._shown(named)
        self._order = _sort_column(arguments.sort, known)

    def _shown(self, named: list[str]) -> list[str]:
        """The columns to show: those that were named, or what is usual for this output."""
        if "cont" in named and not self.cont:
            raise UsageError("--columns has cont, but no sizes of blocks: give --cont SIZE")
        known = VIEWS[self.view]
        if self._arguments.totals_only:
            amounts = [name for name in named or known if name in AMOUNTS]
            if not amounts:
                raise UsageError(
                    "--totals-only has nothing to add up in these --columns; "
                    f"choose from {', '.join(map(spell, AMOUNTS))}"
                )
        elif named:
            amounts = named
        elif self._arguments.json or self._arguments.csv:
            amounts = list(known)
        else:
            return fitting(self.view, terminal_width(), blocks=len(self.cont))
        return [name for name in amounts if name != "cont" or self.cont]

    def write(self, rows: Iterable[Row], output: Output, *, head: str = "") -> None:
        """Write the rows as they come, or in their order, and the totals."""
        arguments = self._arguments
        conts = [order_of(size) for size in self.cont]
        sheet = Sheet(self._names, conts=conts, largest=pmd_order())
        groups = batches(ordered(rows, self._order) if self._order else rows)
        totals_only = arguments.totals_only
        if arguments.json:
            write_json(
                sheet, groups, output.write, head=head, rows=self.view, totals_only=totals_only
            )
        elif arguments.csv:
            write_csv(sheet, groups, output.write, totals_only=totals_only)
        else:
            write_text(
                sheet, groups, output.write, in_pages=arguments.pages, totals_only=totals_only
            )


def _sort_column(text: str | None, known: Iterable[str]) -> str | None:
    if text is None:
        return None
    allowed = [name for name in known if name in _SORTED]
    columns = parse_names([text], allowed, option="--sort", aliases=ALIASES)
    if len(columns) > 1:
        raise UsageError(f"--sort takes one column, not {len(columns)}")
    return columns[0]


def _sizes(texts: list[str]) -> list[int]:
    """The sizes of --cont in bytes, ascending, each once."""
    sizes = {_size(word.strip()) for text in texts for word in text.split(",")}
    return sorted(sizes)


_UNITS = {"k": 10, "m": 20, "g": 30}


def _size(word: str) -> int:
    number, shift = word.lower().removesuffix("b").removesuffix("i"), 0
    if number[-1:] in _UNITS:
        shift = _UNITS[number[-1]]
        number = number[:-1]
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise UsageError(f"--cont wants a size such as 64K or 2M, not {word!r}")
    size = int(number) << shift
    try:
        order_of(size)
    except UsageError as error:
        raise UsageError(f"--cont {word}: {error.message}") from None
    return size
