"""The moments of a damaged file that are whole, and their way into another file.

A moment is whole where its chunks lie one after another, each whole, and so is what its index names
of earlier ones: a record saves maps only where they changed.
"""

from __future__ import annotations

from array import array

from pagemap._errors import PagemapError
from pagemap._history.salvage_chunks import chunk_at, chunks_of
from pagemap._native.snapshot import BLOCK_WORDS, HEADER_SIZE
from pagemap._space import snapshot_chunks as chunks
from pagemap._space.snapshot_index import read_index
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pagemap._history.salvage_chunks import Chunk
    from pagemap._history.snapshot_writer import SnapshotWriter

__all__ = ["Copy", "Moment", "moments_of"]

_MOST_CHUNKS = 1 << 17  # of a moment, beside blocks of pages
_BLOCKS = (chunks.PAGES, chunks.WITHIN)
_KINDS = {
    "maps": (chunks.MAPS, chunks.MAPPINGS),
    "smaps": (chunks.SMAPS,),
    "frames": (chunks.FRAMES,),
}
_OWN = ("number", "full", "parent")  # what a writer says of a moment


class Moment(Record):
    """Where a whole moment is."""

    start: int = field("", "of its first chunk, in bytes")
    body: int = field("", "of its second chunk")
    contents: int = field("", "of its index")
    end: int = field("", "behind its trailer")
    full: bool = field("", "whether it is not a patch")
    parent: str | None = field("", "the hash of the moment that it changes")
    hash: str = field("", "its own")


def moments_of(fd: int, size: int) -> tuple[list[Moment], int]:
    """The moments that can be read once others are gone, and how many the file has some of."""
    kept: list[Moment] = []
    begun = 0
    group: _Group | None = None
    for chunk in chunks_of(fd, size):
        if chunk.kind == chunks.MOMENT:
            begun += 1
            group = _Group.of(chunk)
        elif group is not None:
            if not group.add(chunk):
                group = None
            elif chunk.kind == chunks.TRAILER:
                moment = group.moment(chunk, fd, size)
                follows = kept and moment and moment.parent == kept[-1].hash
                if moment is not None and (moment.full or follows):
                    kept.append(moment)
                group = None
    return kept, begun


class _Group:
    """The chunks of a moment, as far as they were met."""

    def __init__(self, chunk: Chunk, about: dict[str, Any]) -> None:
        self._first = chunk
        self._about = about
        self._end = chunk.end
        self._kinds: dict[int, tuple[int, int]] = {}  # of what is no block: kind and whose
        self._blocks: array[int] = array("Q")
        self._index: Chunk | None = None

    @classmethod
    def of(cls, chunk: Chunk) -> _Group | None:
        """The group that this chunk begins."""
        try:
            return cls(chunk, chunks.from_json(chunk.payload))
        except ValueError:
            return None

    def add(self, chunk: Chunk) -> bool:
        """Whether this one goes on where the last one ended."""
        if chunk.place != self._end or len(self._kinds) > _MOST_CHUNKS:
            return False
        self._end = chunk.end
        if chunk.kind in _BLOCKS:
            self._blocks.append(chunk.place)
        elif chunk.kind == chunks.INDEX:
            self._index = chunk
        else:
            self._kinds[chunk.place] = chunk.kind, chunk.whose
        return True

    def moment(self, trailer: Chunk, fd: int, size: int) -> Moment | None:
        """The moment that this trailer ends, where all that it needs is there."""
        index, about = self._index, self._about
        fields = trailer.payload
        if index is None or index.end != trailer.place:
            return None
        if len(fields) != chunks.TRAILER_FIELDS.size or not self._has(index, fd, size):
            return None
        digest = chunks.TRAILER_FIELDS.unpack(fields)[3]
        full, parent = about.get("full") is True, about.get("parent")
        first = self._first
        return Moment(first.place, first.end, index.place, self._end, full, parent, digest.hex())

    def _has(self, index: Chunk, fd: int, size: int) -> bool:
        """Whether all that an index names is there."""
        try:
            _, entries, blocks = read_index(index.payload, chunks.MOST_BLOCKS)
        except (ValueError, TypeError, KeyError, OverflowError):
            return False
        offsets = array("Q")
        for each in blocks.values():
            offsets.extend(each[2::BLOCK_WORDS])
        if array("Q", sorted(offsets)) != self._blocks:
            return False
        for entry in entries:
            whose = entry["whose"]
            if self._kinds.get(entry["about"]) != (chunks.PROCESS, whose):
                return False
            if self._kinds.get(entry["end"]) != (chunks.END, whose):
                return False
            for place, kinds in _places(entry):
                known = self._kinds.get(place)
                kind = _kind_at(fd, place, size) if known is None else known[0]
                if kind not in kinds:
                    return False
        return True


def _places(entry: dict[str, Any]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Where the text of a process is, and of which kinds it may be."""
    for name, kinds in _KINDS.items():
        for place, _ in entry.get(name, ()):
            yield place, kinds


def _kind_at(fd: int, place: int, size: int) -> int | None:
    chunk = chunk_at(fd, place, size)
    return None if chunk is None else chunk.kind


class Copy:
    """The copying of whole moments of a file of `size` bytes; `used` is how many of them it took.

    Chunks stay as they are, but for the first of a moment and its index: these say where others
    are, and which moment comes before.
    """

    def __init__(self, fd: int, path: str, size: int, writer: SnapshotWriter) -> None:
        self._fd = fd
        self._path = path
        self._size = size
        self._writer = writer
        self._shifts: list[
            tuple[int, int, int]
        ] = []  # of copied moments: from, to, and by how much
        self._texts: dict[int, int] = {}  # places of chunks that were copied alone
        self.used = 16  # the header of the file
        self.processes = 0

    def add(self, moment: Moment) -> None:
        """Copy one. Raises PagemapError where the file is not as it was."""
        writer = self._writer
        head = chunks.from_json(self._chunk(moment.start).payload)
        index = self._chunk(moment.contents).payload
        about, entries, blocks = read_index(index, chunks.MOST_BLOCKS)
        for name in _OWN:
            head.pop(name, None)
            about.pop(name, None)
        writer.begin_moment(head, full=moment.full)
        for entry in entries:
            for place, _ in _places(entry):
                if not moment.start <= place < moment.end:
                    self._copy_text(place)
        by = writer.size - moment.body
        self._shifts.append((moment.start, moment.end, by))
        at = moment.body
        while at < moment.contents:
            chunk = self._chunk(at)
            writer.note(chunk.data[:HEADER_SIZE])
            writer.raw(chunk.data)
            at = chunk.end
        for entry in entries:
            process = writer.process(entry["whose"])
            process.index_blocks(blocks[entry["whose"]], by)
            process.entry = self._moved(entry)
        writer.end_moment(about)
        self.used += moment.end - moment.start
        self.processes = len(entries)

    def _moved(self, entry: dict[str, Any]) -> dict[str, Any]:
        moved = {**entry, "about": self._place(entry["about"]), "end": self._place(entry["end"])}
        for name in _KINDS:
            if name in entry:
                moved[name] = [[self._place(place), size] for place, size in entry[name]]
        return moved

    def _place(self, place: int) -> int:
        """Where a chunk is now."""
        for start, end, by in reversed(self._shifts):
            if start <= place < end:
                return place + by
        return self._texts[place]

    def _copy_text(self, place: int) -> None:
        """Copy a chunk of a moment that was not copied."""
        if place in self._texts or any(start <= place < end for start, end, _ in self._shifts):
            return
        chunk = self._chunk(place)
        self._texts[place] = self._writer.chunk(chunk.kind, chunk.whose, chunk.payload)
        self.used += len(chunk.data)

    def _chunk(self, place: int) -> Chunk:
        chunk = chunk_at(self._fd, place, self._size)
        if chunk is None:
            raise PagemapError(f"{self._path} was changed while it was salvaged", path=self._path)
        return chunk
