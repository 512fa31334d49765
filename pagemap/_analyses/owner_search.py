"""The search for who maps a frame: goes through all processes, and keeps what was found of each.

The kernel tells of a frame how often it is mapped (/proc/kpagecount), and not by whom. That is
found by comparing the entries of all processes with the frames looked for: in C, several frames at
a time, and only of mappings that may hold such a frame.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing

from pagemap._analyses.owner_kinds import (
    is_counted,
    is_exclusive,
    kinds,
    lesser,
    takes_anonymous,
    takes_anonymous_alone,
)
from pagemap._errors import Unsupported, UsageError
from pagemap._kernel import maps
from pagemap._kernel.cgroups import directory_of
from pagemap._kernel.frame import Frame
from pagemap._kernel.frames import FrameReader
from pagemap._native.descriptors import Holder
from pagemap._native.owners import OwnersPiece, SightingBuffer, Visit, Wanted
from pagemap._space.every_space import AMONG_SAVED, Spaces, require_pfns
from pagemap._vocabulary.checks import check_several, check_threads
from pagemap._vocabulary.flags import PFN_BITS
from pagemap._vocabulary.page_flags import flag_names
from pagemap._vocabulary.rows.mapping import of_a_file
from pagemap._vocabulary.rows.owners import OwnerRow
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any

    from pagemap._space.every_space import Progress, SeveralSpaces
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Search"]

_PURPOSE = "tell who maps a frame"
_MOST_PFN = 1 << PFN_BITS
_PLACE = (1 << PFN_BITS) - 1


class Search(Holder):
    """The frames looked for, and the pages found of each."""

    def __init__(
        self,
        pfns: Iterable[int],
        saved: SavedProcesses | None,
        *,
        procfs: str,
        threads: int | None,
        progress: Progress | None,
    ) -> None:
        self._procfs = procfs
        self._saved = saved
        self._threads = check_threads(threads)
        self._progress = progress
        check_several("pfns", pfns, "a sequence of PFNs, such as [0x1234]")
        wanted = list(dict.fromkeys(pfns))
        self._frames = self._read(wanted)
        (require_pfns if saved is None else saved.require_pfns)(_PURPOSE)
        self._found = dict.fromkeys(wanted, 0)
        self._spaces = Spaces(procfs=procfs) if saved is None else saved
        self._wanted = Wanted(wanted)
        self._anonymous, self._other = kinds(self._frames)

    def _read(self, pfns: list[int]) -> list[Frame]:
        if self._saved is not None and not self._saved.has_some_frames:
            _check(pfns, _MOST_PFN)
            return [Frame(pfn, None, None, None) for pfn in pfns]
        with (
            FrameReader(procfs=self._procfs, purpose=_PURPOSE)
            if self._saved is None
            else self._saved.frame_reader(_PURPOSE)
        ) as reader:
            _check(pfns, reader.end, whose="that" if self._saved else "this")
            try:
                return list(reader.read(pfns, ("flags", "mapcounts", "cgroups")))
            except Unsupported as error:
                if error.path != reader.path("cgroups"):
                    raise
                return list(reader.read(pfns, ("flags", "mapcounts")))

    def rows(self, most: int) -> list[OwnerRow]:
        """The pages found, the first `most` of them; and the frames are read again."""
        found: list[OwnerRow] = []
        with self._spaces as spaces, closing(self._search(spaces)) as rows:
            for row in rows:
                if len(found) < most:
                    found.append(row)
        if self._saved is None:
            after = {frame.pfn: frame for frame in self._read(list(self._found))}
            self._frames = [
                frame._replace(mapcount=lesser(frame.mapcount, after[frame.pfn].mapcount))
                for frame in self._frames
            ]
        else:  # of frames that are in no page table of the file there is nothing in it
            self._frames = [
                frame if self._found[frame.pfn or 0] else Frame(frame.pfn, None, None, None)
                for frame in self._frames
            ]
        return found

    def _search(self, spaces: SeveralSpaces) -> Generator[OwnerRow, None, None]:
        steps = spaces.go_through(
            self._choose,
            self._piece,
            SightingBuffer,
            threads=self._threads,
            progress=self._progress,
        )
        frames = {frame.pfn: frame for frame in self._frames}
        with closing(steps):
            for piece, sightings in steps:
                if not sightings:
                    continue
                seen = piece.visit.tag
                pid = seen.process.pid
                name = self._spaces.names[pid]
                sharers = tuple(self._spaces.sharers.get(pid, ()))
                for span, vpn, entry in sightings:
                    pfn = entry & _PLACE
                    frame, mapping = frames[pfn], seen.note[span]
                    self._found[pfn] += 1
                    yield OwnerRow(
                        pid,
                        name,
                        vpn << PAGE_SHIFT,
                        pfn,
                        is_exclusive(entry, frame),
                        mapping.start,
                        mapping.end,
                        mapping.perms,
                        mapping.offset,
                        mapping.offset + (vpn << PAGE_SHIFT) - mapping.start
                        if of_a_file(mapping.dev, mapping.inode)
                        else None,
                        None if frame.flags is None else int(frame.flags),
                        frame.mapcount,
                        frame.cgroup or None,
                        sharers,
                        mapping.path,
                    )
                if self._all_found():
                    return

    def _choose(
        self, block: bytes, _process: object
    ) -> tuple[list[tuple[int, int]], list[Mapping]]:
        """The mappings that may hold a frame of the kinds looked for."""
        chosen = [
            mapping
            for mapping in maps.parse(block)
            if (self._anonymous and takes_anonymous(mapping))
            or (self._other and not takes_anonymous_alone(mapping))
        ]
        return [(m.start >> PAGE_SHIFT, m.size >> PAGE_SHIFT) for m in chosen], chosen

    def _piece(self, visit: Visit, at: Any, to: Any, pages: int) -> OwnersPiece:
        return OwnersPiece(visit, at, to, pages, self._wanted)

    def _all_found(self) -> bool:
        """Whether the kernel counts no more than was found: then no others need be looked at.

        Those found may have begun since it was asked, so it is asked again.
        """
        if not self._counts_all(self._frames):
            return False
        return self._saved is not None or self._counts_all(self._read(list(self._found)))

    def _counts_all(self, frames: list[Frame]) -> bool:
        return all(is_counted(frame) and not self._missing(frame) for frame in frames)

    def _missing(self, frame: Frame) -> int:
        return max(0, (frame.mapcount or 0) - self._found[frame.pfn or 0])

    def _is_explained(self) -> bool:
        """Whether all that the kernel counts was found; False for frames that it does not count."""
        return all(
            frame.mapcount is not None
            and not self._missing(frame)
            and bool(frame.mapcount or not self._found[frame.pfn or 0])
            for frame in self._frames
        )

    def about(self, rows: list[OwnerRow]) -> dict[str, object]:
        """What holds for all rows, and what is known of each frame."""
        listed = Counter(row.pfn for row in rows)
        return {
            "frames": [self._told(frame, listed[frame.pfn or 0]) for frame in self._frames],
            "processes": len(self._spaces.pids),
            **self._spaces.about(),
            **({} if self._saved is None else {"among": AMONG_SAVED}),
            "explained": self._is_explained(),
        }

    def _told(self, frame: Frame, listed: int) -> dict[str, object]:
        pfn = frame.pfn or 0
        flags = None if frame.flags is None else int(frame.flags)
        return {
            "pfn": f"{pfn:#x}",
            "physical_address": f"{pfn << PAGE_SHIFT:#x}",
            "flags": None if flags is None else f"{flags:#x}",
            "names": None if flags is None else ",".join(flag_names(flags)),
            "mapcount": frame.mapcount,
            "cgroup": frame.cgroup or None,
            "cgroup_path": directory_of(frame.cgroup) if frame.cgroup else None,
            "found": self._found[pfn],
            "listed": listed,
            "unexplained": None if frame.mapcount is None else self._missing(frame),
        }


def _check(pfns: list[int], end: int, *, whose: str = "that") -> None:
    for pfn in pfns:
        if not 0 <= pfn < end:
            raise UsageError(
                f"PFN {pfn:#x} is out of range: the last frame of {whose} machine is {end - 1:#x}"
            )
