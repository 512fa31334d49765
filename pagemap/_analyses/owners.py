"""Who maps a frame: every process, mapping and address.

The kernel tells of a frame how often it is mapped (/proc/kpagecount), and not by whom. That is
found by comparing the entries of all processes with the frames looked for: in C, several frames at
a time, and only of mappings that may hold such a frame.
"""

from __future__ import annotations

from contextlib import closing

from pagemap._errors import Unsupported, UsageError
from pagemap._kernel import maps
from pagemap._kernel.frames import FrameReader
from pagemap._native.descriptors import Holder
from pagemap._native.owners import OwnersPiece, SightingBuffer, Visit, Wanted
from pagemap._space.every_space import Spaces, require_pfns
from pagemap._vocabulary.checks import check_threads
from pagemap._vocabulary.flags import PFN_BITS, entry_flag
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import Any

    from pagemap._kernel.frames import Frame
    from pagemap._space.every_space import Progress
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Mapper", "Owners"]

_BIT = {flag.name: 1 << flag.bit for flag in PAGE_FLAGS}
_COMPOUND = _BIT["compound_head"] | _BIT["compound_tail"]
_OF_LARGE = (_BIT["compound_head"], _BIT["compound_tail"])  # and not of hugetlb
_PLACE = (1 << PFN_BITS) - 1
_EXCLUSIVE = 1 << entry_flag("exclusive").bit
_PRIVATE = 3  # where perms of a mapping have p or s


class Mapper(Record):
    """A page that maps a frame: of which process, at which address, by what."""

    pfn: int = field("", "the number of the frame")
    pid: int = field("", "the process")
    name: str = field("", "the command name of the process")
    address: int = field("bytes", "address of the page's first byte")
    mapping: Mapping = field("", "the mapping that holds the page")
    exclusive: bool = field("", "whether the page is mapped nowhere else")
    sharers: tuple[int, ...] = field("", "other processes that have this very address space")


class Owners(Holder):
    """Those who map the frames `pfns`: iterate over it, once, for a `Mapper` of each page.

    They come process by process, each in order of address. `frames` are the frames as the kernel
    told of them before, in the order given: flags, map count, and the memory cgroup where the
    kernel has those. Afterwards ``found[pfn]`` says how many pages were found, `unexplained` how
    many the kernel counts beyond them, and `spaces` who was left out.

    The answer is as good as the moment: the kernel may move a page, and processes map and unmap it,
    while others are looked at. `threads` read, by default as many as pay; `progress` is called with
    the processes done and their number.

    Raises AccessDenied without CAP_DAC_READ_SEARCH (/proc/kpageflags and kpagecount are root's),
    PfnsHidden without CAP_SYS_ADMIN, UsageError for a PFN past the machine's last frame.

    >>> from pagemap._analyses.owners import Owners
    >>> owners = Owners([0x1234])  # doctest: +SKIP
    >>> [(each.pid, hex(each.address)) for each in owners]  # doctest: +SKIP
    [(811, '0x7f7c6a5d2000'), (812, '0x7f7c6a5d2000')]
    """

    def __init__(
        self,
        pfns: Iterable[int],
        *,
        procfs: str = "/proc",
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._procfs = procfs
        self._threads = check_threads(threads)
        self._progress = progress
        wanted = list(dict.fromkeys(pfns))
        self.frames = self._read(wanted)
        require_pfns("tell who maps a frame")
        self.found = dict.fromkeys(wanted, 0)
        self.spaces = Spaces(procfs=procfs)
        self._wanted = Wanted(wanted)
        self._anonymous, self._other = _kinds(self.frames)

    def _read(self, pfns: list[int]) -> list[Frame]:
        with FrameReader(procfs=self._procfs) as reader:
            end = reader.end
            for pfn in pfns:
                if not 0 <= pfn < end:
                    raise UsageError(
                        f"PFN {pfn:#x} is out of range: the last frame of this machine is "
                        f"{end - 1:#x}"
                    )
            try:
                return list(reader.read(pfns, ("flags", "mapcounts", "cgroups")))
            except Unsupported as error:
                if error.path != reader.path("cgroups"):
                    raise
                return list(reader.read(pfns, ("flags", "mapcounts")))

    def __iter__(self) -> Iterator[Mapper]:
        self.found = dict.fromkeys(self.found, 0)
        with self.spaces as spaces, closing(self._search(spaces)) as mappers:
            yield from mappers
        after = {frame.pfn: frame for frame in self._read(list(self.found))}
        self.frames = [
            frame._replace(mapcount=_lesser(frame.mapcount, after[frame.pfn].mapcount))
            for frame in self.frames
        ]

    def _search(self, spaces: Spaces) -> Generator[Mapper, None, None]:
        steps = spaces.go_through(
            self._choose,
            self._piece,
            SightingBuffer,
            threads=self._threads,
            progress=self._progress,
        )
        counts = {
            frame.pfn: frame.mapcount
            for frame in self.frames
            if int(frame.flags or 0) & (_COMPOUND | _BIT["huge"]) in _OF_LARGE
        }
        with closing(steps):
            for piece, sightings in steps:
                if not sightings:
                    continue
                seen = piece.visit.tag
                pid = seen.process.pid
                name = spaces.names[pid]
                sharers = tuple(spaces.sharers.get(pid, ()))
                for span, vpn, entry in sightings:
                    pfn = entry & _PLACE
                    self.found[pfn] += 1
                    yield Mapper(
                        pfn,
                        pid,
                        name,
                        vpn << PAGE_SHIFT,
                        seen.note[span],
                        _is_exclusive(entry, counts.get(pfn)),
                        sharers,
                    )
                if self._all_found():
                    return

    def _choose(self, block: bytes) -> tuple[list[tuple[int, int]], list[Mapping]]:
        """The mappings that may hold a frame of the kinds looked for."""
        chosen = [
            mapping
            for mapping in maps.parse(block)
            if (self._anonymous and _takes_anonymous(mapping))
            or (self._other and not _takes_anonymous_alone(mapping))
        ]
        return [(m.start >> PAGE_SHIFT, m.size >> PAGE_SHIFT) for m in chosen], chosen

    def _piece(self, visit: Visit, at: Any, to: Any, pages: int) -> OwnersPiece:
        return OwnersPiece(visit, at, to, pages, self._wanted)

    def _all_found(self) -> bool:
        """Whether the kernel counts no more than was found: then no others need be looked at."""
        return all(_is_counted(frame) and not self._missing(frame) for frame in self.frames)

    def _missing(self, frame: Frame) -> int:
        return max(0, (frame.mapcount or 0) - self.found[frame.pfn or 0])

    @property
    def complete(self) -> bool:
        """Whether all that the kernel counts was found; False for frames that it does not count."""
        return all(
            frame.mapcount is not None
            and not self._missing(frame)
            and bool(frame.mapcount or not self.found[frame.pfn or 0])
            for frame in self.frames
        )

    def unexplained(self, frame: Frame) -> int:
        """How many more mappings of a frame the kernel counts than were found.

        They are of processes that could not be read, or changed meanwhile, or the kernel's own. Of
        a large folio a kernel with CONFIG_NO_PAGE_MAPCOUNT counts an average.
        """
        return self._missing(frame)


def _lesser(before: int | None, after: int | None) -> int | None:
    """The lesser of two map counts; None where one of them is not known."""
    return None if before is None or after is None else min(before, after)


def _is_exclusive(entry: int, mapcount: int | None) -> bool:
    """Whether the page is mapped here alone: by the count where its frame is of a large folio.

    Bit 56 of a huge page is that of its first page for all of them, from 6.15 on.
    """
    return bool(entry & _EXCLUSIVE) if mapcount is None else mapcount == 1


def _is_counted(frame: Frame) -> bool:
    """Whether the map count is that of this one frame, and exact."""
    return bool(frame.mapcount) and not (frame.flags or 0) & _COMPOUND


def _kinds(frames: list[Frame]) -> tuple[bool, bool]:
    """Whether there are anonymous frames among them, and others; both where that is not sure."""
    anonymous = other = False
    for frame in frames:
        flags = int(frame.flags or 0)
        if flags & _BIT["anonymous"]:
            anonymous = True
        elif flags & _BIT["mmap"] and not flags & _BIT["zero_page"]:
            other = True
        else:  # of the kernel's, or the page of zeros, which stands in for both
            anonymous = other = True
    return anonymous, other


def _takes_anonymous(mapping: Mapping) -> bool:
    """Whether anonymous pages can be in it: in private ones; a device may map what it likes."""
    return mapping.perms[_PRIVATE] != "s" or mapping.path.startswith("/dev/")


def _takes_anonymous_alone(mapping: Mapping) -> bool:
    """Whether no pages but anonymous ones can be in it."""
    return mapping.inode == 0 and (
        not mapping.path or mapping.path.startswith(("[heap]", "[stack", "[anon:"))
    )
