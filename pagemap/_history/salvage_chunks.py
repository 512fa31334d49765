"""The chunks of a damaged file that are whole, found one after another."""

from __future__ import annotations

import os

from pagemap._native.snapshot import HEADER_SIZE, MARK, MOST_BLOCK, chunk_sum
from pagemap._space import snapshot_chunks as chunks
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Chunk", "chunk_at", "chunks_of"]

_STEP = 1 << 16  # bytes that are searched at a time for the next chunk
_MARK = MARK.to_bytes(4, "little")


class Chunk(Record):
    """A chunk that is whole: its sums are right."""

    place: int = field("", "where it is in the file")
    kind: int = field("", "what it holds")
    whose: int = field("", "of which process")
    data: bytes = field("", "all of it, with its header")

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.place + len(self.data)

    @property
    def payload(self) -> bytes:
        """What is behind the header."""
        return self.data[HEADER_SIZE:]


def chunk_at(fd: int, place: int, size: int) -> Chunk | None:
    """The chunk there, of a file of `size` bytes; None where none is, or it is damaged."""
    head = os.pread(fd, HEADER_SIZE, place)
    header = chunks.parse_header(head)
    if header is None or header.size > size - place - HEADER_SIZE:
        return None
    if header.size > chunks.CEILINGS.get(header.kind, MOST_BLOCK):
        return None
    payload = os.pread(fd, header.size, place + HEADER_SIZE)
    if len(payload) != header.size or chunk_sum(payload) != header.sum:
        return None
    return Chunk(place, header.kind, header.whose, head + payload)


def chunks_of(fd: int, size: int) -> Iterator[Chunk]:
    """All chunks that are whole; where one is not, the search goes on for the next mark."""
    at = base = 0
    text = b""  # of the file from `base` on
    while at < size:
        chunk = chunk_at(fd, at, size)
        if chunk is not None:
            yield chunk
            at = chunk.end
            continue
        at += 1
        while at < size:
            if not base <= at <= base + len(text) - len(_MARK):
                text, base = os.pread(fd, _STEP, at), at
            next_one = text.find(_MARK, at - base)
            if next_one >= 0:
                at = base + next_one
                break
            at = base + max(len(text) - len(_MARK) + 1, 1)
            if not text.strip(b"\0"):
                at = max(at, _data_from(fd, at, size) - len(_MARK))


def _data_from(fd: int, at: int, size: int) -> int:
    """Where a file goes on behind a hole: there may be terabytes of it."""
    try:
        return os.lseek(fd, at, os.SEEK_DATA)
    except OSError:  # there is no more
        return size
