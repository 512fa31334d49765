"""The columns in which footprints are shown: their names, titles and meanings, spelled once.

The command's help, its options and what it writes come from this table; nothing is imported that
needs the compiled module.
"""

from __future__ import annotations

from pagemap._render.columns import LEAST_WIDTH, Shown

__all__ = ["ALIASES", "AMOUNTS", "SHOWN", "VIEWS", "columns_of", "fitting"]

SHOWN = (
    Shown("pid", "PID", "number", 0, "the process"),
    Shown("also", "ALSO", "pids", None, "other processes with the same memory: vfork, CLONE_VM"),
    Shown("start", "START", "address", 1, "first address"),
    Shown("end", "END", "address", None, "the address past the last"),
    Shown("perms", "PERMS", "text", 12, "as in /proc/PID/maps"),
    Shown("processes", "PROCESSES", "number", 4, "how many map it"),
    Shown("mappings", "MAPPINGS", "number", 8, "in how many mappings"),
    Shown("rss", "RSS", "amount", 3, "in memory"),
    Shown("pss", "PSS", "amount", 1, "in memory, each page by its number of mappings"),
    Shown("uss", "USS", "amount", 2, "in memory, mapped once: private"),
    Shown("swap", "SWAP", "amount", 4, "in swap"),
    Shown("swap_pss", "SWAP-PSS", "amount", 7, "in swap, each page by its number of users"),
    Shown("shared", "SHARED", "amount", 6, "in memory, mapped more than once"),
    Shown("dirty", "DIRTY", "amount", 9, "must be written before it can be dropped"),
    Shown("clean", "CLEAN", "amount", 10, "can be dropped and read again"),
    Shown("shared_clean", "SHARED-CLEAN", "amount", None, "shared and clean"),
    Shown("shared_dirty", "SHARED-DIRTY", "amount", None, "shared and dirty"),
    Shown("private_clean", "PRIVATE-CLEAN", "amount", None, "private and clean"),
    Shown("private_dirty", "PRIVATE-DIRTY", "amount", None, "private and dirty"),
    Shown("hugetlb", "HUGETLB", "amount", 11, "of the hugetlb pool; in no column before"),
    Shown("shared_hugetlb", "SHARED-HUGETLB", "amount", None, "of that, mapped more than once"),
    Shown("private_hugetlb", "PRIVATE-HUGETLB", "amount", None, "of that, mapped once"),
    Shown("hugetlb_pss", "HUGETLB-PSS", "amount", 12, "of that, each page by its mappings"),
    Shown("share", "MEMORY", "share", 5, "pss, as a share of all memory"),
    Shown("name", "NAME", "text", 2, "the command name"),
    Shown("dev", "DEV", "text", None, "the file's device"),
    Shown("inode", "INODE", "number", None, "the file's inode"),
    Shown("path", "PATH", "text", 2, "the file, or a name in brackets"),
)

ALIASES = {"private": "uss", "memory": "share"}

AMOUNTS = tuple(column.name for column in SHOWN if column.kind == "amount")

_SUMS = (*AMOUNTS, "share")
VIEWS = {
    "processes": ("pid", "also", *_SUMS, "name"),
    "mappings": ("pid", "start", "end", "perms", *_SUMS, "name", "dev", "inode", "path"),
    "paths": ("processes", "mappings", *_SUMS, "dev", "inode", "path"),
}
"""The columns that rows of processes, of mappings and of paths have."""

_GAP = 2
_LEAST = {"pid": 7, "name": 15, "path": 20, "perms": 4}
# In a table of mappings the name of the process matters less than its path.
_AFTER_ALL = 20
_KEPT = 3  # the first columns are shown however narrow the terminal


def columns_of(view: str) -> list[Shown]:
    """The columns of a view, in the order in which they are shown."""
    return [column for column in SHOWN if column.name in VIEWS[view]]


def fitting(view: str, width: int | None = None) -> list[str]:
    """The default columns of a table: all, or as many as fit in `width`, by their rank.

    >>> fitting("processes", 80)
    ['pid', 'rss', 'pss', 'uss', 'swap', 'shared', 'share', 'name']
    """
    left = width
    chosen: set[str] = set()
    ranked = sorted((rank, column) for column in columns_of(view) for rank in _rank(view, column))
    for number, (_, column) in enumerate(ranked):
        if left is not None:
            left -= _GAP + _wide(column)
            if left < -_GAP and number >= _KEPT:
                break
        chosen.add(column.name)
    return [column.name for column in columns_of(view) if column.name in chosen]


def _rank(view: str, column: Shown) -> list[int]:
    if column.rank is None:
        return []
    return [_AFTER_ALL if view == "mappings" and column.name == "name" else column.rank]


def _wide(column: Shown) -> int:
    least = _LEAST.get(column.name, LEAST_WIDTH.get(column.kind, 0))
    return max(len(column.title), least)
