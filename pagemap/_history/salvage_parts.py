"""What is whole of a moment that is not, on its way into another file."""

from __future__ import annotations

from array import array

from pagemap._errors import PagemapError
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._native.snapshot import BlockTrial
from pagemap._space import snapshot_chunks as chunks
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


class Parts:
    """The parts of one moment that were found: whole chunks, in their order."""

    def __init__(self, writer: SnapshotWriter) -> None:
        self._writer = writer
        self._trial = BlockTrial()
        self._facts: dict[int, bytes] = {}  # as they were written: inflated they can be a lot
        self._bounds: array[int] = array("Q")  # of the mappings of the process that came last,
        self._whose = -1  # which is this one;
        self._within: Spans | None = None  # None where it is not sure that no mapping is missing
        self._end = 0  # of the last chunk, in bytes
        self.processes: dict[int, ProcessWriter] = {}
        self.frames = 0  # bytes of chunks with words of frames: not kept, for some may be missing
        writer.begin_moment({"complete": False, "salvaged": True})

    def add(self, chunk: Chunk) -> None:
        """Take a chunk that is whole."""
        if chunk.place != self._end and not self._within:
            self._whose = -1  # what is missing may be mappings
        self._end = chunk.end
        self.frames += len(chunk.data) if chunk.kind == chunks.FRAMES else 0
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
            elif chunk.kind == chunks.END:
                process.end(self._ended(chunk.whose, chunks.from_json(chunk.payload)))
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
        end.pop("frames_end", None)  # without all words of frames there are none
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

    def end(self) -> None:
        """Write what makes it a snapshot."""
        for whose, process in self.processes.items():
            if "end" not in process.entry:
                process.end(self._ended(whose, {}))
        self._writer.end_moment({})
