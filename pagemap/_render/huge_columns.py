"""The columns in which huge pages are shown: their names, titles and meanings, spelled once.

As in `pagemap._render.columns`, for huge pages: of the mappings of a process, or of
processes. Nothing is imported that needs the compiled module.
"""

from __future__ import annotations

from pagemap._render.columns import LEAST_WIDTH, Shown

__all__ = ["ALIASES", "AMOUNTS", "KINDS", "SHOWN", "VIEWS", "fitting"]

SHOWN = (
    Shown("pid", "PID", "number", 0, "the process"),
    Shown("also", "ALSO", "pids", None, "other processes with the same memory: vfork, CLONE_VM"),
    Shown("start", "START", "address", 0, "first address"),
    Shown("end", "END", "address", 11, "the address past the last"),
    Shown("size", "SIZE", "amount", 9, "what is reserved"),
    Shown("present", "PRESENT", "amount", None, "in memory; pages of zeros and hugetlb too"),
    Shown("rss", "RSS", "amount", 1, "in memory, as Rss of smaps: without these two"),
    Shown("anonymous", "ANONYMOUS", "amount", None, "of rss, of no file and not shared"),
    Shown("thp", "THP", "amount", 2, "of rss, in transparent huge pages of any size"),
    Shown("pmd", "PMD", "amount", 3, "of those, mapped by PMDs: one entry for all"),
    Shown("aligned", "ALIGNED", "amount", 5, "whole, in their place, mapped by PTEs"),
    Shown("unaligned", "UNALIGNED", "amount", 7, "whole, at no multiple of their size"),
    Shown("partial", "PARTIAL", "amount", 6, "of pages that are mapped in part"),
    Shown("cont", "CONT", "blocks", 8, "in blocks of each size asked for, by PTEs"),
    Shown("zero", "ZERO", "amount", None, "pages of zeros, small and huge: nobody's memory"),
    Shown("hugetlb", "HUGETLB", "amount", None, "in memory, of the hugetlb pool"),
    Shown("thp_anon", "THP-ANON", "sizes", 10, "how much of which size: anonymous"),
    Shown("thp_file", "THP-FILE", "sizes", 10, "the same of files and shared memory"),
    Shown("perms", "PERMS", "text", 12, "as in /proc/PID/maps"),
    Shown("offset", "OFFSET", "address", None, "where in the file it begins"),
    Shown("dev", "DEV", "text", None, "the file's device"),
    Shown("inode", "INODE", "number", None, "the file's inode"),
    Shown("path", "PATH", "text", 4, "the file, or a name in brackets"),
    Shown("name", "NAME", "text", 4, "the command name"),
)

ALIASES = {"anon": "anonymous"}
"""Other names that are taken for columns, as in `pagemap._render.columns`."""

KINDS = {"thp_anon": "anon", "thp_file": "file"}
"""Columns of several sizes, and what of `pagemap.HugeTally` each shows."""

AMOUNTS = tuple(each.name for each in SHOWN if each.kind in ("amount", "blocks", "sizes"))

_MAPPING = ("start", "end", "perms", "offset", "dev", "inode", "path")
_PROCESS = ("pid", "also", "name")
VIEWS = {
    "mappings": tuple(each.name for each in SHOWN if each.name not in _PROCESS),
    "processes": tuple(each.name for each in SHOWN if each.name not in _MAPPING),
}
"""The columns of mappings, and those of processes."""

_GAP = 2
_LEAST = {"pid": 7, "name": 15, "path": 20, "sizes": 20}
_KEPT = 4  # the first of them are shown however narrow the terminal is


def fitting(view: str, width: int | None = None, *, blocks: int = 0) -> list[str]:
    """The default columns of a table: all, or as many as fit in `width`, by their rank.

    `blocks` is how many sizes of blocks were asked for: each takes a column.

    >>> fitting("mappings", 80)
    ['start', 'rss', 'thp', 'pmd', 'aligned', 'path']
    """
    left = width
    chosen: set[str] = set()
    ranked = [each for each in SHOWN if each.rank is not None and each.name in VIEWS[view]]
    for column in sorted(ranked, key=_rank):
        if column.kind == "blocks" and not blocks:
            continue
        if left is not None:
            left -= _wide(column) * (blocks if column.kind == "blocks" else 1)
            if left < 0 and _rank(column) > _KEPT:
                break
        chosen.add(column.name)
    return [column.name for column in SHOWN if column.name in chosen]


def _rank(column: Shown) -> int:
    return -1 if column.rank is None else column.rank


def _wide(column: Shown) -> int:
    least = _LEAST.get(column.name) or _LEAST.get(column.kind) or LEAST_WIDTH.get(column.kind, 0)
    titled = "CONT-512K" if column.kind == "blocks" else column.title
    return _GAP + max(len(titled), least)
