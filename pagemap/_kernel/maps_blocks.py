"""The text of /proc/PID/maps in blocks of whole lines, in order and settled."""

from __future__ import annotations

import os
from errno import ESPIPE

from pagemap import _native
from pagemap._native import pipeline
from pagemap._native.lines import bad_line
from pagemap._native.procmap import name_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["in_order", "read_blocks", "settled"]

_BOUNDS_SIZE = 40  # more than two addresses have
_LONGEST = 1 << 22  # bytes of a line: the path of 4,000 nested folders may have 1 MiB


def settled(block: bytes, fd: int) -> bytes:
    """The same lines of maps, in which four characters that look like a newline are told apart.

    Maps writes a newline as backslash and 012, and a backslash as itself. The kernel is asked for
    the name by PROCMAP_QUERY (Linux 6.11) on the maps file `fd`: where it has a backslash there,
    that becomes a NUL, which no path holds, and `lines.path_of` makes it one again. Where it cannot
    be asked a newline is what is meant.
    """
    if b"\\" not in block:  # found at the speed of memory, which four bytes are not
        return block
    lines = block.split(b"\n")
    for number, line in enumerate(lines):
        if b"\\012" not in line:
            continue
        path = line.find(b"/")
        if path < 0:
            continue
        try:
            name = name_at(fd, _bounds(line)[0])
        except OSError:
            continue
        if name.replace(b"\n", b"\\012") == line[path:]:
            lines[number] = line[:path] + name.replace(b"\\", b"\0").replace(b"\n", b"\\012")
    return b"\n".join(lines)


def in_order(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of whole lines, of which no line reaches back into the block before it.

    Within a block C sees to it. Raises PagemapError where lines are out of order.
    """
    above = floor = 0
    for read in blocks:
        block = _above(read, above, floor) if floor else read
        if block:
            above, floor = _bounds(read[read.rfind(b"\n", 0, -1) + 1 :])
            yield block


def _above(block: bytes, above: int, floor: int) -> bytes:
    """What of a block lies above `floor`; as pm_lines_split (csrc/kernel/maps_lines.c) has it."""
    while block:
        start, end = _bounds(block)
        if start >= floor or end <= start:
            return block
        if end > floor:
            return b"%08x" % floor + block[block.index(b"-") :]
        if start < above:
            raise bad_line(block.partition(b"\n")[0], ordered=True)
        block = block.partition(b"\n")[2]
    return block


def _bounds(line: bytes) -> tuple[int, int]:
    try:
        start, end = line[:_BOUNDS_SIZE].partition(b" ")[0].split(b"-")
        return int(start, 16), int(end, 16)
    except ValueError:
        raise bad_line(line.partition(b"\n")[0]) from None


def read_blocks(fd: int, size: int = 1 << 16) -> Iterator[bytes]:
    """The text of the maps file `fd` in blocks of whole lines, about `size` bytes each.

    The kernel hands out a page at a time, consistent in itself; a process may have millions of
    mappings, so memory must not grow with their number. What is longer than one block a thread
    reads ahead, while the one before is in use.
    """
    text = _Text(fd)

    def buffer() -> memoryview:
        return _native.view_of(_native.allocate("char[]", size), "B")

    with pipeline.run(text.reads(), buffer, in_turn=True) as results:
        for _, block in results:
            if block:
                yield block
    if text.bad is not None:
        raise bad_line(text.bad)


class _Text:
    """The text of a file of maps; each step reads on where the one before it ended."""

    done = True
    bad: bytes | None = None
    """The beginning of a line that is too long: there the text ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._offset = 0
        self._rest = b""
        self._ended = False

    @property
    def work(self) -> int:
        """Enough for what is left to have a thread, if anything is."""
        return 0 if self._ended else pipeline.ALONE_PAGES

    def reads(self) -> Iterator[_Text]:
        """The pieces of a pipeline."""
        while not self._ended:
            yield self

    def run(self, buffer: memoryview) -> bytes:
        """As many whole lines as a full buffer ends; at the end all that is left."""
        if self._ended:
            return b""
        got = _read_at(self._fd, buffer, self._offset)
        self._ended = got < len(buffer)
        self._offset += got
        text = self._rest + buffer[:got]
        whole = len(text) if self._ended else text.rfind(b"\n") + 1
        self._rest = text[whole:]
        if len(self._rest) > _LONGEST:
            self.bad, self._ended = self._rest[:_BOUNDS_SIZE], True
        return text[:whole]


def _read_at(fd: int, view: memoryview, offset: int) -> int:
    try:
        return _native.read_text(fd, view, offset)
    except OSError as error:
        if error.errno != ESPIPE:
            raise
    # a pipe: somebody else's text of maps
    filled = 0
    while filled < len(view) and (got := os.readv(fd, [view[filled:]])):
        filled += got
    return filled
