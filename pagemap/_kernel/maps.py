r"""/proc/PID/maps: text into mappings.

The format is the kernel's (show_map_vma in fs/proc/task_mmu.c): ``start-end perms offset dev inode
path``, addresses, offset and device in hex, the inode in decimal. The path is the rest of the line,
whatever bytes it holds; the kernel writes a newline in it as ``\012``, and nothing else is
escaped: a file really named with these four characters reads the same (see `maps_blocks`).
"""

from __future__ import annotations

from itertools import repeat

from pagemap._native.lines import Lines, bad_line
from pagemap._vocabulary.rows.mapping import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "as_written",
    "decode_path",
    "mappings_of",
    "parse",
    "parse_bounds",
    "parse_labels",
    "parse_line",
]

_BACKSLASH = "\0"  # what stands for one in lines that are `maps_blocks.settled`


def decode_path(label: bytes) -> str:
    """The path that maps wrote as `label`, or `maps_blocks.settled` has made of it."""
    path = label.decode("utf-8", "surrogateescape")
    return _decoded(path) if "\\" in path or _BACKSLASH in path else path


def _decoded(path: str) -> str:
    return path.replace("\\012", "\n").replace(_BACKSLASH, "\\")


def as_written(label: bytes) -> bytes:
    """A label just as the kernel wrote it."""
    return label.replace(_BACKSLASH.encode(), b"\\")


def parse(data: bytes) -> list[Mapping]:
    """The mappings in `data`, whole lines of /proc/PID/maps, in order.

    Raises PagemapError for other lines, and names the first of them.
    """
    return list(mappings_of(Lines(data)))


def parse_bounds(data: bytes) -> tuple[list[Mapping], memoryview]:
    """The same, and where they start and end as C wants it: two numbers each, format Q."""
    lines = Lines(data)
    return list(mappings_of(lines)), lines.bounds


def mappings_of(lines: Lines) -> Iterator[Mapping]:
    """The mappings, each made when it is asked for."""
    perms, devices = (
        [word.decode("ascii", "surrogateescape") for word in column.words]
        for column in (lines.perms, lines.devices)
    )
    paths = [decode_path(word) for word in lines.paths.words]
    new = tuple.__new__  # what _make does, without the call in between
    cells = zip(
        lines.bounds[::2],
        lines.bounds[1::2],
        map(perms.__getitem__, lines.perms.codes),
        lines.offsets,
        map(devices.__getitem__, lines.devices.codes),
        lines.inodes,
        map(paths.__getitem__, lines.paths.codes),
        strict=True,
    )
    return map(new, repeat(Mapping), cells)


def parse_line(line: bytes) -> Mapping:
    """The mapping in one line, its newline left out. Raises PagemapError for another line."""
    span, _, rest = line.decode("utf-8", "surrogateescape").partition(" ")
    try:
        start, end = (int(bound, 16) for bound in span.split("-"))
    except ValueError:
        raise bad_line(line) from None
    if end <= start:
        raise bad_line(line, ordered=True)
    return Mapping(start, end, *_parse_rest(rest))


def _parse_rest(rest: str) -> tuple[str, int, str, int, str]:
    try:
        perms, offset, dev, inode, path = rest.split(" ", 4)
        if path:
            path = path.lstrip(" ")
            if "\\" in path or _BACKSLASH in path:
                path = _decoded(path)
        return perms, int(offset, 16), dev, int(inode), path
    except ValueError:
        raise bad_line(f"... {rest}") from None


def parse_labels(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Only ``(start, end, label)`` of each line, the label as the kernel wrote the path.

    Raises as `parse`.
    """
    lines = Lines(data)
    bounds = lines.bounds.tolist()
    labels = map(lines.paths.words.__getitem__, lines.paths.codes)
    return zip(bounds[::2], bounds[1::2], labels, strict=True)
