"""Pages in rows, alike or one by one: a table, JSON, CSV; each written as the runs come."""

from __future__ import annotations

from pagemap._render.document import batches, write_list
from pagemap._render.table import Column, write_table
from pagemap._vocabulary.page_flags import flag_names, letters
from pagemap._vocabulary.text import csv_cell, printable
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pagemap._analyses.page_types import PageRun
    from pagemap._render.document import Write

    Name = int | str | None
    Named = tuple[Name, PageRun]
    Cell = Callable[[Name, PageRun], object]

__all__ = ["columns", "each_page", "write_csv", "write_json", "write_text"]

SCHEMA = "pagemap.page-runs/1"

_CELLS: dict[str, Cell] = {
    "pid": lambda name, _: name,
    "address": lambda _, run: run.start,
    "offset": lambda _, run: run.start,
    "pfn": lambda _, run: run.pfn,
    "swap_offset": lambda _, run: run.swap_offset,
    "pages": lambda _, run: run.pages,
    "mapcount": lambda _, run: run.mapcount,
    "cgroup": lambda _, run: run.cgroup,
    "flags": lambda _, run: run.flags,
    "letters": lambda _, run: run.flags,
    "names": lambda _, run: run.flags,
    "path": lambda name, _: name,
}
_HEX = {"address", "offset", "pfn", "flags"}
_WORDS = {"letters", "names", "path"}


def columns(*, of: str, named: bool, each: bool, mapcount: bool, cgroup: bool) -> list[str]:
    """The names of the columns, in order, of pages of a process, file or memory.

    `named` says that there are several places, so each row tells its own.
    """
    wanted = {
        "pid": of == "process" and named,
        "address": of == "process",
        "offset": of == "file",
        "swap_offset": of == "process",
        "pages": not each,
        "mapcount": mapcount,
        "cgroup": cgroup,
        "path": of == "file" and named,
    }
    return [name for name in _CELLS if wanted.get(name, True)]


def each_page(runs: Iterable[Named]) -> Iterator[Named]:
    """A run for each page."""
    for name, run in runs:
        for at in range(run.pages):
            yield (
                name,
                run._replace(
                    start=None if run.start is None else run.start + at * PAGE_SIZE,
                    pfn=None if run.pfn is None else run.pfn + at,
                    swap_offset=None if run.swap_offset is None else run.swap_offset + at,
                    pages=1,
                ),
            )


class _Flags(dict[int, str]):
    """Flags in words; there are few sets of them, and many rows."""

    def __init__(self, form: Callable[[int], str]) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, flags: int) -> str:
        text = self[flags] = self._form(flags)
        return text


def _form(nothing: str, between: str, path: Callable[[str], str]) -> Callable[[str, object], str]:
    named = {
        "letters": _Flags(letters),
        "names": _Flags(lambda flags: between.join(flag_names(flags)) or nothing),
    }

    def cell(column: str, value: object) -> str:
        if value is None:
            return nothing
        if column in named and isinstance(value, int):
            return named[column][value]
        if isinstance(value, str):
            return path(value)
        return f"{value:#x}" if column in _HEX else str(value)

    return cell


def write_text(names: Sequence[str], runs: Iterable[Named], write: Write) -> None:
    """Write a table."""
    cell = _form("-", ",", printable)
    titles = [
        Column(name.upper().replace("_", "-"), right=name not in _WORDS, shorten=name == "path")
        for name in names
    ]
    picks = [(name, _CELLS[name]) for name in names]
    write_table(
        titles,
        ([cell(name, pick(place, run)) for name, pick in picks] for place, run in runs),
        write,
    )


def write_json(names: Sequence[str], runs: Iterable[Named], write: Write, *, raw: bool) -> None:
    """Write one object: flags, addresses, offsets and PFNs are strings."""
    from pagemap._vocabulary.text import json_string as quoted

    form = _form("", ",", str)
    lists = _Flags(lambda flags: ",".join(f'"{name}"' for name in flag_names(flags)))

    def cell(column: str, value: object) -> str:
        if value is None:
            return f'"{column}":null'
        if column == "names" and isinstance(value, int):
            return f'"{column}":[{lists[value]}]'
        if column in _HEX:
            return f'"{column}":"{value:#x}"'
        text = form(column, value)
        return f'"{column}":{quoted(text) if column in _WORDS else text}'

    picks = [(name, _CELLS[name]) for name in names]
    head = f'{{"schema":"{SCHEMA}","raw":{"true" if raw else "false"},"page_size":{PAGE_SIZE}'
    blocks = (
        [
            f"{{{','.join([cell(name, pick(place, run)) for name, pick in picks])}}}"
            for place, run in batch
        ]
        for batch in batches(runs)
    )
    write_list(f'{head},"runs":[', blocks, write, lambda: "")


def write_csv(names: Sequence[str], runs: Iterable[Named], write: Write) -> None:
    """Write CSV; names of flags are parted by ``|``, paths are as `csv_cell` has them."""
    cell = _form("", "|", csv_cell)
    picks = [(name, _CELLS[name]) for name in names]
    before = ",".join(names) + "\n"
    for batch in batches(runs):
        rows = [
            ",".join([cell(name, pick(place, run)) for name, pick in picks]) + "\n"
            for place, run in batch
        ]
        write((before + "".join(rows)).encode("utf-8", "surrogateescape"))
        before = ""
    if before:
        write(before.encode("ascii"))
