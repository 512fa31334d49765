"""The index of a moment in a snapshot file: what it says of each process, and where blocks lie.

Whoever wrote it may have meant harm: it is inflated piece by piece, and never to more than a fixed
size, however large the file seems to be.
"""

from __future__ import annotations

import sys
import zlib
from array import array

from pagemap._native.snapshot import BLOCK_WORDS
from pagemap._space import snapshot_chunks as chunks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["packed_size", "read_index", "write_index"]

_STEP = 1 << 16
_LOWER = (1 << 32) - 1
_BIG_ENDIAN = sys.byteorder == "big"


def write_index(
    about: dict[str, Any], entries: list[dict[str, Any]], columns: Sequence[Sequence[array[int]]]
) -> bytes:
    """The payload of an index: `entries` of processes, and the columns of blocks of each.

    Raises ValueError where that is more than a reader takes.
    """
    import json

    value = {"about": about, "processes": entries}
    head = json.dumps(value, separators=(",", ":")).encode("ascii")
    if len(head) > chunks.MOST_INDEX_JSON:
        raise ValueError("too many processes for one file")
    if sum(len(each[0]) for each in columns) > chunks.MOST_BLOCKS:
        raise ValueError("too many pages for one file")
    packer = zlib.compressobj(9, zlib.DEFLATED, chunks.RAW)
    parts = [packer.compress(len(head).to_bytes(4, "little") + head)]
    for each in columns:
        for column in each:
            if _BIG_ENDIAN:  # pragma: no cover - of no machine here
                column.byteswap()
            parts.append(packer.compress(column))
    return b"".join((*parts, packer.flush()))


def read_index(
    payload: bytes, most_blocks: int
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[int, memoryview]]:
    """What holds for all processes, each of them, and the blocks of each by its number.

    A block is BLOCK_WORDS numbers; there are at most `most_blocks`. Raises ValueError, TypeError,
    KeyError or OverflowError where it is none.
    """
    import json

    text = _Inflating(payload)
    size = int.from_bytes(text.take(4), "little")
    if size > chunks.MOST_INDEX_JSON:
        raise ValueError("an index of too many processes")
    try:
        value = json.loads(text.take(size))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    about = dict(value["about"])
    entries = [_checked(each) for each in value["processes"]]
    blocks: dict[int, memoryview] = {}
    for entry in entries:
        count, whose = entry["blocks"], entry["whose"]
        most_blocks -= count
        if most_blocks < 0:
            raise ValueError("an index of too many blocks")
        if whose in blocks:
            raise ValueError("an index with a process twice")
        blocks[whose] = _read_blocks(text, count, whose)
    text.end()
    return about, entries, blocks


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a process whose facts are of their types, and whose places are in order."""
    numbers = [entry["whose"], entry["pid"], entry["blocks"], entry["about"], entry["end"]]
    for name in ("maps", "smaps", "frames"):
        after = total = 0
        for place, size in entry.get(name, ()) if name == "frames" else entry[name]:
            numbers += (place, size)
            if place < after or size > chunks.MOST_TEXT:
                raise ValueError("an index of text that is not in order")
            after = place + 1  # so that no text is there more than once
            total += size
        if total > chunks.MOST_TEXTS and name != "frames":  # SavedFrames has a limit of its own
            raise ValueError("an index of too much text")
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in numbers):
        raise ValueError("an index of what are no numbers")
    if entry["whose"] > _LOWER or type(entry["name"]) is not str:
        raise ValueError("an index of what is no process")
    return entry


def _read_blocks(text: _Inflating, count: int, whose: int) -> memoryview:
    words = array("Q", bytes(8 * BLOCK_WORDS * count))
    for column, code in enumerate("QQQI"):
        numbers = array(code, text.take(count * array(code).itemsize))
        if _BIG_ENDIAN:  # pragma: no cover - of no machine here
            numbers.byteswap()
        words[column::BLOCK_WORDS] = array("Q", numbers)
    end = at = 0
    for block in range(0, BLOCK_WORDS * count, BLOCK_WORDS):
        gap, pages, skipped, size = words[block : block + BLOCK_WORDS]
        start = end + gap
        end = start + pages
        at += skipped
        words[block] = start
        words[block + 1] = end
        words[block + 2] = at
        words[block + 3] = packed_size(size, whose)
        at += size
    return memoryview(words).toreadonly()


def packed_size(size: int, whose: int) -> int:
    """The last word of a block: two numbers of 32 bits as they lie in memory."""
    if _BIG_ENDIAN:  # pragma: no cover - of no machine here
        return size << 32 | whose & _LOWER
    return whose << 32 | size


class _Inflating:
    """What was deflated, as much of it as is asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._unpacker = zlib.decompressobj(chunks.RAW)

    def take(self, size: int) -> bytes:
        """The next `size` bytes. Raises ValueError where there are fewer."""
        parts = []
        while size > 0:
            part = self._some(size)
            if not part:
                raise ValueError("an index of less than it says")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """Raise ValueError where there is more, or no end."""
        if self._some(1) or not self._unpacker.eof:
            raise ValueError("an index of more than it says")

    def _some(self, most: int) -> bytes:
        """Up to `most` bytes; none at the end."""
        try:
            part = self._unpacker.decompress(self._unpacker.unconsumed_tail, most)
            while not part and not self._unpacker.eof and self._at < len(self._data):
                data = self._data[self._at : self._at + _STEP]
                self._at += _STEP
                part = self._unpacker.decompress(data, most)
        except zlib.error as why:
            raise ValueError(str(why)) from None
        return part
