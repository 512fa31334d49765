"""What is whole of a damaged snapshot, or of one that was cut short, into a new one."""

from __future__ import annotations

import os
from array import array

from pagemap._errors import PagemapError
from pagemap._history.snapshot_writer import ProcessWriter, SnapshotWriter
from pagemap._kernel.regular import open_regular
from pagemap._native.snapshot import HEADER_SIZE, MARK, MOST_BLOCK, BlockTrial, chunk_sum
from pagemap._space import snapshot_chunks as chunks
from pagemap._space.snapshot_facts import checked_facts
from pagemap._space.snapshot_index import packed_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = ["salvage"]

_STEP = 1 << 16  # bytes that are searched at a time for the next chunk
_MOST_CHUNK = max(MOST_BLOCK, 4 * chunks.MOST_TEXT)
_MARK = MARK.to_bytes(4, "little")


def salvage(path: str, write: Callable[[bytes | memoryview], object]) -> dict[str, Any]:
    """Write what is whole of the first moment in `path` as a snapshot that can be read.

    Returns ``processes``, ``blocks`` and ``skipped``: how many there are, and how many bytes of the
    file were of no use. A process whose facts are damaged is left out, and so is a block that lies
    below one before it. Raises PagemapError where nothing is whole, or the file cannot be read.
    """
    try:
        fd = open_regular(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise PagemapError(
            f"cannot open {path}: {error.strerror}", errno=error.errno, path=path
        ) from None
    if fd is None:
        raise PagemapError(f"cannot open {path}: it is not a regular file", path=path)
    try:
        return _salvage(fd, path, write)
    finally:
        os.close(fd)


def _salvage(fd: int, path: str, write: Callable[[bytes | memoryview], object]) -> dict[str, Any]:
    size = os.fstat(fd).st_size
    version = chunks.parse_version(os.pread(fd, 16, 0))
    if version is not None and version > chunks.VERSION:
        raise PagemapError(
            f"{path} is a snapshot of version {version}, which this pagemap does not know: salvage "
            "it with a newer one",
            path=path,
        )
    found = _Found(SnapshotWriter(write))
    used = 0
    for header, payload in _chunks(fd, size):
        if header.kind == chunks.TRAILER:
            break  # what follows changes it
        used += HEADER_SIZE + header.size
        found.add(header, payload)
    if not found.processes:
        raise PagemapError(f"nothing of {path} is whole: there is no process in it", path=path)
    found.end()
    blocks = sum(len(each.columns[0]) for each in found.processes.values())
    return {"processes": len(found.processes), "blocks": blocks, "skipped": size - used}


def _chunks(fd: int, size: int) -> Iterator[tuple[chunks.Header, bytes]]:
    """All chunks that are whole; where one is not, the search goes on for the next mark."""
    at = base = 0
    text = b""  # of the file from `base` on
    while at < size:
        header = chunks.parse_header(os.pread(fd, HEADER_SIZE, at))
        if header and header.size <= min(_MOST_CHUNK, size - at - HEADER_SIZE):
            payload = os.pread(fd, header.size, at + HEADER_SIZE)
            if len(payload) == header.size and chunk_sum(payload) == header.sum:
                yield header, payload
                at += HEADER_SIZE + header.size
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


class _Found:
    """What was found, on its way into another file."""

    def __init__(self, writer: SnapshotWriter) -> None:
        self._writer = writer
        self._trial = BlockTrial()
        self._facts: dict[int, bytes] = {}  # as they were written: inflated they can be a lot
        self.processes: dict[int, ProcessWriter] = {}
        writer.begin_moment({"complete": False, "salvaged": True})

    def add(self, header: chunks.Header, payload: bytes) -> None:
        """Take a chunk that is whole."""
        try:
            if header.kind == chunks.PROCESS and header.whose not in self.processes:
                self._begin(header.whose, payload)
            process = self.processes.get(header.whose)
            if process is None or "end" in process.entry:
                return
            if header.kind in (chunks.MAPS, chunks.SMAPS):
                process.text(header.kind, chunks.inflated(payload, chunks.MOST_TEXT))
            elif header.kind == chunks.PAGES:
                self._add_block(process, payload)
            elif header.kind == chunks.END:
                process.end(self._end(header.whose, chunks.from_json(payload)))
        except (ValueError, OSError):
            return  # the sums are right, and what they are of is not

    def _begin(self, whose: int, payload: bytes) -> None:
        self._facts[whose] = payload
        self._end(whose, {})
        process = self._writer.process(whose)
        process.begin(chunks.from_json(payload))
        self.processes[whose] = process

    def _end(self, whose: int, facts: dict[str, Any]) -> dict[str, Any]:
        """What stands at the end of a process, where that is all that is known. Checked."""
        before = chunks.from_json(self._facts[whose])
        unknown = {"end": before.get("begin"), "end_ns": before.get("begin_ns"), "cut_at": None}
        # it cannot be known that nothing between is missing
        end = {**unknown, **facts, "complete": False, "salvaged": True}
        end.pop("frames_end", None)  # words of frames are not salvaged
        checked_facts({**before, **end})
        return end

    def _add_block(self, process: ProcessWriter, payload: bytes) -> None:
        data = chunks.chunk(chunks.PAGES, process.whose, payload)
        vpn, end = self._trial(data)
        if vpn >= process.last_page:
            words = array("Q", (vpn, end, 0, packed_size(len(data), process.whose)))
            process.blocks(memoryview(data), memoryview(words))

    def end(self) -> None:
        """Write what makes it a snapshot."""
        for whose, process in self.processes.items():
            if "end" not in process.entry:
                process.end(self._end(whose, {}))
        self._writer.end_moment({})
