"""/proc/PID/smaps and smaps_rollup: the kernel's own sums, from text to numbers.

Both are of show_smap in fs/proc/task_mmu.c: ``Name:  123 kB`` line by line, in smaps below a line
as of maps for each mapping. Kernels add lines as they grow: only those asked for are looked at.
The last lines of a mapping are no sizes: `PLAIN` has their names.
smaps_rollup (Linux 4.14) has the sums of all mappings, for less than half of the cost.
"""

from __future__ import annotations

import re

from pagemap._errors import PagemapError
from pagemap._kernel import maps
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator
    from typing import Any

    from pagemap._vocabulary.rows.mapping import Mapping

    Lines = dict[bytes, Any]  # sizes in bytes; of PLAIN lines the text

__all__ = ["PLAIN", "parse", "parse_rollup", "read"]

PLAIN = frozenset({b"THPeligible", b"ProtectionKey", b"VmFlags"})
"""The lines that have no size, but a number or flags."""

_DIGITS = 15  # of a size in KiB: no memory has more
_READS = 5  # of smaps, where mappings change meanwhile
_SHOWN = 80  # bytes of a line that is malformed
# A path may look like anything, but its line begins with an address; the others begin with names.
_HEAD = re.compile(rb"^[0-9a-f]", re.MULTILINE)


def parse_rollup(data: bytes, names: Container[bytes]) -> Lines:
    """The bytes in the lines called `names` of the text of smaps_rollup, those that there are.

    Raises PagemapError for what is none.
    """
    _, _, rest = data.partition(b"\n")
    found = _read(rest.split(b"\n"), names)
    if not found:
        raise _malformed("smaps_rollup", data[:40])
    return found


def parse(blocks: Iterable[bytes], names: Container[bytes]) -> Iterator[tuple[Mapping, Lines]]:
    """Each mapping with the bytes in its lines called `names`, out of smaps in `blocks` of lines.

    All mappings have the same lines in the same order: those of one tell how to read the next. But
    if there are others, they are read all the same. Raises PagemapError where a line is malformed.
    """
    layout: tuple[re.Pattern[bytes], list[bytes], list[bytes]] | None = None
    text = b""
    for block in blocks:
        text += block
        at = 0
        while True:
            record = layout and layout[0].match(text, at)
            if layout and record:
                head, *texts = record.groups()
                found: Lines = dict(zip(layout[1], texts, strict=True))
                for name in layout[2]:
                    found[name] = int(found[name]) << 10
                yield maps.parse_line(head), found
                at = record.end()
                continue
            following = _HEAD.search(text, at + 1)
            if not following:  # its lines may go on in the next block
                break
            head, *lines = text[at : following.start()].split(b"\n")
            found = _read(lines, names)
            layout = _layout(lines[:-1], names)
            yield maps.parse_line(head), found
            at = following.start()
        text = text[at:]
    if text:
        head, *lines = text.split(b"\n")
        yield maps.parse_line(head), _read(lines, names)


def read(
    blocks: Callable[[], Iterable[bytes]], names: Container[bytes]
) -> list[tuple[Mapping, Lines]]:
    """Each mapping with its lines, as `parse` has them, and no memory twice.

    Of a mapping of which no reading of smaps told what is not counted yet, there are no lines.
    """
    for _ in range(_READS):
        rows, whole = _in_order(parse(blocks(), names))
        if whole:
            break
    return rows


def _in_order(
    found: Iterable[tuple[Mapping, Lines]],
) -> tuple[list[tuple[Mapping, Lines]], bool]:
    """The same without what was shown twice, and whether the lines of all are known.

    The kernel goes on after the end of the mapping before, and shows the one that is there then:
    one that has merged meanwhile begins before that end. It replaces those that lie in it. Where
    one of these began even before, the sums of what lies above are not known.
    """
    rows: list[tuple[Mapping, Lines]] = []
    whole = True
    for mapping, lines in found:
        if rows and mapping.end <= rows[-1][0].end:
            continue
        while rows and mapping.start <= rows[-1][0].start:
            rows.pop()
        if rows and mapping.start < rows[-1][0].end:
            rows.append((mapping._replace(start=rows[-1][0].end), {}))
            whole = False
        else:
            rows.append((mapping, lines))
    return rows, whole


def _layout(
    lines: Iterable[bytes], names: Container[bytes]
) -> tuple[re.Pattern[bytes], list[bytes], list[bytes]]:
    """What matches a mapping with such lines alone; the names of its groups, and of sizes."""
    pattern = rb"([0-9a-f][^\n]*)\n"
    found = []
    for line in lines:
        name, _, _ = line.partition(b":")
        pattern += re.escape(name)
        if name in names and name in PLAIN:
            found.append(name)
            pattern += rb":[ \t]*([^\n]*)\n"
        elif name in names:
            found.append(name)
            pattern += rb":[ \t]*([0-9]{1,%d}) kB\n" % _DIGITS
        else:
            pattern += rb":[^\n]*\n"
    sizes = [name for name in found if name not in PLAIN]
    return re.compile(pattern + rb"(?=[0-9a-f])"), found, sizes


def _read(lines: Iterable[bytes], names: Container[bytes]) -> Lines:
    found: Lines = {}
    for line in lines:
        name, _, rest = line.partition(b":")
        if name in names and name in PLAIN:
            found[name] = rest.lstrip(b" \t")
        elif name in names:
            size, unit = rest[:-3].strip(b" \t"), rest[-3:]
            if unit != b" kB" or not size.isdigit() or len(size) > _DIGITS:
                raise _malformed("smaps", line)
            found[name] = int(size) << 10
    return found


def _malformed(name: str, line: bytes) -> PagemapError:
    text = printable(line[:_SHOWN].decode("utf-8", "surrogateescape"))
    return PagemapError(
        f"not a line of /proc/PID/{name} that has the kernel's sums: {text!r}",
        operation="read the memory sums",
    )
