"""/proc/PID/smaps and smaps_rollup: the kernel's own sums, from text to numbers.

Both are of show_smap in fs/proc/task_mmu.c: ``Name:  123 kB`` line by line, in smaps below a line
as of maps for each mapping. Kernels add lines as they grow: only those asked for are looked at.
smaps_rollup (Linux 4.14) has the sums of all mappings, for less than half of the cost.
"""

from __future__ import annotations

from pagemap._errors import PagemapError
from pagemap._kernel import maps
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from pagemap._vocabulary.rows.mapping import Mapping

    Lines = dict[bytes, int]

__all__ = ["parse", "parse_rollup"]

_DIGITS = 15  # of a size in KiB: no memory has more
_SHOWN = 80  # bytes of a line that is malformed
_ADDRESS_DIGITS = frozenset(b"0123456789abcdef")


def parse_rollup(data: bytes, names: Container[bytes]) -> Lines:
    """The bytes in the lines called `names` of the text of smaps_rollup, those that there are.

    Raises PagemapError for what is none.
    """
    _, _, rest = data.partition(b"\n")
    found: Lines = {}
    for line in rest.split(b"\n"):
        _take(line, names, found)
    if not found:
        raise _malformed("smaps_rollup", data[:40])
    return found


def parse(blocks: Iterable[bytes], names: Container[bytes]) -> Iterator[tuple[Mapping, Lines]]:
    """Each mapping with the bytes in its lines called `names`, out of smaps in `blocks` of lines.

    Raises PagemapError where a line is malformed.
    """
    head = b""
    found: Lines = {}
    for block in blocks:
        for line in block.split(b"\n"):
            if not line:
                continue
            # A path may look like anything, but its line begins with an address.
            if line[0] in _ADDRESS_DIGITS:
                if head:
                    yield maps.parse_line(head), found
                head = line
                found = {}
                continue
            _take(line, names, found)
    if head:
        yield maps.parse_line(head), found


def _take(line: bytes, names: Container[bytes], found: Lines) -> None:
    name, _, rest = line.partition(b":")
    if name in names:
        size, unit = rest[:-3].strip(b" \t"), rest[-3:]
        if unit != b" kB" or not size.isdigit() or len(size) > _DIGITS:
            raise _malformed("smaps", line)
        found[name] = int(size) << 10


def _malformed(name: str, line: bytes) -> PagemapError:
    text = printable(line[:_SHOWN].decode("utf-8", "surrogateescape"))
    return PagemapError(
        f"not a line of /proc/PID/{name} that has the kernel's sums: {text!r}",
        operation="read the memory sums",
    )
