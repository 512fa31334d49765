"""The columns in which mappings are shown: their names, titles and meanings, spelled once.

The command's help, its options and what it writes come from this table. The names are those of
`pagemap.Mapping` and `pagemap.Tally`, but for COUNTED; nothing is imported that needs the
compiled module.
"""

from __future__ import annotations

from pagemap._vocabulary.record import Record

__all__ = ["ALIASES", "COUNTED", "LEAST_WIDTH", "SHOWN", "Shown", "fitting"]


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
    Shown("end", "END", "address", 14, "the address past the last"),
    Shown("size", "SIZE", "amount", 1, "what is reserved"),
    Shown("rss", "RSS", "count", 2, "in memory, as Rss of smaps"),
    Shown("swap", "SWAP", "count", 3, "in swap, as Swap of smaps"),
    Shown("anonymous", "ANONYMOUS", "count", 5, "of RSS: of no file and not shared"),
    Shown("file", "FILE", "count", 8, "of RSS: of a file, or shared anonymous"),
    Shown("exclusive", "EXCLUSIVE", "count", 6, "of RSS: mapped by nobody else (USS)"),
    Shown("huge", "HUGE", "count", 9, "in memory, mapped by huge entries"),
    Shown("present", "PRESENT", "count", 10, "in memory: RSS, ZERO and HUGETLB"),
    Shown("zero", "ZERO", "count", 11, "only read: the kernel's page of zeros"),
    Shown("hugetlb", "HUGETLB", "count", 12, "in memory, of hugetlb"),
    Shown("soft_dirty", "SOFT-DIRTY", "count", 15, "written since the bits were cleared"),
    Shown("uffd_wp", "UFFD-WP", "count", 16, "write-protected by userfaultfd"),
    Shown("guard", "GUARD", "count", 13, "guard regions"),
    Shown("marker", "MARKER", "count", 17, "userfaultfd's, where no page is"),
    Shown("migrating", "MIGRATING", "count", 18, "being moved in this moment; smaps: Rss"),
    Shown("poisoned", "POISONED", "count", 19, "broken, or declared to be"),
    Shown("device", "DEVICE", "count", 20, "held by a device"),
    Shown("perms", "PERMS", "text", 7, "as in /proc/PID/maps"),
    Shown("offset", "OFFSET", "address", None, "where in the file it begins"),
    Shown("dev", "DEV", "text", None, "the file's device"),
    Shown("inode", "INODE", "number", None, "the file's inode"),
    Shown("path", "PATH", "text", 4, "the file, or a name in brackets"),
)

ALIASES = {"anon": "anonymous", "uss": "exclusive"}
"""Other names that are taken for columns; `file_or_shared` is one of `file` too."""

COUNTED = {"file": "file_or_shared"}
"""The names that `pagemap.Tally` has for columns, where it has another."""

LEAST_WIDTH = {"address": 18, "amount": 7, "count": 7}
"""How wide cells of a kind are expected to be: [vsyscall] has 16 digits, 1023.9K 7 characters."""

_GAP = 2
_LEAST_PATH = 20


def fitting(width: int | None = None) -> list[Shown]:
    """The default columns of a table: all, or as many as fit in `width`, by their rank.

    >>> [column.name for column in fitting(80)]
    ['start', 'size', 'rss', 'swap', 'anonymous', 'path']
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
