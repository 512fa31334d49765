"""Goes through all processes, and keeps which frames several of them map.

One pass over all processes fills a table from each frame to the set of those that map it; equal
sets are stored once, under one number (csrc/analyses/sharing_sets.c). A page that the kernel marks
as mapped only once is skipped, so private memory costs only its reading. The mark is not used where
a PMD may map the page: from Linux 6.15 on all 512 pages have the mark of the first.

Memory: at most 4 bytes for each resident page of the machine, which is 0.1 % of it (the kernel
allocates the table only where it has frames that are not exclusive), and 72 to 144 bytes for each
set of processes, usually some thousands. Processes that share random parts of their memory could
make a set for each frame, so all of it is bounded: the table has `WINDOW` frames at a time, and a
machine with more is read once for each window; sets, and the names of mappings, may each take one
`SHARE`th of the available memory. Frames beyond that are counted without a set, as `untold`.
"""

from __future__ import annotations

import os
from array import array
from contextlib import closing
from sys import getsizeof

from pagemap._analyses.shared_sums import Sums
from pagemap._analyses.sharing_groups import Grouped, GroupSharing
from pagemap._kernel import meminfo
from pagemap._kernel.frames import KSM, RESERVED, FrameReader
from pagemap._kernel.os_errors import from_frames_error
from pagemap._native.descriptors import Holder
from pagemap._native.heaviest import Heaviest
from pagemap._native.lines import Lines
from pagemap._native.sharing import FrameSets
from pagemap._native.stretches import SharingPiece, StretchBuffer
from pagemap._space.about import about
from pagemap._space.every_space import AMONG_SAVED, Spaces, require_pfns
from pagemap._space.saved_frames import zeros_alone
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_threads
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.sharing import (
    PARTS,
    PARTS_OF_GROUPS,
    SharedFrameRow,
    SharedGroupRow,
    SharedPairRow,
    SharedPathRow,
    SharedProcessRow,
    SharedRow,
)
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeVar

    from pagemap._space.every_space import Progress, Seen
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._vocabulary.schema import Schema

    _Sums = TypeVar("_Sums", bound=Sums)

__all__ = ["MORE_PATHS", "SHARE", "WINDOW", "Sharing", "Walk"]

WINDOW = 1 << 28
"""Frames that the table holds at a time: a TiB of pages of 4 KiB, for at most 1 GiB."""

SHARE = 64
"""Sets may take one SHAREth of the available memory, and names another."""

MORE_PATHS = "[more paths]"
"""Stands for all names of mappings that exceed the memory for names."""

_PURPOSE = "tell what is shared"
_OF_GROUPS = "tell what groups of processes share"
_LABEL_BYTES = 200  # of a name beside its text, and of its numbers


class Sharing(Record):
    """What is shared, and by which processes: the tables that `pagemap.sharing` returns.

    `pairs`, `groups`, `paths` and `frames` have the largest; `processes` has all that share
    anything. `total` is one row: frames of two or more processes, and frames merged by KSM even if
    one process maps them, each counted once.
    """

    total: Table[SharedRow] = field("", "what is shared at all")
    processes: Table[SharedProcessRow] = field("", "what each process shares with any other")
    pairs: Table[SharedPairRow] = field("", "what two processes share")
    groups: Table[SharedGroupRow] = field("", "what just these processes share, by path")
    paths: Table[SharedPathRow] = field("", "what is shared of a path")
    frames: Table[SharedFrameRow] = field("", "the frames that most processes map")

    @property
    def about(self) -> dict[str, object]:
        """What holds for all of them: see `sharing`."""
        return self.total.about


class Walk(Holder):
    """Goes through the processes, and keeps what is shared as numbers."""

    def __init__(
        self,
        targets: list[int],
        saved: SavedProcesses | None,
        by: str | None,
        *,
        only: bool,
        procfs: str,
        threads: int | None,
        progress: Progress | None,
    ) -> None:
        self._targets = targets
        self._saved = saved
        self._by = by
        self._purpose = _PURPOSE if by is None else _OF_GROUPS
        self._only = only
        self._procfs = procfs
        self._threads = check_threads(threads)
        self._progress = progress
        self._labels: dict[str, int] = {}

    def through(
        self, top: int, *, window: int, size: int | None, begin: float
    ) -> Sharing | GroupSharing:
        """Look at all, and sum up."""
        heaviest = Heaviest(top)
        procfs, saved = self._procfs, self._saved
        with (
            FrameReader(procfs=procfs, purpose=self._purpose)
            if saved is None
            else saved.frame_reader(self._purpose)
        ) as reader:
            self._open_frames(reader)
            size = _available("/proc" if saved else procfs) // SHARE if size is None else size
            self._table = FrameSets(size)
            self._room = size  # for names
            if self._ksm_told is False:
                self._table.ignore(KSM)
            if not self._kinds_told:
                self._table.assume(RESERVED)
            self._spaces = saved or Spaces(procfs=procfs, first=self._targets, only=self._only)
            # targets with one address space are one of those that are gone through
            self._first = len(self._targets) if saved else self._spaces.named
            self._grouped = self._by and Grouped(self._spaces, self._by, self._first)
            if self._grouped:
                self._table.count_alone(len(self._spaces.pids))
            end = self._end
            for first in range(0, end, window):
                self._table.open_window(first, min(window, end - first), end)
                self._fill(count_exclusive=not first)
                self._settle(reader, heaviest)
            self._table.close_window()
            if self._grouped:
                of_groups, rows = self._grouped.tables(self._table, self._sums, top, size)
                return GroupSharing(**self._tables(PARTS_OF_GROUPS, rows, of_groups, begin))
            sums = self._sums(Sums, self._table, self._first)
            rows = {"frames": sums.frames(reader, heaviest), **sums.rows(top)}
        return Sharing(**self._tables(PARTS, rows, sums, begin))

    def _sums(self, kind: type[_Sums], table: FrameSets, targets: int) -> _Sums:
        """Sums of these sets of processes, or of groups, of which so many were asked for."""
        return kind(
            table,
            self._spaces,
            list(self._labels) or [""],
            targets,
            self._ksm_told,
            kinds_told=self._kinds_told,
        )

    def _tables(
        self,
        parts: Mapping[str, Schema],
        rows: Mapping[str, Sequence[Any]],
        sums: Sums,
        begin: float,
    ) -> dict[str, Any]:
        holds = (
            about(begin, None, **sums.about())
            if self._saved is None
            else {
                **sums.about(),
                "among": AMONG_SAVED,
                "frames_lost": self._saved.frames_lost,
            }
        )
        if self._by:
            holds["by"] = self._by
        return {name: Table.of_rows(parts[name], rows[name], about=holds) for name in parts}

    def _open_frames(self, reader: FrameReader) -> None:
        """Find out what is told of frames. Raises where that may not be read, or PFNs hidden."""
        saved = self._saved
        self._kinds_told = saved is None or saved.has_frames
        self._ksm_told: bool | None = None
        if saved is None or self._kinds_told:
            self._flags, self._end = reader.fileno("flags"), reader.end
            self._counts = reader.fileno("mapcounts")
        else:
            self._end = saved.frames_end
        if saved is None:
            require_pfns(self._purpose)
        else:
            saved.require_pfns(self._purpose)
        if saved is not None and not self._kinds_told:
            self._flags = self._counts = zeros_alone(saved.zero_frames(), self._end)
        else:
            self._ksm_told = reader.tells_ksm()

    def _settle(self, reader: FrameReader, heaviest: Heaviest) -> None:
        try:
            for _ in self._table.settle(self._flags, self._counts, len(self._labels), heaviest):
                pass
        except OSError as error:
            raise from_frames_error(error, reader.path("flags"), self._purpose) from None

    def _fill(self, *, count_exclusive: bool) -> None:
        joining = bool(self._targets)
        steps = self._spaces.go_through(
            self._choose,
            SharingPiece,
            StretchBuffer,
            required=self._targets,
            threads=self._threads,
            progress=self._progress,
        )
        with self._spaces, closing(steps):
            for piece, (buffer, count) in steps:
                seen: Seen = piece.visit.tag
                join = joining and seen.number >= self._first
                if self._grouped and count_exclusive and not join:
                    self._grouped.add_exclusive(seen.number, buffer.exclusive[0])
                if count:
                    self._table.add(buffer, count, seen.note, seen.number, join=join)

    def _choose(self, block: bytes, _process: object) -> tuple[list[tuple[int, int]], array[int]]:
        """All mappings, and the number of the label of each."""
        known = self._labels
        ranges = []
        labels = array("I")
        for start, end, label in Lines(block).ranges():
            ranges.append((start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT))
            number = known.get(label)
            if number is None:
                number = self._new_label(label)
            labels.append(number)
        return ranges, labels

    def _new_label(self, label: str) -> int:
        """The number of a name met for the first time: of the last one where names took too much.

        They are the targets' to choose: 65,530 mappings may have as many names of 4 KiB.
        """
        self._room -= _LABEL_BYTES + getsizeof(label)
        if self._room < 0:
            label = MORE_PATHS
        return self._labels.setdefault(label, len(self._labels))


def _available(procfs: str) -> int:
    """The bytes of memory that can be had without swapping; where that is not told, the free."""
    told = meminfo.amount("MemAvailable", procfs=procfs)
    return os.sysconf("SC_AVPHYS_PAGES") * PAGE_SIZE if told is None else told
