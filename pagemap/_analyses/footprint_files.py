"""Footprints by file: the rows of mappings as one for each file, or name of what is none."""

from __future__ import annotations

from pagemap._analyses.footprint import with_share
from pagemap._vocabulary.rows.footprint import MAPPING_FOOTPRINTS, FootprintSums, PathFootprintRow
from pagemap._vocabulary.rows.mapping import of_a_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._space.every_process import EveryProcess
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._vocabulary.rows.footprint import MappingFootprintRow

__all__ = ["of_paths"]


def of_paths(
    rows: Iterable[MappingFootprintRow], every: EveryProcess | SavedProcesses, memory: int | None
) -> list[PathFootprintRow]:
    """The rows of mappings as one for each file, or for each name of what is none."""
    groups: dict[tuple[object, ...], list[MappingFootprintRow]] = {}
    for row in rows:
        groups.setdefault(_file(row), []).append(row)
    return [
        PathFootprintRow._make(
            (
                len({pid for row in group for pid in (row.pid, *every.sharers.get(row.pid, ()))}),
                len(group),
                *with_share(_together(group), memory),
                *((file.dev, file.inode) if of_a_file(file.dev, file.inode) else (None, None)),
                file.path,
            )
        )
        for group in groups.values()
        for file in group[:1]
    ]


def _file(row: MappingFootprintRow) -> tuple[object, ...]:
    """What a mapping is of. A path is no identity, nor has each a path of its own.

    One path is another file in another mount namespace, and of deleted ones, memfds and segments of
    System V there are many. One file has several paths by hard links and bind mounts. But what has
    an inode and no path of a file (anon_inode:[perf_event]) shares the inode with others.
    """
    if not of_a_file(row.dev, row.inode):
        return (row.path,)
    alone = row.path[:1] == "/"
    return (row.dev, row.inode) if alone else (row.dev, row.inode, row.path)


def _together(rows: Sequence[MappingFootprintRow]) -> FootprintSums:
    """The sums of mappings; not known where a part is not, or may be of the same pages."""
    found: list[int | None] = []
    first = MAPPING_FOOTPRINTS.names.index(FootprintSums._fields[0])
    columns = zip(*(row[first : first + len(FootprintSums._fields)] for row in rows), strict=True)
    for name, sizes in zip(FootprintSums._fields, columns, strict=True):
        several = not MAPPING_FOOTPRINTS[name].adds and sum(size != 0 for size in sizes) > 1
        known = [size for size in sizes if size is not None]
        found.append(None if several or len(known) < len(sizes) else sum(known))
    return FootprintSums._make(found)
