"""The rows of page types: how many pages have which flags, and which pages these are."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = [
    "FLAGS",
    "PAGE_RUNS",
    "PAGE_TYPES",
    "FlagRow",
    "PageRunRow",
    "PageTypeRow",
    "run_columns",
]

_FLAGS = "what each is, in bits as `pagemap.PageFlag` has them"
_LETTERS = "a character for each known flag: its letter, or _"
_NAMES = "the names of the flags, parted by commas"


class PageTypeRow(Record):
    """How many pages have just these flags; a row of `pagemap.page_types`."""

    flags: int = field("flags", _FLAGS, rank=0, key=True)
    pages: int = field("pages", "entries that have them, and no others", rank=1)
    frames: int = field("frames", "that these lie in, each with the first page seen in it", rank=3)
    size: int = field("bytes", "what the frames take", rank=2)
    letters: str = field("", _LETTERS, rank=5)
    names: str = field("", _NAMES, rank=4)


PAGE_TYPES = Schema.of(PageTypeRow, "pagemap.types", 3)


class PageRunRow(Record):
    """Pages in a row that are alike; a row of `pagemap.page_runs`, with columns as it says."""

    pid: int | None = field("", "the process, in a list of several", key=True)
    path: str | None = field("", "the file, in a list of several", key=True, rank=9)
    address: int | None = field("address", "of a process: the first one's", key=True, rank=0)
    offset: int | None = field("offset", "of a file: the first one's", key=True, rank=0)
    pfn: int | None = field("pfn", "its frame; unknown of what is not in memory", rank=1)
    swap_offset: int | None = field("", "its page in the swap area; unknown of all else", rank=4)
    pages: int = field("pages", "how many there are", rank=2)
    mapcount: int | None = field("", "how often each is mapped")
    cgroup: int | None = field("", "inode of the memory cgroup that it is charged to")
    flags: int = field("flags", _FLAGS, rank=3)
    letters: str = field("", _LETTERS, rank=8)
    names: str = field("", _NAMES, rank=7)


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
    letter: str = field("", "the character that stands for it", rank=1)
    name: str = field("", "its name", rank=2)
    meaning: str = field("prose", "what it says of a page; empty where nobody here knows", rank=3)


FLAGS = Schema.of(FlagRow, "pagemap.flags", 2)
