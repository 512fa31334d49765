"""Which processes share which memory: tables, JSON, CSV."""

from __future__ import annotations

from pagemap._render.table import Column, compact_size, write_table
from pagemap._vocabulary.text import csv_cell, printable
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from pagemap._analyses.sharing import Amounts, Sharing
    from pagemap._render.document import Write

    Part = list[dict[str, Any]]

__all__ = ["write_csv", "write_json", "write_text"]

SCHEMA = "pagemap.sharing/2"

# What is shared at all, then by kind: the names of columns in every output.
_KINDS = ("anonymous", "file", "shmem", "ksm", "other", "zero")
_SIZES = ("shared", *_KINDS, "saved")
_PIDS = ("pid", "other_pid")
_SHOWN_PIDS = 6


def _amounts(sharing: Sharing, pages: Amounts) -> dict[str, int | None]:
    """In bytes; None where the kernel does not tell merged pages from others."""
    kinds: dict[str, int | None] = {kind: getattr(pages, kind) << PAGE_SHIFT for kind in _KINDS}
    if sharing.ksm_told is False:
        kinds["ksm"] = None
    return {"shared": pages.shared << PAGE_SHIFT, **kinds}


def _total(sharing: Sharing) -> Part:
    return [{**_amounts(sharing, sharing.total), "saved": sharing.saved << PAGE_SHIFT}]


def _processes(sharing: Sharing) -> Part:
    found = [
        {"pid": each.pid, "name": each.name, **_amounts(sharing, each.pages)}
        for each in sharing.processes
    ]
    return sorted(found, key=lambda each: -int(each["shared"]))


def _pairs(sharing: Sharing) -> Part:
    names = sharing.spaces.names
    return [
        {
            "pid": each.pid,
            "name": names.get(each.pid, ""),
            "other_pid": each.other,
            "other_name": names.get(each.other, ""),
            **_amounts(sharing, each.pages),
        }
        for each in sharing.pairs
    ]


def _groups(sharing: Sharing) -> Part:
    return [
        {
            "processes": len(each.pids),
            **_amounts(sharing, each.pages),
            "pids": list(each.pids),
            "path": each.path,
        }
        for each in sharing.groups
    ]


def _paths(sharing: Sharing) -> Part:
    return [
        {**_amounts(sharing, each.pages), "saved": each.saved << PAGE_SHIFT, "path": each.path}
        for each in sharing.paths
    ]


def _frames(sharing: Sharing) -> Part:
    return [
        {
            "pfn": f"{each.pfn:#x}",
            "processes": each.processes,
            "mapcount": each.mapcount,
            "kind": each.kind,
            "path": each.path,
        }
        for each in sharing.frames
    ]


_PARTS: dict[str, Callable[[Sharing], Part]] = {
    "total": _total,
    "processes": _processes,
    "pairs": _pairs,
    "groups": _groups,
    "paths": _paths,
    "frames": _frames,
}

_EMPTY: dict[str, tuple[str, ...]] = {
    "total": ("shared", *_KINDS, "saved"),
    "processes": ("pid", "name", "shared", *_KINDS),
    "pairs": ("pid", "name", "other_pid", "other_name", "shared", *_KINDS),
    "groups": ("processes", "shared", *_KINDS, "pids", "path"),
    "paths": ("shared", *_KINDS, "saved", "path"),
    "frames": ("pfn", "processes", "mapcount", "kind", "path"),
}
"""The columns of each part, in the order in which its rows have them."""

_LEFT = ("name", "other_name", "kind", "pids", "path")


def write_text(sharing: Sharing, parts: Sequence[str], top: int, write: Write) -> None:
    """Write a table for each part, parted by empty lines: of each the `top` first rows.

    Kinds of which there is nothing in a table have no column in it.
    """
    for number, name in enumerate(parts):
        rows = _PARTS[name](sharing)[:top]
        between = "\n" if number else ""
        write(f"{between}{name}\n".encode("ascii"))
        shown = [
            column
            for column in _EMPTY[name]
            if column not in _KINDS or any(row[column] for row in rows)
        ]
        columns = [
            Column(
                column.upper().replace("_", "-"),
                right=column not in _LEFT,
                shorten=column == "path",
                least=7 if column in _SIZES or column in _PIDS else 0,
            )
            for column in shown
        ]
        write_table(
            columns, ([_cell(column, row[column]) for column in shown] for row in rows), write
        )


def _cell(column: str, value: Any) -> str:
    if column in _SIZES:
        return compact_size(value)
    if column == "pids":
        listed = ",".join(map(str, value[:_SHOWN_PIDS]))
        return f"{listed},…" if len(value) > _SHOWN_PIDS else listed
    if column == "path":
        return printable(value) or "[anon]"
    return "-" if value is None else printable(str(value))


def write_json(sharing: Sharing, parts: Iterable[str], write: Write) -> None:
    """Write one object: a list for each part, an item a line, and who was left out."""
    from json import dumps

    spaces = sharing.spaces

    def line(item: object) -> str:
        return dumps(item, separators=(",", ":"))

    def joined(items: Part) -> str:
        return ",\n".join(map(line, items))

    rest = {
        "processes_seen": len(spaces.pids),
        "sets": sharing.sets,
        "beyond": sharing.beyond << PAGE_SHIFT,
        "untold": _amounts(sharing, sharing.untold),
        "unreadable": [{"pid": pid, "reason": why} for pid, why in spaces.unreadable.items()],
        "vanished": spaces.vanished,
        "sharers": [
            {"pid": pid, "sharers": others} for pid, others in sorted(spaces.sharers.items())
        ],
        "sharers_known": spaces.sharers_known,
        "all_namespaces": spaces.sees_all,
        "ksm_told": sharing.ksm_told,
    }
    write(f'{{"schema":"{SCHEMA}","page_size":{PAGE_SIZE}'.encode("ascii"))
    for name in parts:
        rows = _PARTS[name](sharing)
        value = line(rows[0]) if name == "total" else f"[\n{joined(rows)}\n]"
        write(f',\n"{name}":{value}'.encode("ascii"))
    write(f",\n{line(rest)[1:-1]}}}\n".encode("ascii"))


def write_csv(sharing: Sharing, part: str, write: Write) -> None:
    """Write one part as CSV: sizes in bytes, pids of a group parted by ``|``."""
    columns = _EMPTY[part]
    lines = [",".join(columns)]
    for row in _PARTS[part](sharing):
        cells = (row[column] for column in columns)
        lines.append(",".join(map(_csv_cell, cells)))
    write(("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))


def _csv_cell(value: Any) -> str:
    if isinstance(value, list):
        return "|".join(map(str, value))
    return "" if value is None else csv_cell(str(value))
