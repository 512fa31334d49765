"""A snapshot file, opened: its moments, and the processes of each.

Whoever wrote the file may have meant harm: nothing is believed that was not checked, and nothing is
allocated by a number in it but within what the file has bytes for.
"""

from __future__ import annotations

import os
from array import array
from errno import EBADMSG

from pagemap._errors import PagemapError, from_os_error
from pagemap._kernel.regular import open_regular
from pagemap._native.descriptors import CLOSED, Descriptor, Holder
from pagemap._native.snapshot import (
    BLOCK_WORDS,
    HEADER_SIZE,
    MOST_LAYERS,
    SavedTable,
    chunk_sum,
)
from pagemap._space import snapshot_chunks as chunks
from pagemap._space.snapshot_facts import checked_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["SavedRecord", "SnapshotFile", "is_snapshot", "packed_size"]

_FILE_HEADER = 16
_TRAILER_SIZE = HEADER_SIZE + chunks.TRAILER_FIELDS.size
_BLOCK_BYTES = 28  # of one block in an index, before it is deflated
_LOWER = (1 << 32) - 1


def is_snapshot(path: str) -> bool:
    """Whether `path` is a regular file that begins as a snapshot does."""
    try:
        fd = open_regular(path, os.O_RDONLY | os.O_CLOEXEC)
        if fd is None:
            return False
        try:
            return os.pread(fd, len(chunks.MAGIC), 0) == chunks.MAGIC
        finally:
            os.close(fd)
    except (OSError, ValueError):
        return False


class _Moment:
    """Where a moment is: its trailer, and what that and its index say."""

    __slots__ = ("about", "blocks", "digest", "index", "number", "offset", "processes")

    def __init__(self, offset: int, index: int, number: int, digest: bytes) -> None:
        self.offset = offset
        self.index = index
        self.number = number
        self.digest = digest
        self.about: dict[str, Any] = {}
        self.processes: list[dict[str, Any]] = []
        self.blocks: list[memoryview] = []


class SavedRecord:
    """One process of a snapshot at one moment.

    `about` are the facts of its taking, `table` its page table.
    """

    __slots__ = ("_file", "_maps", "_smaps", "about", "name", "pid", "table")

    def __init__(
        self,
        file: SnapshotFile,
        about: dict[str, Any],
        table: SavedTable,
        maps: list[Any],
        smaps: list[Any],
    ) -> None:
        self._file = file
        self._maps = maps
        self._smaps = smaps
        self.about = about
        self.table = table
        self.pid: int = about["pid"]
        self.name: str = about["name"]

    def maps_blocks(self) -> Iterator[bytes]:
        """The text of its maps in blocks of whole lines, as it was read."""
        for place in self._maps:
            yield self._file.text(place, chunks.MAPS)

    def smaps(self) -> bytes | None:
        """The text of its smaps; None where that was not saved."""
        if not self._smaps:
            return None
        return b"".join(self._file.text(place, chunks.SMAPS) for place in self._smaps)


class SnapshotFile(Holder):
    """An open snapshot file, of one moment or, as a record, of several.

    Raises PagemapError where it cannot be read, is no snapshot, is of a newer version, or damaged.
    """

    __slots__ = ("__weakref__", "_fd", "_moments", "_size", "path", "version")

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: int = CLOSED
        try:
            fd = open_regular(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise PagemapError(
                f"cannot open {path}: {error.strerror}", errno=error.errno, path=path
            ) from None
        if fd is None:
            raise PagemapError(f"cannot open {path}: it is not a regular file", path=path)
        self._fd = Descriptor(fd)
        self._size = os.fstat(fd).st_size
        version = chunks.parse_version(self._bytes(0, _FILE_HEADER))
        if version is None:
            raise PagemapError(f"{path} is not a snapshot of pagemap", path=path)
        if version > chunks.VERSION:
            raise PagemapError(
                f"{path} is a snapshot of version {version}, which this pagemap does not know (it"
                f" knows {chunks.VERSION}): read it with a newer one",
                path=path,
            )
        self.version = version
        self._moments = self._find_moments()

    def __enter__(self) -> SnapshotFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; who reads it still holds it until the end."""
        self._fd = CLOSED

    @property
    def moments(self) -> int:
        """How many moments it has: 1, or those of a record."""
        return len(self._moments)

    def about(self, moment: int = -1) -> dict[str, Any]:
        """What holds for all processes of a moment; 0 is the first, -1 the last."""
        return dict(self._loaded(moment).about)

    def hash(self, moment: int = -1) -> str:
        """What names a moment: SHA-256, in hexadecimal."""
        return self._loaded(moment).digest.hex()

    def processes(self, moment: int = -1) -> list[SavedRecord]:
        """The processes of a moment, in the order in which they were taken."""
        layers = self._layers(moment)
        return [self._record(each, layers) for each in layers[-1].processes]

    def text(self, place: list[int], kind: int) -> bytes:
        """The text of one chunk."""
        try:
            return chunks.inflated(self._payload(place[0], kind), chunks.MOST_TEXT)
        except (ValueError, TypeError, IndexError, KeyError) as error:
            raise self._damaged(str(error)) from None

    def _record(self, process: dict[str, Any], layers: list[_Moment]) -> SavedRecord:
        whose = process["whose"]
        blocks = [
            moment.blocks[number]
            for moment in layers
            for number, each in enumerate(moment.processes)
            if each["whose"] == whose
        ]
        try:
            about = chunks.from_json(self._payload(process["about"], chunks.PROCESS))
            about.update(chunks.from_json(self._payload(process["end"], chunks.END)))
            about = checked_facts(about)
            table = SavedTable(
                self._fd,
                blocks,
                page_shift=about["page_shift"],
                end_page=about["end_page"],
                file_size=self._size,
            )
        except (ValueError, OSError) as error:
            raise self._damaged(str(error)) from None
        return SavedRecord(self, about, table, process["maps"], process["smaps"])

    def _layers(self, moment: int) -> list[_Moment]:
        """The last whole moment up to this one, and the patches since."""
        last = self._loaded(moment)
        layers = [last]
        while not layers[0].about.get("full"):
            number = self._moments.index(layers[0])
            if not number or len(layers) == MOST_LAYERS:
                raise self._damaged("a patch has nothing that it changes")
            before = self._loaded(number - 1)
            if layers[0].about.get("parent") != before.digest.hex():
                raise self._damaged("a patch is of another file")
            layers.insert(0, before)
        return layers

    def _loaded(self, moment: int) -> _Moment:
        try:
            found = self._moments[moment]
        except IndexError:
            count = len(self._moments)
            raise PagemapError(
                f"{self.path} has no moment {moment}: it has {count}, from 0 to {count - 1}",
                path=self.path,
            ) from None
        if not found.processes:
            try:
                self._load(found)
            except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
                raise self._damaged(str(error)) from None
        return found

    def _load(self, moment: _Moment) -> None:
        """Read the index of a moment: JSON, then the blocks of its processes, as columns."""
        most = chunks.MOST_JSON + self._size // HEADER_SIZE * (_BLOCK_BYTES + HEADER_SIZE)
        data = chunks.inflated(self._payload(moment.index, chunks.INDEX), most)
        head = int.from_bytes(data[:4], "little")
        import json

        try:
            value = json.loads(data[4 : 4 + head])
        except RecursionError:
            raise ValueError("nested too deeply") from None
        moment.about = dict(value["about"])
        at = 4 + head
        for process in value["processes"]:
            count = process["blocks"]
            size = count * _BLOCK_BYTES
            if not isinstance(count, int) or count < 0 or size > len(data) - at:
                raise ValueError("an index of more blocks than it has")
            moment.blocks.append(_unpacked(data[at : at + size], count, process["whose"]))
            at += size
        if data[at:]:
            raise ValueError("an index of fewer blocks than it has")
        moment.processes = [_process_of(each) for each in value["processes"]]

    def _find_moments(self) -> list[_Moment]:
        """All moments that are whole, the first one first."""
        offset = self._last_trailer()
        found: list[_Moment] = []
        while offset:
            data = self._payload(offset, chunks.TRAILER)
            if len(data) != chunks.TRAILER_FIELDS.size:
                raise self._damaged("a trailer of another size")
            index, before, number, digest = chunks.TRAILER_FIELDS.unpack(data)
            if before >= offset or index >= offset:
                raise self._damaged("a trailer that leads forward")
            found.append(_Moment(offset, index, number, digest))
            offset = before
        return found[::-1]

    def _last_trailer(self) -> int:
        at = self._size - _TRAILER_SIZE
        if at >= _FILE_HEADER:
            header = chunks.parse_header(self._bytes(at, HEADER_SIZE))
            if header and header.kind == chunks.TRAILER:
                return at
        # cut short in the middle of a round, perhaps: those before it stand
        last, at = 0, _FILE_HEADER
        while header := chunks.parse_header(self._bytes(at, HEADER_SIZE)):
            if header.kind == chunks.TRAILER and at + _TRAILER_SIZE <= self._size:
                last = at
            at += HEADER_SIZE + header.size
        if not last:
            raise self._damaged("it was cut short, or its end is damaged")
        return last

    def _payload(self, offset: int, kind: int) -> bytes:
        """The payload of the chunk at `offset`, which is of this kind."""
        if offset < _FILE_HEADER:
            raise self._damaged("a chunk at no place")
        header = chunks.parse_header(self._bytes(offset, HEADER_SIZE))
        if header is None or header.kind != kind or offset + header.size > self._size:
            raise self._damaged(f"no chunk of kind {kind} at byte {offset}")
        data = self._bytes(offset + HEADER_SIZE, header.size)
        if len(data) < header.size or chunk_sum(data) != header.sum:
            raise self._damaged(f"the chunk at byte {offset} is not as it was written")
        return data

    def _bytes(self, offset: int, size: int) -> bytes:
        fd = self._fd
        if fd < 0:
            raise PagemapError(f"{self.path} was closed before this call", path=self.path)
        if offset >= self._size:
            return b""
        try:
            return os.pread(fd, size, offset)
        except OSError as error:
            raise from_os_error(error, pid=None, operation="read", path=self.path) from None

    def _damaged(self, why: str) -> PagemapError:
        return PagemapError(
            f"{self.path} is damaged: {why}; what is whole of it can be salvaged",
            errno=EBADMSG,
            operation="read",
            path=self.path,
        )


def _process_of(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of an index whose numbers are some. Raises ValueError, TypeError or KeyError."""
    places = [place for name in ("maps", "smaps") for each in entry[name] for place in each]
    numbers = [entry["whose"], entry["about"], entry["end"], *places]
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in numbers):
        raise ValueError("an index of what are no places")
    if entry["whose"] > _LOWER:
        raise ValueError("an index of too many processes")
    return entry


def _unpacked(data: bytes, count: int, whose: int) -> memoryview:
    """The blocks of an index, BLOCK_WORDS numbers each."""
    numbers = array("Q", data[: 24 * count])
    sizes = array("I", data[24 * count :])
    if _is_big_endian():  # pragma: no cover - of no machine here
        numbers.byteswap()
        sizes.byteswap()
    words = array("Q", bytes(8 * BLOCK_WORDS * count))
    end = at = 0
    for block in range(count):
        start = end + numbers[block]
        end = start + numbers[count + block]
        at += numbers[2 * count + block]
        size = sizes[block]
        words[BLOCK_WORDS * block : BLOCK_WORDS * (block + 1)] = array(
            "Q", (start, end, at, packed_size(size, whose))
        )
        at += size
    return memoryview(words).toreadonly()


def packed_size(size: int, whose: int) -> int:
    """The last word of a block: two numbers of 32 bits as they lie in memory."""
    if _is_big_endian():  # pragma: no cover - of no machine here
        return size << 32 | whose & _LOWER
    return whose << 32 | size


def _is_big_endian() -> bool:
    import sys

    return sys.byteorder == "big"
