"""Taking a snapshot: the page tables of processes with their mappings, into a file.

Memory stays flat, however large a process is: what is read is packed and written piece by piece,
and only where the blocks lie is kept until the end, 28 bytes for each.
"""

from __future__ import annotations

import os
from array import array
from contextlib import nullcontext
from time import time

from pagemap._analyses.saved_facts import facts_of, sums_of
from pagemap._errors import NoSuchProcess, PagemapError, TargetVanished, UsageError
from pagemap._history import snapshot_facts
from pagemap._history.snapshot_frames import FrameTaking
from pagemap._history.snapshot_writer import SnapshotWriter
from pagemap._kernel.maps_blocks import read_blocks
from pagemap._kernel.os_errors import no_proc
from pagemap._kernel.stopping import stopped
from pagemap._native import pipeline
from pagemap._native.descriptors import Descriptor
from pagemap._native.lines import Lines
from pagemap._native.snapshot import TakeBuffer, Taking, skipped_by_scans
from pagemap._space import snapshot_chunks as chunks
from pagemap._space.about import about as about_all
from pagemap._space.every_process import EveryProcess
from pagemap._space.snapshot_maps import spans_below
from pagemap._space.walk import Reach
from pagemap._vocabulary.checks import check_threads
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pagemap._history.snapshot_writer import ProcessWriter
    from pagemap._native.scan import Spans
    from pagemap._native.snapshot import FrameGroups
    from pagemap._space.live_space import LiveSpace

__all__ = ["MOST_MAPS", "Options", "categories_of", "take", "take_maps", "take_pages"]

_EXTRA = ("huge", "pfnzero", "soft_dirty")
_SOFT_DIRTY = 1 << 55
MOST_MAPS = 1 << 23
"""Bytes of maps that are held to find facts about mappings: some 80,000 of them."""


class Options:
    """How to take a snapshot: as `pagemap.Snapshot.take` says."""

    __slots__ = ("frames", "pfns", "smaps", "stop", "threads")

    def __init__(
        self,
        *,
        pfns: bool = True,
        stop: bool = False,
        smaps: bool = False,
        frames: bool = False,
        threads: int | None = None,
    ) -> None:
        self.pfns = pfns
        self.stop = stop
        self.smaps = smaps
        self.frames = frames
        self.threads = check_threads(threads)


def take(
    pids: Iterable[int],
    write: Callable[[bytes | memoryview], object],
    options: Options,
    *,
    procfs: str = "/proc",
) -> dict[str, Any]:
    """Write a snapshot of these processes; returns what it says of them all.

    ``cut_short`` there are those that ended or called exec midway, each with what was taken of it
    until then; ``left_out`` those that could not be read. Raises NoSuchProcess where one is not
    there to begin with, the error of the last one where nothing of any was taken, and what `write`
    raises.
    """
    pids = list(pids)
    for pid in pids:
        if not os.path.exists(f"{procfs}/{pid}"):
            raise no_proc(procfs) or NoSuchProcess(
                f"there is no process {pid}", pid=pid, operation="find"
            )
    begin = time()
    every = EveryProcess(pids, others=(), procfs=procfs)
    writer = SnapshotWriter(write)
    writer.begin_moment({"begin": about_all(begin)["begin"], "complete": False})
    cut_short: list[dict[str, Any]] = []
    count = 0

    def look(pid: int) -> bool:
        with every.open(pid) as process:
            error = _take_process(process, writer.process(count), options)
        if error is not None:
            cut_short.append({"pid": int(pid), "reason": str(error)})
        return True

    for _pid, _ in every.read(look):
        count += 1
    if not count:
        if every.errors:
            raise list(every.errors.values())[-1]
        raise UsageError("none of these processes has memory of its own: nothing to take")
    about = {**about_all(begin), **every.about(), "cut_short": cut_short}
    about["complete"] = not cut_short and not every.left_out
    writer.end_moment(about)
    return {**about, "bytes": writer.size}


def _take_process(
    process: LiveSpace, writer: ProcessWriter, options: Options
) -> PagemapError | None:
    """Take one process. Returns the error where it was cut short; raises where nothing is taken."""
    with stopped(process.folder) if options.stop else nullcontext():
        facts = snapshot_facts.before(process, pfns=options.pfns, stopped=options.stop)
        writer.begin(facts)
        spans, text, bounds = take_maps(process, writer)
        more = facts_of(process, text) if text else {}
        taking = FrameTaking(process) if options.frames else None
        skipped = _skipped(process, bounds)
        groups = taking.groups if taking else None
        error = take_pages(process, writer, spans, options, groups, skipped)
        if taking is not None and error is None:
            more.update(taking.write(writer))
        if options.smaps and error is None:
            error, sums = _take_smaps(process, writer)
            more.update(sums)
    cut_at = None if error is None else writer.last_page << PAGE_SHIFT
    writer.end(snapshot_facts.after(cut_at=cut_at, complete=error is None), more)
    return error


def take_maps(process: LiveSpace, writer: ProcessWriter | None) -> tuple[Spans, bytes, array[int]]:
    """Write the text of maps, if it is to be; returns mappings with a page table, and the text.

    There is none of what has more than MOST_MAPS bytes of it. At last the bounds of each mapping.
    """
    texts: list[bytes] = []
    part = b""  # that is yet to be written: columns of many lines are smaller
    room = MOST_MAPS
    bounds = array("Q")
    for block in process.maps_blocks():
        if writer is not None:
            if len(part) + len(block) > chunks.MOST_TEXT:
                writer.text(chunks.MAPS, part)
                part = b""
            part += block
        room -= len(block)
        if room >= 0:
            texts.append(block)
        bounds.frombytes(Lines(block).bounds.cast("B"))
    if writer is not None:
        writer.text(chunks.MAPS, part)
    text = b"".join(texts) if room >= 0 else b""
    return spans_below(bounds, process.end_page(), PAGE_SHIFT), text, bounds


def _skipped(process: LiveSpace, bounds: array[int]) -> Spans | None:
    """What is read though a scan is used, for its marks: None where there are no such marks."""
    if not process.can_scan or not process.machine.told() & _SOFT_DIRTY:
        return None
    try:
        return skipped_by_scans(process.descriptor(), bounds, PAGE_SHIFT)
    except OSError as error:
        raise process.read_error(error) from None


def take_pages(
    process: LiveSpace,
    writer: ProcessWriter,
    spans: Spans,
    options: Options,
    groups: FrameGroups | None = None,
    skipped: Spans | None = None,
) -> PagemapError | None:
    """Write the pages in `spans`; returns TargetVanished where they end too early.

    A scan tells nothing of those in `skipped`.
    """
    taking = Taking(
        spans,
        process.descriptor(),
        PAGE_SHIFT,
        use_scan=process.can_scan,
        categories=categories_of(process),
        places=options.pfns,
        whose=writer.whose,
        groups=groups,
        skipped=skipped,
    )
    reach = Reach(first=pipeline.ALONE_PAGES, threads=options.threads)
    try:
        with pipeline.run(taking.pieces(reach), TakeBuffer, options.threads) as pieces:
            for piece, (data, words) in process.reading(pieces):
                writer.blocks(data, words)
                if piece.ended is not None:
                    process.require_alive()
                if piece.done:
                    reach.learn(piece.pages, piece.looked)
        process.check()
    except TargetVanished as error:
        return error
    return None


def _take_smaps(
    process: LiveSpace, writer: ProcessWriter
) -> tuple[PagemapError | None, dict[str, object]]:
    """Write smaps; returns what goes with it, or TargetVanished."""
    fd = Descriptor(process.folder.open("smaps"))
    try:
        for block in read_blocks(fd):
            writer.text(chunks.SMAPS, block)
        sums = sums_of(process)
        process.check()
    except TargetVanished as error:
        return error, {}
    except OSError as error:
        raise process.folder.error(error, "read smaps", "smaps") from None
    return None, {"sums": sums}


def categories_of(process: LiveSpace) -> int:
    """What scans are asked for beside what is populated. Soft-dirty: where the kernel tells it."""
    told = process.machine.told()
    bits = {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES}
    return sum(
        bits[name]
        for name in _EXTRA
        if process.can_find(name) and (name != "soft_dirty" or told & _SOFT_DIRTY)
    )
