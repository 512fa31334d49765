"""Goes through the page tables of the processes that end, and counts what comes back.

What one group alone maps comes back. That takes one pass over the page tables of the groups: a
table has for each frame which group maps it and how often (csrc/analyses/freed_table.c), and the
kernel's map count tells whether that is all. Other processes are read only for slots of swap areas,
of which the kernel counts no users that it would show.

Memory: 8 bytes for each resident page of the groups (of large machines for `WINDOW` frames at a
time, and they are gone through once for each window), 4 for each slot in use.
"""

from __future__ import annotations

from contextlib import closing

from pagemap._analyses.backing import Backing
from pagemap._analyses.freed_counted import Counted
from pagemap._analyses.freed_files import EndingFiles
from pagemap._analyses.freed_groups import Ending
from pagemap._errors import PagemapError
from pagemap._kernel import swap_areas, swap_types, task, thp
from pagemap._kernel.folder import Folder
from pagemap._kernel.os_errors import from_frames_error
from pagemap._kernel.zero_frames import zero_frames
from pagemap._native import freed as native
from pagemap._native.counting import BACKINGS, HUGETLB, SHMEM
from pagemap._native.descriptors import Holder
from pagemap._native.freed import (
    AREAS,
    ELSEWHERE,
    FILE,
    OTHER,
    Holders,
    HoldingBuffer,
    HoldingPiece,
    Search,
)
from pagemap._native.lines import Lines
from pagemap._space.every_space import Spaces
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._kernel.frames import FrameReader
    from pagemap._native.owners import Visit
    from pagemap._space.address_space import AddressSpace
    from pagemap._space.every_space import Progress, Seen

__all__ = ["PURPOSE", "WINDOW", "Walk"]

WINDOW = 1 << 27
"""Frames that the table holds at a time: half a TiB of pages of 4 KiB, for at most 1 GiB."""

PURPOSE = "tell what comes back"
"""What errors say could not be done."""

_USUAL_ORDER = 9  # of what a PMD maps, where the kernel has no THP
_MORE_AREAS = 2  # types of swap areas that were given back, below those in use
_DRIVERS = ("anon_inode:", "/dev/")
_KINDS = bytes(
    {HUGETLB: native.HUGETLB | ELSEWHERE, SHMEM: OTHER}.get(backing & BACKINGS, FILE)
    for backing in range(256)
)


class Walk(Holder):
    """Goes through the groups, and keeps who holds which frame."""

    def __init__(
        self,
        reader: FrameReader,
        end: int,
        chosen: list[int] | None,
        by: str | None,
        label: str | None,
        *,
        procfs: str,
    ) -> None:
        self._procfs = procfs
        self._reader = reader
        self._end = end
        self.spaces = Spaces(procfs=procfs, first=chosen or ())
        self._ending = Ending(self.spaces, chosen, by, label)
        self._files = EndingFiles(self.spaces, self._ending)
        groups = self._ending.groups
        # number 0 are all others
        self._numbers = [n for n, group in enumerate(groups, 1) for _ in group.spaces]
        self.spaces.pids[:] = [pid for group in groups for pid in group.spaces]
        order = thp.pmd_order() or _USUAL_ORDER
        least = thp.least_anon_order()
        self._search = Search(
            swap_types.kinds(),
            zero_frames(reader.fileno("flags")),
            no_small_folios=least is not None and least >= order,
        )
        self._holders = Holders(1 + len(groups), _areas(procfs), order)
        self._devices: dict[str, int] = {}
        self._backing: tuple[AddressSpace, Backing] | None = None

    def through(self, window: int, *, threads: int | None, progress: Progress | None) -> None:
        """Look at all, and sum up."""
        flags, counts = (self._reader.fileno(name) for name in ("flags", "mapcounts"))
        for first in range(0, self._end, window):
            self._holders.open_window(first, min(window, self._end - first), self._end)
            try:
                self._fill(self.spaces, self._search, self._numbers, threads, progress)
                if not first:
                    self._fill_slots(threads)
                for _ in self._holders.settle(flags, counts):
                    pass
            except OSError as error:
                raise from_frames_error(error, self._reader.path("flags"), PURPOSE) from None
        self._holders.close()

    def counted(self) -> Counted:
        """What was counted, after `through`."""
        return Counted(self.spaces, self._ending, self._files, self._holders, procfs=self._procfs)

    def _fill_slots(self, threads: int | None) -> None:
        """Add the slots of others, where any of them may have one that a group has too."""
        if not any(self._holders.slots(number) for number in self._numbers):
            return
        others = [pid for pid in self._ending.others if self._may_have_swap(pid)]
        search = Search(self._search.swap_kinds, (0, 0), no_small_folios=False, slots_alone=True)
        spaces = Spaces(procfs=self._procfs, first=others, only=True)
        self._fill(spaces, search, [0] * len(spaces.pids), threads, None)
        for each in spaces.left_out:
            error = spaces.errors.get(each.pid)
            if error is not None:
                self.spaces.leave_out(each.pid, error)

    def _may_have_swap(self, pid: int) -> bool:
        try:
            with closing(Folder(pid, str(pid), self._procfs)) as folder:
                return task.swapped(folder) != 0
        except PagemapError:
            return False

    def _fill(
        self,
        spaces: Spaces,
        search: Search,
        numbers: Sequence[int],
        threads: int | None,
        progress: Progress | None,
    ) -> None:
        flags = self._reader.fileno("flags")

        def make(visit: Visit, at: Any, to: Any, pages: int) -> HoldingPiece:
            return HoldingPiece(visit, at, to, pages, search)

        steps = spaces.go_through(
            self._choose, make, HoldingBuffer, threads=threads, progress=progress
        )
        with spaces, closing(steps):
            for piece, (buffer, count) in steps:
                seen: Seen = piece.visit.tag
                if count:
                    self._holders.add(buffer, count, numbers[seen.number], flags)

    def _choose(self, block: bytes, process: AddressSpace) -> tuple[list[tuple[int, int]], bytes]:
        """All mappings, and what the pages of each are that are not anonymous."""
        lines = Lines(block)
        if self._backing is None or self._backing[0] is not process:
            self._backing = process, Backing(process, self._devices)
        backing = self._backing[1]
        kinds = backing.of(lines).translate(_KINDS)
        self._devices.update(backing.devices)
        words = lines.paths.words
        drivers = {code for code, path in enumerate(words) if path.startswith(_DRIVERS)}
        segments = {code for code, path in enumerate(words) if path.startswith("/SYSV")}
        if drivers or self._files.keys:
            columns = zip(lines.paths.codes, lines.devices, lines.inodes, strict=True)
            for number, (path, device, inode) in enumerate(columns):
                if self._files.ends(device, inode, process.folder, segment=path in segments):
                    kinds[number] |= ELSEWHERE
                elif path in drivers and kinds[number] == FILE:
                    kinds[number] = OTHER
        bounds = lines.bounds.tolist()
        ranges = [
            (start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT)
            for start, end in zip(bounds[::2], bounds[1::2], strict=True)
        ]
        return ranges, bytes(kinds)


def _areas(procfs: str) -> list[int]:
    """How many slots the area of each type may have, the lowest types being in use."""
    areas = swap_areas.areas(procfs) or []
    most = max((area.size // PAGE_SIZE for area in areas), default=0)
    return [most + 2] * min(len(areas) + _MORE_AREAS, AREAS) if areas else []
