"""Footprints as rows: of processes, of mappings, of paths; a table, JSON, CSV."""

from __future__ import annotations

import json

from pagemap._kernel.smaps import total
from pagemap._render.columns import LEAST_WIDTH
from pagemap._render.document import batches
from pagemap._render.footprint_columns import AMOUNTS, SHOWN
from pagemap._render.table import Column, compact_size, write_table
from pagemap._vocabulary.record import Record
from pagemap._vocabulary.text import csv_cell, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from pagemap._kernel.smaps import Footprint
    from pagemap._render.document import Write
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = [
    "Row",
    "alike",
    "by_path",
    "of_mapping",
    "of_process",
    "ordered",
    "write_csv",
    "write_json",
    "write_text",
]

SCHEMA = "pagemap.footprint/2"

_SHOWN = {column.name: column for column in SHOWN}
_SHARE_DIGITS = 6
_ANONYMOUS = "[anon]"


class Row(Record):
    """One row; what does not apply to it is None."""

    held: Footprint
    pid: int | None
    also: Sequence[int]
    name: str | None
    start: int | None
    end: int | None
    perms: str | None
    dev: str | None
    inode: int | None
    path: str | None
    processes: int | None
    mappings: int | None


_NO_ROW = Row(total([]), None, (), *(None,) * 9)


def of_process(pid: int, also: Sequence[int], name: str, held: Footprint) -> Row:
    """The row of a process; `also` are others that have the same memory."""
    return _NO_ROW._replace(held=held, pid=pid, also=also, name=name)


def of_mapping(pid: int, also: Sequence[int], name: str, mapping: Mapping, held: Footprint) -> Row:
    """The row of a mapping."""
    return Row(
        held,
        pid,
        also,
        name,
        mapping.start,
        mapping.end,
        mapping.perms,
        mapping.dev,
        mapping.inode,
        mapping.path,
        None,
        None,
    )


def by_path(rows: Iterable[Row]) -> list[Row]:
    """The rows of mappings as one for each file, or for each name of what is none."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_file(row), []).append(row)
    return [
        _NO_ROW._replace(
            held=_together([row.held for row in group]),
            dev=group[0].dev if group[0].inode else None,
            inode=group[0].inode or None,
            path=group[0].path,
            processes=len({pid for row in group for pid in (row.pid, *row.also)}),
            mappings=len(group),
        )
        for group in groups.values()
    ]


def _file(row: Row) -> tuple[object, ...]:
    """What a mapping is of. A path is no identity, nor has each a path of its own.

    One path is another file in another mount namespace, and of deleted ones, memfds and segments of
    System V there are many. One file has several paths by hard links and bind mounts. But what has
    an inode and no path of a file (anon_inode:[perf_event]) shares the inode with others.
    """
    path = row.path or ""
    if not row.inode:
        return (path,)
    return (row.dev, row.inode) if path[:1] == "/" else (row.dev, row.inode, path)


def alike(rows: Iterable[Row]) -> bool:
    """Whether rows of several files have one path."""
    paths = [row.path for row in rows]
    return len(set(paths)) < len(paths)


def ordered(rows: Iterable[Row], name: str) -> list[Row]:
    """The rows by a column: amounts from the largest on, what is unknown last."""
    if name in AMOUNTS or name == "share":
        amount = "pss" if name == "share" else name

        def size(row: Row) -> int:
            value = getattr(row.held, amount)
            return -1 if value is None else value

        return sorted(rows, key=size, reverse=True)

    def place(row: Row) -> tuple[bool, Any]:
        value = getattr(row, name)
        return value is None, value

    return sorted(rows, key=place)


def write_text(
    names: Sequence[str],
    rows: Sequence[Row],
    memory: int | None,
    write: Write,
    *,
    most: int | None = None,
) -> None:
    """Write a table of the columns `names`, and below it the total; `most` rows of it at most.

    Sizes have a unit; `memory` is that of the machine, in bytes, None where it is not told.
    """

    def cell(name: str, row: Row) -> str:
        value = _value(name, row, memory)
        if name in AMOUNTS:
            return "-" if value is None else compact_size(value)
        if name == "share":
            return "-" if value is None else f"{value:.1%}"
        if name == "also":
            return " ".join(map(str, value)) or "-"
        if _SHOWN[name].kind == "address":
            return f"{value:#x}"
        if value is None:
            return "-"
        return printable(str(value)) or (_ANONYMOUS if name == "path" else "")

    def lines() -> Iterator[list[str]]:
        for row in rows[:most]:
            yield [cell(name, row) for name in names]
        sums = _sums(rows)
        label = next((name for name in names if not _adds_up(name)), None)
        yield [
            cell(name, sums) if _adds_up(name) else "total" if name == label else ""
            for name in names
        ]

    columns = [
        Column(
            _SHOWN[name].title,
            right=_SHOWN[name].kind not in ("text", "pids"),
            shorten=name == "path",
            least=LEAST_WIDTH.get(_SHOWN[name].kind, 0),
        )
        for name in names
    ]
    write_table(columns, lines(), write)


def write_json(
    view: str,
    names: Sequence[str],
    rows: Sequence[Row],
    memory: int | None,
    write: Write,
    about: dict[str, object],
) -> None:
    """Write one object, a row a line: sizes in bytes, addresses strings, the share from 0 to 1.

    `about` is what comes after the totals.
    """

    def fields(row: Row, chosen: Iterable[str]) -> dict[str, Any]:
        return {name: _plain(name, row, memory) for name in chosen}

    head = f'{{"schema":"{SCHEMA}","memory":{_dumps(memory)},"{view}":['
    for batch in batches(rows):
        text = ",\n".join(_dumps(fields(row, names)) for row in batch)
        write(f"{head}\n{text}".encode("ascii"))
        head = ","
    sums = _dumps(fields(_sums(rows), filter(_adds_up, names)))
    rest = "".join(f',\n"{name}":{_dumps(value)}' for name, value in about.items())
    write(f'{"" if rows else head}\n],\n"totals":{sums}{rest}}}\n'.encode("ascii"))


def write_csv(names: Sequence[str], rows: Sequence[Row], memory: int | None, write: Write) -> None:
    """Write CSV: sizes in bytes, addresses in hex, the share from 0 to 1; nothing for unknown."""

    def cell(name: str, row: Row) -> str:
        value = _plain(name, row, memory)
        if name == "also":
            value = " ".join(map(str, value))
        text = "" if value is None else str(value)
        if name in ("name", "path"):
            text = csv_cell(text)
        # A line without anything on it is no row to who reads CSV.
        return text or ('""' if len(names) == 1 else "")

    before = ",".join(names) + "\n"
    for batch in batches(rows):
        text = "".join(",".join([cell(name, row) for name in names]) + "\n" for row in batch)
        write((before + text).encode("utf-8", "surrogateescape"))
        before = ""
    if before:
        write(before.encode("ascii"))


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _adds_up(name: str) -> bool:
    return name in AMOUNTS or name == "share"


def _sums(rows: Iterable[Row]) -> Row:
    return _NO_ROW._replace(held=_together([row.held for row in rows]))


def _together(footprints: Sequence[Footprint]) -> Footprint:
    """The sum. Pages of the hugetlb pool that several have may be the same ones."""
    sums = total(footprints)
    if sum(each.shared_hugetlb != 0 for each in footprints) > 1:
        return sums._replace(shared_hugetlb=None)
    return sums


def _value(name: str, row: Row, memory: int | None) -> Any:
    if name == "share":
        return row.held.pss / memory if memory and row.held.pss is not None else None
    return getattr(row.held if name in AMOUNTS else row, name)


def _plain(name: str, row: Row, memory: int | None) -> Any:
    value = _value(name, row, memory)
    if name == "share":
        return None if value is None else round(value, _SHARE_DIGITS)
    return hex(value) if _SHOWN[name].kind == "address" else value
