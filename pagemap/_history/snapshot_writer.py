"""Writes a snapshot file, chunk after chunk and from beginning to end: nothing is gone back to."""

from __future__ import annotations

import sys
from array import array
from hashlib import sha256

from pagemap._errors import PagemapError
from pagemap._native.snapshot import BLOCK_WORDS, HEADER_SIZE
from pagemap._space import snapshot_chunks as chunks
from pagemap._space.snapshot_index import write_index
from pagemap._space.snapshot_maps import pack_maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["ProcessWriter", "SnapshotWriter"]

_LOWER = (1 << 32) - 1


class ProcessWriter:
    """What is written of one process in one moment; it becomes an entry of the index."""

    __slots__ = ("_end", "_writer", "columns", "entry", "last_page", "whose")

    def __init__(self, writer: SnapshotWriter, whose: int) -> None:
        self._writer = writer
        self._end = 0  # of the last block, in bytes
        self.whose = whose
        self.last_page = 0
        self.columns = (array("Q"), array("Q"), array("Q"), array("I"))
        self.entry: dict[str, Any] = {"whose": whose, "maps": [], "smaps": [], "frames": []}

    def begin(self, facts: dict[str, Any]) -> None:
        """Write what is known before its pages are read."""
        self.entry["pid"], self.entry["name"] = facts["pid"], facts["name"]
        self.entry["about"] = self._writer.chunk(chunks.PROCESS, self.whose, chunks.to_json(facts))

    def text(self, kind: int, text: bytes) -> None:
        """Write whole lines of maps or smaps."""
        name = "maps" if kind == chunks.MAPS else "smaps"
        while text:
            size = len(text)
            if size > chunks.MOST_TEXT:
                size = text.rfind(b"\n", 0, chunks.MOST_TEXT) + 1 or chunks.MOST_TEXT
            part, text = text[:size], text[size:]
            columns = pack_maps(part) if kind == chunks.MAPS else None
            if columns is None:
                place = self._writer.chunk(kind, self.whose, chunks.deflated(part, 9))
            else:
                place = self._writer.chunk(chunks.MAPPINGS, self.whose, columns)
            self.entry[name].append([place, size])

    def frames(self, first: int, columns: list[bytearray]) -> None:
        """Write the words of frames from PFN `first` on: flags, then as many map counts."""
        head = first.to_bytes(8, "little")
        payload = head + b"".join(map(chunks.divided, columns))
        place = self._writer.chunk(chunks.FRAMES, self.whose, chunks.deflated(payload))
        self.entry["frames"].append([place, len(payload)])

    def copy_frames(self, payload: bytes, size: int) -> None:
        """Write such words as they were written; unpacked they have `size` bytes."""
        self.entry["frames"].append([self._writer.chunk(chunks.FRAMES, self.whose, payload), size])

    def blocks(self, data: memoryview, words: memoryview) -> None:
        """Write blocks: BLOCK_WORDS numbers tell of each, with its offset in `data`."""
        at = self._writer.raw(data)
        for offset in words[2::BLOCK_WORDS].tolist():
            self._writer.note(data[offset : offset + HEADER_SIZE])
        self.index_blocks(words, at)

    def index_blocks(self, words: memoryview, at: int) -> None:
        """Put blocks that were written into the index; their offsets count from byte `at`."""
        numbers = words.tolist()
        starts, spans, gaps, sizes = self.columns
        for first in range(0, len(numbers), BLOCK_WORDS):
            vpn, end, offset, last = numbers[first : first + BLOCK_WORDS]
            size = last & _LOWER if sys.byteorder == "little" else last >> 32
            starts.append(vpn - self.last_page)
            spans.append(end - vpn)
            gaps.append(at + offset - self._end)
            sizes.append(size)
            self.last_page, self._end = end, at + offset + size

    def end(self, facts: dict[str, Any], more: dict[str, Any] | None = None) -> None:
        """Write what is known afterwards; `more` only where a chunk has space for it."""
        try:
            text = chunks.to_json({**facts, **(more or {})})
        except ValueError:
            text = chunks.to_json(facts)
        self.entry["end"] = self._writer.chunk(chunks.END, self.whose, text)
        self.entry["blocks"] = len(self.columns[0])


class SnapshotWriter:
    """Writes moments one after another; `write` takes all of what it is given."""

    def __init__(self, write: Callable[[bytes | memoryview], object]) -> None:
        self._write = write
        self._trailer = 0
        self._about: dict[str, Any] = {}
        self._processes: list[ProcessWriter] = []
        self._sum = sha256()
        self.hash = bytes(32)
        self.number = 0
        self.size = 0
        self.raw(chunks.file_header())

    def raw(self, data: bytes | memoryview) -> int:
        """Write whole chunks; returns where they are."""
        at = self.size
        self._write(data)
        self.size += len(data)
        return at

    def note(self, header: bytes | memoryview) -> None:
        """Let the hash of this moment depend on a chunk: by its header, which has its sum."""
        self._sum.update(header)

    def chunk(self, kind: int, whose: int, payload: bytes) -> int:
        """Write a chunk; returns where it is."""
        data = chunks.chunk(kind, whose, payload)
        self.note(data[:HEADER_SIZE])
        return self.raw(data)

    def begin_moment(self, about: dict[str, Any], *, full: bool = True) -> None:
        """Begin a moment: whole, or what changed since the one before."""
        self._sum = sha256(self.hash)
        self._processes = []
        parent = None if full else self.hash.hex()
        self._about = {**about, "number": self.number, "full": full, "parent": parent}
        self.chunk(chunks.MOMENT, 0, chunks.to_json(self._about))

    def process(self, whose: int) -> ProcessWriter:
        """Begin a process of this moment."""
        writer = ProcessWriter(self, whose)
        self._processes.append(writer)
        return writer

    def end_moment(self, about: dict[str, Any]) -> None:
        """Write the index of this moment, which makes it one that can be read."""
        done = [each for each in self._processes if "blocks" in each.entry]
        entries, columns = [each.entry for each in done], [each.columns for each in done]
        try:
            payload = write_index({**self._about, **about}, entries, columns)
        except ValueError as error:
            raise PagemapError(f"cannot write the index of a snapshot: {error}") from None
        index = self.chunk(chunks.INDEX, 0, payload)
        digest = self._sum.digest()
        fields = chunks.TRAILER_FIELDS.pack(index, self._trailer, self.number, digest)
        self._trailer = self.raw(chunks.chunk(chunks.TRAILER, 0, fields))
        self.hash = digest
        self.number += 1
        self._processes = []
