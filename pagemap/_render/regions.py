"""Regions of pages as rows: a table, JSON, CSV; each written as the regions come."""

from __future__ import annotations

from pagemap._render.document import batches, write_list
from pagemap._render.table import Column, compact_size, write_table
from pagemap._vocabulary.flags import SCAN_CATEGORIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pagemap._analyses.regions import Region
    from pagemap._render.document import Write

__all__ = ["write_csv", "write_json", "write_text"]

SCHEMA = "pagemap.regions/2"

COLUMNS = (
    Column("START", right=True),
    Column("END", right=True),
    Column("SIZE", right=True),
    Column("CATEGORIES"),
)


class _Names(dict[int, str]):
    """The names in a set of categories, as `form` puts them; there are few sets, and many rows."""

    def __init__(self, form: Callable[[list[str]], str]) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, categories: int) -> str:
        names = [flag.name for flag in SCAN_CATEGORIES if categories >> flag.bit & 1]
        text = self[categories] = self._form(names)
        return text


def write_text(regions: Iterable[Region], write: Write) -> None:
    """Write the regions as a table."""
    names = _Names(lambda found: ",".join(found) or "-")
    write_table(
        COLUMNS,
        (
            (f"{start:#x}", f"{end:#x}", compact_size(end - start), names[categories])
            for start, end, categories in regions
        ),
        write,
    )


def write_json(pid: int, regions: Iterable[Region], write: Write) -> None:
    """Write one object: addresses are strings, sizes in bytes."""
    names = _Names(lambda found: ",".join(f'"{name}"' for name in found))
    head = f'{{"schema":"{SCHEMA}","pid":{pid},"regions":['
    blocks = (
        [
            f'{{"start":"{start:#x}","end":"{end:#x}","size":{end - start},'
            f'"categories":[{names[categories]}]}}'
            for start, end, categories in batch
        ]
        for batch in batches(regions)
    )
    write_list(head, blocks, write, lambda: "")


def write_csv(regions: Iterable[Region], write: Write) -> None:
    """Write CSV; the categories of a region are parted by ``|``."""
    names = _Names("|".join)
    before = "start,end,size,categories\n"
    for batch in batches(regions):
        rows = [
            f"{start:#x},{end:#x},{end - start},{names[categories]}\n"
            for start, end, categories in batch
        ]
        write((before + "".join(rows)).encode("ascii"))
        before = ""
    if before:
        write(before.encode("ascii"))
