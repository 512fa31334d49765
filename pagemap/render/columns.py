"""The columns in which mappings are shown: their names, titles and meanings, spelled once.

The command's help, its options and what it writes come from this table. The names are those of
`pagemap.Mapping` and `pagemap.Tally`; nothing is imported that needs the compiled module.
"""

from __future__ import annotations

from pagemap.records import Record

__all__ = ["ALIASES", "LEAST_WIDTH", "SHOWN", "Shown", "fitting"]


class Shown(Record):
    """A column: its kind is address, amount, count (one to ask for), number or text.

    `rank` says which go first where there is room for a few; None: only when named.
    """

    name: str
    title: str
    kind: str
    rank: int | None
    meaning: str


SHOWN = (
    Shown("start", "START", "address", 0, "first address"),
    Shown("end", "END", "address", 12, "the address past the last"),
    Shown("size", "SIZE", "amount", 1, "what is reserved"),
    Shown("present", "PRESENT", "count", 2, "in memory (RSS)"),
    Shown("swapped", "SWAPPED", "count", 3, "in swap; guard regions count too"),
    Shown("anonymous", "ANONYMOUS", "count", 5, "present, of no file and not shared"),
    Shown("file_or_shared", "FILE", "count", 8, "of a file, or shared anonymous"),
    Shown("exclusive", "EXCLUSIVE", "count", 6, "mapped by nobody else (USS)"),
    Shown("huge", "HUGE", "count", 9, "mapped by huge entries"),
    Shown("soft_dirty", "SOFT-DIRTY", "count", 10, "written since the bits were cleared"),
    Shown("uffd_wp", "UFFD-WP", "count", 13, "write-protected by userfaultfd"),
    Shown("guard", "GUARD", "count", 11, "guard regions"),
    Shown("perms", "PERMS", "text", 7, "as in /proc/PID/maps"),
    Shown("offset", "OFFSET", "address", None, "where in the file it begins"),
    Shown("dev", "DEV", "text", None, "the file's device"),
    Shown("inode", "INODE", "number", None, "the file's inode"),
    Shown("path", "PATH", "text", 4, "the file, or a name in brackets"),
)

ALIASES = {"rss": "present", "uss": "exclusive"}

LEAST_WIDTH = {"address": 18, "amount": 7, "count": 7}
"""How wide cells of a kind are expected to be: [vsyscall] has 16 digits, 1023.9K 7 characters."""

_GAP = 2
_LEAST_PATH = 20


def fitting(width: int | None = None) -> list[Shown]:
    """The default columns of a table: all, or as many as fit in `width`, by their rank.

    >>> [column.name for column in fitting(80)]
    ['start', 'size', 'present', 'swapped', 'anonymous', 'path']
    """
    ranked = sorted((each for each in SHOWN if each.rank is not None), key=_rank)
    chosen: list[Shown] = []
    left = width
    for column in ranked:
        if left is not None:
            least = _LEAST_PATH if column.name == "path" else _GAP + _wide(column)
            # the first five, the path among them, are what a table of mappings is about
            if left < least and column.rank is not None and column.rank > 4:
                break
            left -= least
        chosen.append(column)
    return [column for column in SHOWN if column in chosen]


def _rank(column: Shown) -> int:
    return -1 if column.rank is None else column.rank


def _wide(column: Shown) -> int:
    return max(len(column.title), LEAST_WIDTH.get(column.kind, 0))
