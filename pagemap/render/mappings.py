"""Mappings and what they hold as rows: a table, JSON, CSV.

A process may have sixty thousand mappings, and reading them all costs the kernel 20 ms. So what is
the same for many rows is put into words once, and a row is one `%` of a template.
"""

from __future__ import annotations

from operator import itemgetter

from pagemap.maps import Mapping
from pagemap.render.columns import SHOWN
from pagemap.render.document import write_list
from pagemap.render.table import Column, compact_size, printable, write_table
from pagemap.tally import Tally, total
from pagemap.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from pagemap.render.document import Write

    Counted = tuple[Mapping, Tally]
    Batches = Iterable[list[Counted]]

__all__ = ["Totals", "sort_key", "write_csv", "write_json", "write_text"]

SCHEMA = "pagemap.maps/1"

_SHOWN = {column.name: column for column in SHOWN}
_AMOUNTS = {column.name for column in SHOWN if column.kind in ("amount", "count")}

# A mapping and its tally in a row; the size is that of all pages.
_FIELDS = (*Mapping._fields, *("size" if name == "pages" else name for name in Tally._fields))
_AT = {name: number for number, name in enumerate(_FIELDS)}
_PATH = _AT["path"]

# So many texts are kept, that memory stays flat whatever the target does.
_KEPT = 1 << 14


class _Texts(dict["int | str | None", str]):
    """What stands for a value in the output, made once."""

    def __init__(self, make: Callable[..., str], unknown: str = "") -> None:
        super().__init__({None: unknown})
        self._make = make

    def __missing__(self, value: int | str) -> str:
        text = self._make(value)
        if len(self) < _KEPT:
            self[value] = text
        return text


class Totals:
    """The sum of all tallies that pass."""

    def __init__(self) -> None:
        self.tally: Tally = total([])
        self._begun = False

    def over(self, batches: Batches) -> Iterator[list[Counted]]:
        """The same batches, added up on their way."""
        for batch in batches:
            if batch:
                part = total([tally for _, tally in batch])
                self.tally = total([self.tally, part]) if self._begun else part
                self._begun = True
                yield batch


def sort_key(name: str) -> Callable[[Counted], Any]:
    """What to sort mappings by: amounts from the largest on, what is unknown last."""
    at = _AT[name]
    if name not in _AMOUNTS:
        return lambda counted: (*counted[0], *counted[1])[at]

    def amount(counted: Counted) -> int:
        value = (*counted[0], *counted[1])[at]
        return 1 if value is None else -int(value)

    return amount


def write_text(
    names: Sequence[str],
    batches: Batches | None,
    totals: Totals,
    write: Write,
    *,
    in_pages: bool = False,
) -> None:
    """Write a table of the columns `names`, and below it the total.

    Without `batches` only the total is written, a line for each amount.
    Amounts are in bytes, with a unit, or in pages.
    """
    amounts = _Texts(str if in_pages else lambda pages: compact_size(pages << PAGE_SHIFT), "-")
    if batches is None:
        sums = dict(zip(_FIELDS, (*_NOWHERE, *totals.tally), strict=True))
        heading = (Column("WHAT"), Column("TOTAL", right=True))
        write_table(heading, ((_SHOWN[name].title, amounts[sums[name]]) for name in names), write)
        return
    paths = _Texts(printable)
    pick = _picker(names)
    columns = [
        Column(_SHOWN[name].title, right=_SHOWN[name].kind != "text", shorten=name == "path")
        for name in names
    ]

    def rows() -> Iterator[Sequence[str]]:
        amount = amounts.__getitem__
        for batch in batches:
            for (start, end, perms, offset, dev, inode, path), tally in batch:
                place = (f"{start:x}", f"{end:x}", perms, f"{offset:x}", dev, str(inode))
                yield pick((*place, paths[path], *map(amount, tally)))
        label = next((name for name in names if name not in _AMOUNTS), None)
        label_cells = tuple("total" if name == label else "" for name in Mapping._fields)
        yield pick((*label_cells, *map(amount, totals.tally)))

    write_table(columns, rows(), write)


def write_json(
    pid: int, names: Sequence[str], batches: Batches | None, totals: Totals, write: Write
) -> None:
    """Write one object: addresses are strings, sizes in bytes; the totals come last.

    Bytes of a path that are not UTF-8 are lone surrogates, as Python reads them back.
    """
    from json.encoder import encode_basestring_ascii

    amounts = _Texts(lambda pages: str(pages << PAGE_SHIFT), "null")
    head = f'{{"schema":"{SCHEMA}","pid":{pid},"page_size":{PAGE_SIZE}'
    forms = {"address": '"0x%x"', "number": "%d", "text": '"%s"', "amount": "%s", "count": "%s"}

    def template(chosen: Iterable[str]) -> str:
        fields = (
            f'"{name}":{"%s" if name == "path" else forms[_SHOWN[name].kind]}' for name in chosen
        )
        return f"{{{','.join(fields)}}}"

    def tail() -> str:
        chosen = [name for name in names if name in _AMOUNTS]
        sums = _lines(template(chosen), chosen, [(_NOWHERE, totals.tally)], amounts, _Texts(str))
        return f',"totals":{sums[0]}'

    if batches is None:
        write(f"{head}{tail()}}}\n".encode("ascii"))
        return
    row = template(names)
    paths = _Texts(encode_basestring_ascii)
    blocks = (_lines(row, names, batch, amounts, paths) for batch in batches)
    write_list(f'{head},"mappings":[', blocks, write, tail)


def write_csv(names: Sequence[str], batches: Batches | None, totals: Totals, write: Write) -> None:
    """Write CSV: addresses as hex, sizes in bytes; without `batches` one row, the total.

    The bytes of a path are written as they are, whatever their encoding.
    """
    amounts = _Texts(lambda pages: str(pages << PAGE_SHIFT))
    paths = _Texts(_quoted)
    if batches is None:
        names = [name for name in names if name in _AMOUNTS]
        batches = [[(_NOWHERE, totals.tally)]]
    forms = {"address": "0x%x", "number": "%d", "text": "%s", "amount": "%s", "count": "%s"}
    row = ",".join(forms[_SHOWN[name].kind] for name in names) + "\n"
    before = ",".join(names) + "\n"
    for batch in batches:
        lines = _lines(row, names, batch, amounts, paths)
        write((before + "".join(lines)).encode("utf-8", "surrogateescape"))
        before = ""
    if before:
        write(before.encode("ascii"))


_NOWHERE = Mapping(0, 0, "", 0, "", 0, "")


def _lines(
    template: str, names: Sequence[str], batch: list[Counted], amounts: _Texts, paths: _Texts
) -> list[str]:
    """Each of the batch by the template, which has a place for each of `names`."""
    pick = _picker(names)
    amount = amounts.__getitem__
    return [
        template % pick((*mapping[:_PATH], paths[mapping[_PATH]], *map(amount, tally)))
        for mapping, tally in batch
    ]


def _picker(names: Sequence[str]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """A function that takes the fields `names` out of a row, as a tuple."""
    if len(names) == 1:
        at = _AT[names[0]]
        return lambda row: (row[at],)
    return itemgetter(*(_AT[name] for name in names))


def _quoted(path: str) -> str:
    if any(c in path for c in ',"\n\r'):
        return '"' + path.replace('"', '""') + '"'
    return path
