r"""/proc/PID/maps: text into mappings.

The format is the kernel's (show_map_vma in fs/proc/task_mmu.c): ``start-end perms offset dev inode
path``, addresses, offset and device in hex, the inode in decimal. The path is the rest of the line,
whatever bytes it holds; the kernel writes a newline in it as ``\012``, and nothing else is
escaped: a file really named with these four characters reads the same (see `maps_blocks`).
"""

from __future__ import annotations

from itertools import repeat

from pagemap._native.lines import Lines, bad_line, path_of
from pagemap._vocabulary.rows.mapping import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["mappings_of", "parse", "parse_line"]


def parse(data: bytes) -> list[Mapping]:
    """The mappings in `data`, whole lines of /proc/PID/maps, in order.

    Raises PagemapError for other lines, and names the first of them.
    """
    return list(mappings_of(Lines(data)))


def mappings_of(lines: Lines) -> Iterator[Mapping]:
    """The mappings, each made when it is asked for."""
    new = tuple.__new__  # what _make does, without the call in between
    cells = zip(
        lines.bounds[::2],
        lines.bounds[1::2],
        lines.perms,
        lines.offsets,
        lines.devices,
        lines.inodes,
        lines.paths,
        strict=True,
    )
    return map(new, repeat(Mapping), cells)


def parse_line(line: bytes) -> Mapping:
    """The mapping in one line, its newline left out. Raises PagemapError for another line."""
    try:
        bounds, perms, offset, dev, inode, path = line.split(b" ", 5)
        start, end = (int(bound, 16) for bound in bounds.split(b"-"))
        rest = perms.decode("ascii"), int(offset, 16), dev.decode("ascii"), int(inode)
    except ValueError:
        raise bad_line(line) from None
    if end <= start:
        raise bad_line(line, ordered=True)
    return Mapping(start, end, *rest, path_of(path.lstrip(b" ")))
