"""A snapshot file, opened: its moments, and the processes of each.

Whoever wrote the file may have meant harm: nothing is believed that was not checked, and nothing is
allocated by a number in it but within what the file has bytes for.
"""

from __future__ import annotations

import os
from array import array
from errno import ENOMEM

from pagemap._errors import PagemapError
from pagemap._kernel.regular import open_regular
from pagemap._native.lines import Lines
from pagemap._native.snapshot import BLOCK_WORDS, HEADER_SIZE, MOST_LAYERS, SavedTable
from pagemap._space import snapshot_chunks as chunks
from pagemap._space.snapshot_facts import checked_facts
from pagemap._space.snapshot_index import read_index
from pagemap._space.snapshot_maps import spans_below, unpack_bounds, unpack_maps
from pagemap._space.snapshot_opened import BEGINNING, FILE_HEADER, ChunkFile, has_chunk
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pagemap._native.scan import Spans

__all__ = ["SavedRecord", "SnapshotFile", "is_snapshot"]

_MAPS = (chunks.MAPS, chunks.MAPPINGS)
_WORD = 8
_TRAILER_SIZE = HEADER_SIZE + chunks.TRAILER_FIELDS.size


def is_snapshot(path: str) -> bool:
    """Whether `path` is a regular file that begins as a snapshot does, or did before a damage."""
    try:
        fd = open_regular(path, os.O_RDONLY | os.O_CLOEXEC)
        if fd is None:
            return False
        try:
            data = os.pread(fd, BEGINNING, 0)
            return data.startswith(chunks.MAGIC) or has_chunk(data)
        finally:
            os.close(fd)
    except (OSError, ValueError):
        return False


class _Moment(Record):
    """Where a moment is, by its trailer."""

    place: int = field("", "where its index is")
    hash: bytes = field("", "SHA-256")


class _Index(Record):
    """What the index of a moment says."""

    about: dict[str, Any] = field("", "what holds for all processes")
    processes: list[dict[str, Any]] = field("", "an entry of each")
    blocks: dict[int, memoryview] = field("", "the blocks of each, by its number")


class SavedRecord:
    """One process of a snapshot at one moment.

    What is large is read when it is asked for: what somebody put into a file of a thousand
    processes is not to take memory for them all.
    """

    __slots__ = ("_about", "_blocks", "_entry", "_file", "_first", "_table", "name", "pid")

    def __init__(
        self,
        file: SnapshotFile,
        entry: dict[str, Any],
        first: dict[str, Any],
        blocks: list[memoryview],
    ) -> None:
        self._file = file
        self._entry = entry
        self._first = first  # its entry in the whole moment that its blocks begin with
        self._blocks = blocks
        self._about: dict[str, Any] | None = None
        self._table: SavedTable | None = None
        self.pid: int = entry["pid"]
        self.name: str = entry["name"]

    @property
    def about(self) -> dict[str, Any]:
        """The facts of its taking. Raises PagemapError where they are damaged."""
        if self._about is None:
            self._about = self._file.facts(self._entry)
        return self._about

    @property
    def table(self) -> SavedTable:
        """Its page table. Raises PagemapError where the file is damaged."""
        if self._table is None:
            self._table = self._file.table(self.about, self._first, self._blocks)
        return self._table

    @property
    def saved(self) -> int:
        """How many bytes of the file this moment of it takes: its chunks lie one after another."""
        return self._file.span(self._entry["about"], self._entry["end"])

    @property
    def has_smaps(self) -> bool:
        """Whether smaps was saved."""
        return bool(self._entry["smaps"])

    def maps_blocks(self) -> Iterator[bytes]:
        """The text of its maps in blocks of whole lines, as it was read."""
        for place, size in self._entry["maps"]:
            yield self._file.maps(place, size)

    def smaps(self) -> bytes | None:
        """The text of its smaps; None where that was not saved."""
        places = self._entry["smaps"]
        if not places:
            return None
        return b"".join(self._file.text(place, size, chunks.SMAPS) for place, size in places)

    def frames(self) -> Iterator[tuple[int, bytes, bytes]]:
        """The first PFN of some frames in a row, the words of their flags, and of map counts."""
        for place, size in self._entry.get("frames", ()):
            data = self._file.text(place, size, chunks.FRAMES)
            if len(data) % 16 != _WORD:
                raise self._file.no_frames(place)
            half = len(data) // 16 * _WORD
            flags, mapcounts = data[_WORD : _WORD + half], data[_WORD + half :]
            yield (
                int.from_bytes(data[:_WORD], "little"),
                chunks.united(flags),
                chunks.united(mapcounts),
            )

    def groups(self, count: int, shift: int) -> bytearray | None:
        """A byte for each of `count` groups of 1 << `shift` frames: 1 where a page lies in it.

        None where no words of frames were lost: then those of all these groups are there.
        """
        if self.about.get("frames_lost") is not True:
            return None
        return self._file.groups(self.table, count, shift)


class SnapshotFile(ChunkFile):
    """An open snapshot file, of one moment or, as a record, of several.

    Raises PagemapError where it cannot be read, is no snapshot, is of a newer version, or damaged.
    """

    __slots__ = ("__weakref__", "_end", "_indexes", "_moments")

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._end: int = 0  # of the last whole moment, in bytes
        self._moments = self._find_moments()
        self._indexes: dict[int, _Index] = {}  # those that were used last

    def __enter__(self) -> SnapshotFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def moments(self) -> int:
        """How many moments it has: 1, or those of a record."""
        return len(self._moments)

    @property
    def cut_short(self) -> bool:
        """Whether something follows the last whole moment: the beginning of another one."""
        return self._end < self.size

    def about(self, moment: int = -1) -> dict[str, Any]:
        """What holds for all processes of a moment; 0 is the first, -1 the last."""
        return dict(self._layers(moment)[-1].about)

    def hash(self, moment: int = -1) -> str:
        """What names a moment: SHA-256, in hexadecimal."""
        return self._moments[self._number(moment)].hash.hex()

    def processes(self, moment: int = -1) -> list[SavedRecord]:
        """The processes of a moment, in the order in which they were taken."""
        layers = self._layers(moment)
        first = {}  # the entry of each in the lowest layer that has it
        for layer in reversed(layers):
            first.update({entry["whose"]: entry for entry in layer.processes})
        found = []
        for entry in layers[-1].processes:
            whose = entry["whose"]
            blocks = [layer.blocks[whose] for layer in layers if whose in layer.blocks]
            found.append(SavedRecord(self, entry, first[whose], blocks))
        return found

    def facts(self, entry: dict[str, Any]) -> dict[str, Any]:
        """What an entry's chunks say of a process."""
        try:
            about = chunks.from_json(self._payload(entry["about"], chunks.PROCESS))
            about.update(chunks.from_json(self._payload(entry["end"], chunks.END)))
            about = checked_facts(about)
        except ValueError as error:
            raise self._damaged(str(error)) from None
        if about["pid"] != entry["pid"] or about["name"] != entry["name"]:
            raise self._damaged("a process is another one in the index")
        return about

    def span(self, first: int, last: int) -> int:
        """How many bytes lie from the chunk at `first` to the end of that at `last`."""
        header = chunks.parse_header(self._bytes(last, HEADER_SIZE))
        if header is None or last < first:
            raise self._damaged(f"no chunk at byte {last}")
        return last + HEADER_SIZE + header.size - first

    def table(
        self, about: dict[str, Any], first: dict[str, Any], blocks: list[memoryview]
    ) -> SavedTable:
        """The page table that these blocks are, of which `first` has the mappings."""
        try:
            return SavedTable(
                self._fd,
                blocks,
                within=self._mappings(about, first) if self.version > 1 else None,
                page_shift=about["page_shift"],
                end_page=about["end_page"],
                file_size=self.size,
            )
        except OSError as error:
            raise self._damaged(str(error)) from None

    def groups(self, table: SavedTable, count: int, shift: int) -> bytearray:
        """See `SavedRecord.groups`."""
        try:
            return table.groups(count, shift)
        except OSError as error:
            raise self._damaged(f"a page table cannot be read: {error.strerror}") from None

    def text(self, place: int, size: int, kind: int) -> bytes:
        """The text of one chunk, which has so many bytes."""
        return self._text(place, size, (kind,))

    def no_frames(self, place: int) -> PagemapError:
        """The error for a chunk whose words do not come out even."""
        return self._damaged(f"half a word of frames at byte {place}")

    def maps(self, place: int, size: int) -> bytes:
        """The text of a chunk of maps."""
        return self._text(place, size, _MAPS)

    def _text(self, place: int, size: int, kinds: tuple[int, ...]) -> bytes:
        kind, payload = self._chunk(place, kinds)
        try:
            if kind == chunks.MAPPINGS:
                text = unpack_maps(payload)
            else:
                text = chunks.inflated(payload, chunks.MOST_TEXT)
        except ValueError as error:
            raise self._damaged(str(error)) from None
        if len(text) != size:
            raise self._damaged(f"the text at byte {place} has another size")
        return text

    def _mappings(self, about: dict[str, Any], entry: dict[str, Any]) -> Spans:
        """The mappings that pages are numbered in. Raises OSError where they are not in order."""
        bounds = array("Q")
        for place, size in entry["maps"]:
            kind, payload = self._chunk(place, _MAPS)
            try:
                if kind == chunks.MAPPINGS:
                    bounds += unpack_bounds(payload)
                else:
                    bounds.frombytes(Lines(self._text(place, size, _MAPS)).bounds.cast("B"))
            except ValueError as error:
                raise self._damaged(str(error)) from None
            if len(bounds) > 2 * chunks.MOST_MAPPINGS:
                raise self._damaged("more mappings than a process may have")
        return spans_below(bounds, about["end_page"], about["page_shift"])

    def _layers(self, moment: int) -> list[_Index]:
        """The last whole moment up to this one, and the patches since."""
        number = self._number(moment)
        blocks = chunks.MOST_BLOCKS
        layers: dict[int, _Index] = {}
        while True:
            index = layers[number] = self._indexes.get(number) or self._read(number, blocks)
            if index.about.get("full"):
                break
            number -= 1
            if number < 0 or len(layers) == MOST_LAYERS:
                raise self._damaged("a patch has nothing that it changes")
            if index.about.get("parent") != self._moments[number].hash.hex():
                raise self._damaged("a patch is of another file")
            blocks -= sum(map(len, index.blocks.values())) // BLOCK_WORDS
        self._indexes = layers
        return list(layers.values())[::-1]

    def _number(self, moment: int) -> int:
        """The number of a moment, from 0. Raises PagemapError where there is none."""
        count = len(self._moments)
        if not -count <= moment < count:
            raise PagemapError(
                f"{self.path} has no moment {moment}: it has {count}, from 0 to {count - 1}",
                path=self.path,
            )
        return moment % count

    def _read(self, number: int, most_blocks: int) -> _Index:
        payload = self._payload(self._moments[number].place, chunks.INDEX)
        try:
            return _Index(*read_index(payload, most_blocks))
        except MemoryError:
            raise PagemapError(
                f"cannot read {self.path}: there is not enough memory for its index",
                errno=ENOMEM,
                operation="read",
                path=self.path,
            ) from None
        except KeyError as error:
            raise self._damaged(f"an index that lacks {error}") from None
        except (ValueError, TypeError, OverflowError) as error:
            raise self._damaged(str(error)) from None

    def _find_moments(self) -> list[_Moment]:
        """All moments that are whole, the first one first."""
        offset = self._last_trailer()
        found: list[_Moment] = []
        self._end = offset + _TRAILER_SIZE
        while offset:
            data = self._payload(offset, chunks.TRAILER)
            if len(data) != chunks.TRAILER_FIELDS.size:
                raise self._damaged("a trailer of another size")
            index, before, _, digest = chunks.TRAILER_FIELDS.unpack(data)
            if before >= offset or index >= offset:
                raise self._damaged("a trailer that leads forward")
            found.append(_Moment(index, digest))
            offset = before
        return found[::-1]

    def _last_trailer(self) -> int:
        at = self.size - _TRAILER_SIZE
        if at >= FILE_HEADER:
            header = chunks.parse_header(self._bytes(at, HEADER_SIZE))
            if header and header.kind == chunks.TRAILER:
                return at
        # cut short in the middle of a round, perhaps: those before it stand
        last, at = 0, FILE_HEADER
        while header := chunks.parse_header(self._bytes(at, HEADER_SIZE)):
            if header.kind == chunks.TRAILER and at + _TRAILER_SIZE <= self.size:
                last = at
            at += HEADER_SIZE + header.size
        if not last:
            raise self._damaged("it was cut short, or its end is damaged")
        return last
