"""`pagemap maps TARGET`: the mappings of a process as a table, or as JSON."""

from __future__ import annotations

import json
import os
from itertools import islice

from pagemap import maps
from pagemap.cli.messages import complain
from pagemap.cli.output import open_output
from pagemap.process import Process
from pagemap.render.table import Column, write_table
from pagemap.targets import resolve
from pagemap.text import printable
from pagemap.units import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator

    from pagemap.maps import Mapping

__all__ = ["run"]

SCHEMA = "pagemap.maps/1"

# What is written at a time, so that memory stays flat.
_BLOCK_PARTS = 1024

COLUMNS = (
    Column("START", right=True),
    Column("END", right=True),
    Column("SIZE", right=True),
    Column("PERMS"),
    Column("OFFSET", right=True),
    Column("DEV"),
    Column("INODE", right=True),
    Column("PATH", shorten=True),
)


def run(arguments: Namespace) -> int:
    """Write the mappings to stdout."""
    pid = resolve(arguments.target, exclude=(os.getpid(),))
    with Process(pid) as process, open_output() as output:
        if process.kernel_thread:
            complain(f"process {pid} is a kernel thread: it has no mappings")
        mappings = (m for block in process.maps_blocks() for m in maps.parse(block))
        if arguments.json:
            write_json(process.pid, mappings, output.write)
        else:
            write_table(COLUMNS, map(_row, mappings), output.write)
    return 0


def _row(mapping: Mapping) -> tuple[str, ...]:
    return (
        f"{mapping.start:x}",
        f"{mapping.end:x}",
        format_size(mapping.size),
        mapping.perms,
        f"{mapping.offset:x}",
        mapping.dev,
        str(mapping.inode),
        printable(mapping.path),
    )


def write_json(pid: int, mappings: Iterable[Mapping], write: Callable[[bytes], object]) -> None:
    """Write one JSON document by `write`, a mapping a line.

    Addresses are strings, for readers that lose digits past 2**53; bytes of a path that are not
    UTF-8 are lone surrogates, as Python reads them back.
    """
    parts = _json_parts(pid, mappings)
    while block := "".join(islice(parts, _BLOCK_PARTS)):
        write(block.encode("ascii"))


def _json_parts(pid: int, mappings: Iterable[Mapping]) -> Iterator[str]:
    yield f'{{"schema":"{SCHEMA}","pid":{pid},"mappings":['
    separator = "\n"
    for mapping in mappings:
        yield separator + json.dumps(_json_object(mapping), separators=(",", ":"))
        separator = ",\n"
    yield "\n]}\n"


def _json_object(mapping: Mapping) -> dict[str, object]:
    return {
        "start": f"{mapping.start:#x}",
        "end": f"{mapping.end:#x}",
        "size": mapping.size,
        "perms": mapping.perms,
        "offset": f"{mapping.offset:#x}",
        "dev": mapping.dev,
        "inode": mapping.inode,
        "path": mapping.path,
    }
