"""Who maps a frame: a table, JSON, CSV; each written as those are found."""

from __future__ import annotations

from pagemap._kernel.cgroups import directory_of
from pagemap._render.document import batches, write_list
from pagemap._render.table import Column, write_table
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.text import csv_cell, printable
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pagemap._analyses.owners import Mapper, Owners
    from pagemap._kernel.frames import Frame
    from pagemap._render.document import Write

__all__ = ["flag_names", "write_csv", "write_json", "write_text"]

SCHEMA = "pagemap.who/2"

_CSV = "pfn,pid,sharers,name,address,start,end,perms,offset,exclusive,path"


def flag_names(flags: int | None) -> list[str]:
    """The names of the flags of a frame; a bit that has none is ``bit_N``."""
    names = {flag.bit: flag.name for flag in PAGE_FLAGS}
    word = flags or 0
    return [names.get(bit, f"bit_{bit}") for bit in range(64) if word >> bit & 1]


def write_text(owners: Owners, write: Write) -> None:
    """Write what each frame is, a table of those who map it, and what remains to be said."""
    several = len(owners.frames) > 1
    for frame in owners.frames:
        write("".join(f"{line}\n" for line in _facts(frame)).encode("utf-8", "surrogateescape"))
    columns = [
        Column("PID", right=True, least=7),
        Column("NAME", least=15),
        Column("ADDRESS", right=True, least=14),
        Column("PERMS"),
        Column("PATH", shorten=True),
    ]
    if several:
        columns.insert(0, Column("PFN", right=True, least=9))
    met: dict[int, tuple[int, ...]] = {}
    pids: dict[int, set[int]] = {}

    def rows() -> Iterator[list[str]]:
        for each in owners:
            if each.sharers:
                met[each.pid] = each.sharers
            pids.setdefault(each.pfn, set()).add(each.pid)
            row = [
                str(each.pid),
                printable(each.name),
                f"{each.address:#x}",
                each.mapping.perms,
                printable(each.mapping.path),
            ]
            yield [f"{each.pfn:#x}", *row] if several else row

    write_table(columns, rows(), write)
    for frame in owners.frames:
        text = _verdict(owners, frame, len(pids.get(frame.pfn or 0, ())))
        write(f"{text}\n".encode("ascii"))
    for pid, others in met.items():
        write(f"process {pid} shares its memory with {_listed(others)}\n".encode("ascii"))


def _facts(frame: Frame) -> Iterator[str]:
    pfn = frame.pfn or 0
    yield f"frame {pfn:#x}, physical address {pfn << PAGE_SHIFT:#x}"
    yield f"  flags: {', '.join(flag_names(frame.flags)) or 'none'}"
    yield f"  map count: {'not known' if frame.mapcount is None else frame.mapcount}"
    if frame.cgroup:
        path = directory_of(frame.cgroup)
        where = f"{printable(path)} (inode {frame.cgroup})" if path else f"inode {frame.cgroup}"
        yield f"  cgroup: {where}"


def _verdict(owners: Owners, frame: Frame, processes: int) -> str:
    pfn = frame.pfn or 0
    found = owners.found[pfn]
    text = f"frame {pfn:#x}: mapped {_times(found)}"
    text += f", by {_counted(processes, 'process', 'processes')}" if found else ""
    if frame.mapcount is None:
        return f"{text}; how often it is mapped the kernel does not tell"
    missing = owners.unexplained(frame)
    if not missing:
        return text
    unreadable = len(owners.spaces.unreadable)
    why = f"{_counted(unreadable, 'process', 'processes')} that could not be read, " * bool(
        unreadable
    )
    if not owners.spaces.sees_all:
        why += "processes of other PID namespaces, which cannot be seen from this one, "
    return (
        f"{text}; the kernel counts {frame.mapcount}, {missing} more: of {why}processes that "
        "changed meanwhile, or the kernel's own"
    )


def _times(count: int) -> str:
    return {0: "nowhere", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _listed(pids: tuple[int, ...]) -> str:
    return ", ".join(map(str, pids))


def write_json(owners: Owners, write: Write) -> None:
    """Write one object: the mappers first, then the frames with what was found of each."""
    from json import dumps

    def item(each: Mapper) -> str:
        mapping = each.mapping
        return dumps(
            {
                "pfn": f"{each.pfn:#x}",
                "pid": each.pid,
                "sharers": each.sharers,
                "name": each.name,
                "address": f"{each.address:#x}",
                "start": f"{mapping.start:#x}",
                "end": f"{mapping.end:#x}",
                "perms": mapping.perms,
                "offset": f"{mapping.offset:#x}",
                "exclusive": each.exclusive,
                "path": mapping.path,
            },
            separators=(",", ":"),
        )

    def tail() -> str:
        spaces = owners.spaces
        rest = {
            "frames": [_frame(owners, frame) for frame in owners.frames],
            "processes": len(spaces.pids),
            "unreadable": [{"pid": p, "reason": why} for p, why in spaces.unreadable.items()],
            "vanished": spaces.vanished,
            "sharers_known": spaces.sharers_known,
            "all_namespaces": spaces.sees_all,
        }
        return "," + dumps(rest, separators=(",", ":"))[1:-1]

    blocks = ([item(each) for each in batch] for batch in batches(owners))
    write_list(f'{{"schema":"{SCHEMA}","mappers":[', blocks, write, tail)


def _frame(owners: Owners, frame: Frame) -> dict[str, Any]:
    pfn = frame.pfn or 0
    return {
        "pfn": f"{pfn:#x}",
        "physical_address": f"{pfn << PAGE_SHIFT:#x}",
        "flags": flag_names(frame.flags),
        "flags_word": None if frame.flags is None else f"{int(frame.flags):#x}",
        "mapcount": frame.mapcount,
        "cgroup_inode": frame.cgroup or None,
        "cgroup": directory_of(frame.cgroup) if frame.cgroup else None,
        "found": owners.found[pfn],
        "unexplained": None if frame.mapcount is None else owners.unexplained(frame),
    }


def write_csv(owners: Owners, write: Write) -> None:
    """Write CSV: a row for each page found; sharers are parted by ``|``, flags are 1 or 0."""
    before = f"{_CSV}\n"
    for batch in batches(owners):
        rows = [
            f"{each.pfn:#x},{each.pid},{'|'.join(map(str, each.sharers))},{csv_cell(each.name)},"
            f"{each.address:#x},{each.mapping.start:#x},{each.mapping.end:#x},"
            f"{each.mapping.perms},{each.mapping.offset:#x},{each.exclusive:d},"
            f"{csv_cell(each.mapping.path)}\n"
            for each in batch
        ]
        write((before + "".join(rows)).encode("utf-8", "surrogateescape"))
        before = ""
    if before:
        write(before.encode("ascii"))
