"""The rows of `types`: numbers of pages by their flags, lists of pages, and flags explained."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = [
    "FLAGS",
    "PAGE_RUNS",
    "PAGE_TYPES",
    "UNKNOWN",
    "FlagRow",
    "PageRunRow",
    "PageTypeRow",
    "run_columns",
]

_FLAGS = "the flags, as bits of `pagemap.PageFlag`"
_LETTERS = "one character for each known flag: its letter, or _ if not set"
_NAMES = "the names of the flags, separated by commas; unknown where they are not known"

UNKNOWN = "unknown"
"""What stands for the names of flags that are not known."""


class PageTypeRow(Record):
    """How many pages have exactly these flags; a row of `pagemap.page_types`."""

    flags: int | None = field("flags", _FLAGS, rank=0, key=True)
    pages: int = field("pages", "number of pages with exactly these flags", rank=1)
    frames: int = field("frames", "number of frames, each counted with the first page seen", rank=4)
    size: int = field("bytes", "memory of the frames", rank=3)
    letters: str | None = field("", _LETTERS, rank=5)
    names: str = field("", _NAMES, rank=2)


PAGE_TYPES = Schema.of(PageTypeRow, "pagemap.types", 3)


class PageRunRow(Record):
    """Consecutive pages that are alike; a row of `pagemap.page_runs`, which lists its columns."""

    pid: int | None = field("", "the process, in a list of several", key=True, rank=0)
    path: str | None = field("", "the file, in a list of files", key=True, rank=2)
    address: int | None = field(
        "address", "virtual address of the first page, for processes", key=True, rank=0
    )
    offset: int | None = field("offset", "offset of the first page, for files", key=True, rank=0)
    pfn: int | None = field("pfn", "frame of the first page; unknown if not in memory", rank=1)
    swap_offset: int | None = field(
        "", "page number in the swap area; unknown if not in swap", rank=5
    )
    pages: int = field("pages", "number of pages", rank=1)
    mapcount: int | None = field("", "times each page is mapped")
    cgroup: int | None = field("", "inode of the memory cgroup that they are charged to")
    flags: int | None = field("flags", _FLAGS, rank=2)
    letters: str | None = field("", _LETTERS, rank=8)
    names: str = field("", _NAMES, rank=3)


PAGE_RUNS = Schema.of(PageRunRow, "pagemap.page-runs", 2)


def run_columns(*, processes: int, files: bool, each: bool) -> list[str]:
    """The columns of a list of pages of so many processes, of files, or (neither) of memory.

    >>> run_columns(processes=0, files=False, each=True)
    ['pfn', 'mapcount', 'cgroup', 'flags', 'letters', 'names']
    """
    there = {
        "pid": processes > 1,
        "path": files,
        "address": processes > 0,
        "offset": files,
        "swap_offset": processes > 0,
        "pages": not each,
    }
    return [name for name in PAGE_RUNS.names if there.get(name, True)]


class FlagRow(Record):
    """A flag of a frame, explained."""

    bit: int = field("", "its number, 0 for the lowest", rank=0, key=True)
    letter: str = field("", "one character that stands for it", rank=1)
    name: str = field("", "its name", rank=2)
    meaning: str = field("prose", "what it says about a page; empty if unknown", rank=3)


FLAGS = Schema.of(FlagRow, "pagemap.flags", 2)
