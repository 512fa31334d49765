"""What is whole of a moment that is not, on its way into another file."""

from __future__ import annotations

import os
from array import array

from pagemap._errors import PagemapError
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._native.snapshot import HEADER_SIZE, BlockTrial
from pagemap._space import snapshot_chunks as chunks
from pagemap._space.saved_frames import MOST_END
from pagemap._space.snapshot_facts import checked_facts
from pagemap._space.snapshot_index import packed_size
from pagemap._space.snapshot_maps import spans_below, unpack_maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._history.salvage_chunks import Chunk
    from pagemap._history.snapshot_writer import ProcessWriter, SnapshotWriter

__all__ = ["Parts"]

_MAPS = (chunks.MAPS, chunks.MAPPINGS)
_BEFORE_FRAMES = (chunks.PROCESS, *_MAPS, chunks.PAGES, chunks.WITHIN)


class Parts:
    """The parts of one moment that were found: whole chunks, in their order."""

    def __init__(self, writer: SnapshotWriter, fd: int, size: int) -> None:
        self._writer = writer
        self._fd = fd  # of the damaged file, of `size` bytes
        self._size = size
        self._trial = BlockTrial()
        self._facts: dict[int, bytes] = {}  # as they were written: inflated they can be a lot
        self._bounds: array[int] = array("Q")  # of the mappings of the process that came last,
        self._whose = -1  # which is this one;
        self._within: Spans | None = None  # None where it is not sure that no mapping is missing
        self._end = 0  # of the last chunk, in bytes
        self._framed = -1  # the process whose frames come now, and
        self._all_frames = False  # whether none of their words is sure to be missing
        self._has_frames = False
        self._frames_end = 0  # a PFN past all that words are kept of
        self.processes: dict[int, ProcessWriter] = {}
        self.lost_frames = 0  # processes of which some words may be lost
        writer.begin_moment({"complete": False, "salvaged": True})

    def add(self, chunk: Chunk) -> None:
        """Take a chunk that is whole."""
        if chunk.place != self._end and not self._within:
            self._whose = -1  # what is missing may be mappings
        self._follow_frames(chunk)
        self._end = chunk.end
        try:
            if chunk.kind == chunks.PROCESS and chunk.whose not in self.processes:
                self._begin(chunk.whose, chunk.payload)
            process = self.processes.get(chunk.whose)
            if process is None or "end" in process.entry:
                return
            if chunk.kind in _MAPS:
                self._add_maps(process, chunk)
            elif chunk.kind == chunks.SMAPS:
                process.text(chunks.SMAPS, chunks.inflated(chunk.payload, chunks.MOST_TEXT))
            elif chunk.kind in (chunks.PAGES, chunks.WITHIN):
                self._add_block(process, chunk)
            elif chunk.kind == chunks.FRAMES:
                self._add_frames(process, chunk)
            elif chunk.kind == chunks.END:
                facts = self._ended(chunk.whose, chunks.from_json(chunk.payload))
                if type(end := facts.get("frames_end")) is int:
                    self._frames_end = max(self._frames_end, end)
                    if not self._all_frames or self._framed != chunk.whose:
                        facts["frames_lost"] = True
                        self.lost_frames += 1
                process.end(facts)
        except (ValueError, OSError):
            return  # the sums are right, and what they are of is not

    def _begin(self, whose: int, payload: bytes) -> None:
        self._facts[whose] = payload
        self._ended(whose, {})
        process = self._writer.process(whose)
        process.begin(chunks.from_json(payload))
        self.processes[whose] = process
        self._whose, self._bounds, self._within = whose, array("Q"), None

    def _ended(self, whose: int, facts: dict[str, Any]) -> dict[str, Any]:
        """What stands at the end of a process, where that is all that is known. Checked."""
        before = chunks.from_json(self._facts[whose])
        unknown = {"end": before.get("begin"), "end_ns": before.get("begin_ns"), "cut_at": None}
        # it cannot be known that nothing between is missing
        end = {**unknown, **facts, "complete": False, "salvaged": True}
        checked_facts({**before, **end})
        return end

    def _add_maps(self, process: ProcessWriter, chunk: Chunk) -> None:
        if chunk.kind == chunks.MAPS:
            text = chunks.inflated(chunk.payload, chunks.MOST_TEXT)
        else:
            text = unpack_maps(chunk.payload)
        process.text(chunks.MAPS, text)
        if self._whose != process.whose:
            return
        try:
            self._bounds.frombytes(Lines(text).bounds.cast("B"))
        except PagemapError:
            self._whose = -1
        if len(self._bounds) > 2 * chunks.MOST_MAPPINGS:
            self._whose = -1

    def _add_block(self, process: ProcessWriter, chunk: Chunk) -> None:
        if self._within is None and self._whose == process.whose:
            facts = chunks.from_json(self._facts[process.whose])
            self._within = spans_below(self._bounds, facts["end_page"], facts["page_shift"])
        sure = self._whose == process.whose and self._within is not None
        vpn, end = self._trial(chunk.data, self._within if sure and self._within else Spans(()))
        if vpn >= process.last_page:
            words = array("Q", (vpn, end, 0, packed_size(len(chunk.data), process.whose)))
            process.blocks(memoryview(chunk.data), memoryview(words))

    def _follow_frames(self, chunk: Chunk) -> None:
        """Note whether words of frames may be missing: they come behind the pages of a process."""
        if chunk.place != self._end and not self._is_another(chunk.place):
            self._all_frames = False
        if chunk.kind in _BEFORE_FRAMES:
            self._all_frames, self._framed = True, chunk.whose
        elif chunk.kind == chunks.FRAMES:
            self._has_frames = True

    def _is_another(self, end: int) -> bool:
        """Whether all that lies before byte `end` is one damaged chunk, and none of frames."""
        header = chunks.parse_header(os.pread(self._fd, HEADER_SIZE, self._end))
        return (
            header is not None
            and header.kind != chunks.FRAMES
            and self._end + HEADER_SIZE + header.size == end
        )

    def _add_frames(self, process: ProcessWriter, chunk: Chunk) -> None:
        """Keep words of frames as they were written."""
        self._all_frames, sure = False, self._all_frames
        data = chunks.inflated(chunk.payload, chunks.MOST_TEXT)
        if len(data) % 16 != 8:
            raise ValueError("half a word of frames")
        self._all_frames = sure
        process.copy_frames(chunk.payload, len(data))
        end = int.from_bytes(data[:8], "little") + len(data) // 16
        if end <= MOST_END:
            self._frames_end = max(self._frames_end, end)

    def end(self) -> None:
        """Write what makes it a snapshot."""
        for whose, process in self.processes.items():
            if "end" not in process.entry:
                lost: dict[str, Any] = {"frames_lost": True} if self._has_frames else {}
                if lost and self._frames_end:  # the machine is that of the others
                    lost["frames_end"] = self._frames_end
                process.end(self._ended(whose, lost))
                self.lost_frames += self._has_frames
        self._writer.end_moment({})
