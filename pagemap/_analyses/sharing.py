"""Which processes share which memory, and how much of it.

One pass over all processes fills a table from each frame to the set of those that map it; equal
sets are one set with one number (csrc/analyses/sharing_sets.c). A page that the kernel marks as
mapped just
once is left out when it is read, so private memory costs no more than its reading. That mark is not
believed of what a PMD may map: from Linux 6.15 on all 512 pages have that of the first.

Memory: 4 bytes for each resident page of the machine at most, which is 0.1 % of it (the kernel
gives the table only where frames that are not exclusive lie), and 72 to 144 bytes for each set of
processes, of which there are as a rule some thousands. It is bounded, for processes that share
random parts of their memory could make a set for each frame: the table is of `WINDOW` frames at a
time, and a machine with more of them is gone through once for each window; sets, and names of what
is mapped, take `SHARE` of the memory that is available. What finds no room in them is counted, and
said to be untold.
"""

from __future__ import annotations

import os
from array import array
from contextlib import closing
from errno import ENODATA

from pagemap._errors import PagemapError, from_file_error
from pagemap._kernel import maps, meminfo
from pagemap._kernel.frames import KSM, FrameReader
from pagemap._native.descriptors import Holder
from pagemap._native.sharing import KINDS, NO_RANK, Heaviest, SharingPiece, StretchBuffer, Table
from pagemap._space.arguments import pid_of
from pagemap._space.every_space import Spaces, require_pfns
from pagemap._vocabulary.checks import check_threads
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pagemap._space.arguments import Target
    from pagemap._space.every_space import Progress, Seen

__all__ = [
    "MORE_PATHS",
    "SHARE",
    "WINDOW",
    "Amounts",
    "Group",
    "Pair",
    "SharedFrame",
    "SharedPath",
    "Sharer",
    "Sharing",
]

WINDOW = 1 << 28
"""Frames that the table holds at a time: a TiB of pages of 4 KiB, for at most 1 GiB."""

SHARE = 64
"""Sets may take one SHAREth of the memory that is available, and names another."""

MORE_PATHS = b"[more paths]"
"""What stands for the names of mappings that found no room."""

MOST_PAIRED = 1024
"""Processes whose pairs are told: of more, those that share most. Pairs take 48 bytes each."""


_LABEL_BYTES = 200  # of a name beside its text, and of its numbers


class Amounts(Record):
    """Frames by kind; the page of zeros is nobody's, and stands apart."""

    anonymous: int = field("pages", "anonymous memory")
    file: int = field("pages", "page cache of files")
    shmem: int = field("pages", "shared memory: shmem, tmpfs, memfd")
    ksm: int = field("pages", "merged by KSM")
    zero: int = field("pages", "the page of zeros")
    other: int = field("pages", "of no kind above")

    @property
    def shared(self) -> int:
        """All of them but the page of zeros, in pages."""
        return sum(self) - self.zero


class Group(Record):
    """Frames that just these processes map."""

    pids: tuple[int, ...] = field("", "the processes")
    path: str = field("", "that of the first one's mapping")
    pages: Amounts = field("pages", "the frames, by kind")


class Pair(Record):
    """What two processes share, with or without others."""

    pid: int = field("", "one process")
    other: int = field("", "the other process")
    pages: Amounts = field("pages", "the frames that both map, by kind")


class SharedPath(Record):
    """What is shared of a path."""

    path: str = field("", "the file, or what stands for one")
    pages: Amounts = field("pages", "the frames, by kind")
    saved: int = field("pages", "what copies for each process, or merged page, would take more")


class SharedFrame(Record):
    """A frame that several processes map."""

    pfn: int = field("", "its number")
    processes: int = field("", "how many processes map it")
    mapcount: int | None = field("", "how often it is mapped, by the kernel's count")
    kind: str = field("", "which kind of `Amounts` it is of")
    path: str = field("", "that of the first one's mapping")


class Sharer(Record):
    """A process, and what it shares with others."""

    pid: int = field("", "the process")
    name: str = field("", "its command name")
    pages: Amounts = field("pages", "the frames that it shares, by kind")


class Sharing(Holder):
    """What is shared, by whom: gone through when this is made, and kept as numbers.

    With `targets`, pids, only frames that one of them maps; with `only` no other processes are
    looked at. Of pairs, groups, paths and frames the `top` heaviest are kept: `pairs`, `groups`,
    `paths` and `frames`. `processes` are those that share anything. `total` are the frames of two
    processes and more, and those that KSM merged, be it for one process, each once; `saved` is what
    copies for each would take more, of merged ones for each mapping; both are in pages. `sets` is
    how many sets of processes there were. `spaces` says who was left out.

    `untold` are frames that are in `total` alone: they are mapped more than once, and there was no
    room for more sets of processes (`size` bytes of them, by default a share of the memory that is
    available; the same for the names of what is mapped). Then `saved` is the least that it can be.

    `beyond` are pages, in no amount, of frames that lie past the end of /proc/kpageflags: of memory
    of devices, or where that file is not the kernel's own.

    Where `ksm_told` is False the kernel was seen to mark every anonymous page as merged (see
    `FrameReader.tells_ksm`): merged ones are counted as anonymous, and none as of KSM; where it is
    None that could not be tried.

    Frames in swap are not told: what is shared is what is present. The answer is as good as the
    moment: a frame may move while others are looked at.

    Raises AccessDenied without CAP_DAC_READ_SEARCH (/proc/kpageflags is root's), PfnsHidden without
    CAP_SYS_ADMIN, and for a target what `Process` raises.
    """

    def __init__(
        self,
        targets: Sequence[Target] = (),
        *,
        only: bool = False,
        top: int = 20,
        procfs: str = "/proc",
        threads: int | None = None,
        progress: Progress | None = None,
        window: int = WINDOW,
        size: int | None = None,
    ) -> None:
        self._targets = list(dict.fromkeys(map(pid_of, targets)))
        self._threads = check_threads(threads)
        self._progress = progress
        self._labels: dict[bytes, int] = {}
        heaviest = Heaviest(top)
        with FrameReader(procfs=procfs) as reader:
            flags, end = reader.fileno("flags"), reader.end
            require_pfns("tell what is shared")
            size = _available(procfs) // SHARE if size is None else size
            self._table = Table(size)
            self._room = size  # for names
            self.ksm_told = reader.tells_ksm()
            if self.ksm_told is False:
                self._table.ignore(KSM)
            self.spaces = Spaces(procfs=procfs, first=self._targets, only=only)
            for first in range(0, end, window):
                self._table.open_window(first, min(window, end - first), end)
                self._fill()
                self._settle(reader, flags, heaviest)
            self._table.close_window()
            self.beyond = self._table.beyond
            self._paths = [maps.decode_path(label) for label in self._labels] or [""]
            self.frames = self._frames(reader, heaviest)
        self._sum(top)

    def _settle(self, reader: FrameReader, flags: int, heaviest: Heaviest) -> None:
        counts = reader.fileno("mapcounts")
        try:
            for _ in self._table.settle(flags, counts, len(self._labels), heaviest):
                pass
        except OSError as error:
            path = reader.path("flags")
            if error.errno != ENODATA:
                raise from_file_error(error, path) from None
            raise PagemapError(
                f"cannot tell what is shared: {path}, or kpagecount beside it, ends before frames "
                "that processes map",
                errno=ENODATA,
                operation="read",
                path=path,
            ) from None

    def _fill(self) -> None:
        joining = bool(self._targets)
        steps = self.spaces.go_through(
            self._choose,
            SharingPiece,
            StretchBuffer,
            required=self._targets,
            threads=self._threads,
            progress=self._progress,
        )
        with self.spaces, closing(steps):
            for piece, (buffer, count) in steps:
                seen: Seen = piece.visit.tag
                if count:
                    join = joining and seen.number >= len(self._targets)
                    self._table.add(buffer, count, seen.note, seen.number, join=join)

    def _choose(self, block: bytes) -> tuple[list[tuple[int, int]], array[int]]:
        """All mappings, and the number of the label of each."""
        known = self._labels
        ranges = []
        labels = array("I")
        for start, end, label in maps.parse_labels(block):
            ranges.append((start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT))
            number = known.get(label)
            if number is None:
                number = self._new_label(label)
            labels.append(number)
        return ranges, labels

    def _new_label(self, label: bytes) -> int:
        """The number of a name met for the first time: of the last one where names took too much.

        They are the targets' to choose: 65,530 mappings may have as many names of 4 KiB.
        """
        self._room -= _LABEL_BYTES + len(label)
        if self._room < 0:
            label = MORE_PATHS
        return self._labels.setdefault(label, len(self._labels))

    def _frames(self, reader: FrameReader, heaviest: Heaviest) -> list[SharedFrame]:
        items = heaviest.items()
        counts = reader.read([pfn for _, pfn, _ in items], ("mapcounts",))
        return [
            SharedFrame(
                pfn,
                processes,
                frame.mapcount,
                KINDS[extra >> 32],
                self._paths[self._table.label(extra & NO_RANK)],
            )
            for (processes, pfn, extra), frame in zip(items, counts, strict=True)
        ]

    def _sum(self, top: int) -> None:
        table, pids = self._table, self.spaces.pids
        self.sets = table.sets
        self.groups = [
            Group(
                tuple(pids[number] for number in table.members(each)),
                self._paths[table.label(each)],
                Amounts(*counts),
            )
            for each, counts in table.heaviest_sets(top)
        ]
        self._sum_paths(top)
        table.accumulate()
        amounts = _rows(table.by_member(len(pids)))
        self.processes = [
            Sharer(pid, self.spaces.names.get(pid, ""), pages)
            for pid, pages in zip(pids, amounts, strict=True)
            if pages.shared
        ]
        self.pairs = self._pairs(amounts, top)

    def _sum_paths(self, top: int) -> None:
        counts, saved = self._table.by_label(len(self._paths))
        found = [
            SharedPath(path, pages, more)
            for path, pages, more in zip(self._paths, _rows(counts), saved, strict=True)
            if pages.shared
        ]
        self.untold = Amounts(*self._table.untold)
        rows = [*_rows(counts), self.untold]
        self.total = Amounts(*(sum(column) for column in zip(*rows, strict=True)))
        self.saved = sum(saved)
        self.paths = sorted(found, key=lambda each: each.pages.shared, reverse=True)[:top]

    def _pairs(self, amounts: list[Amounts], top: int) -> list[Pair]:
        """The heaviest, of which one is a target where there are any."""
        below = len(self._targets) or NO_RANK
        sharers = [number for number, pages in enumerate(amounts) if pages.shared]
        sharers.sort(key=lambda n: (n >= len(self._targets), -amounts[n].shared))
        chosen = sorted(sharers[:MOST_PAIRED])
        ranks = array("I", [NO_RANK]) * len(amounts)
        for rank, number in enumerate(chosen):
            ranks[number] = rank
        pids = self.spaces.pids
        return [
            Pair(pids[chosen[one]], pids[chosen[other]], Amounts(*counts))
            for one, other, counts in self._table.heaviest_pairs(
                ranks, len(chosen), top, below=below
            )
        ]


def _rows(words: Iterable[int]) -> list[Amounts]:
    return [Amounts(*row) for row in zip(*[iter(words)] * len(KINDS), strict=True)]


def _available(procfs: str) -> int:
    """The bytes of memory that can be had without swapping; where that is not told, the free."""
    told = meminfo.amount("MemAvailable", procfs=procfs)
    return os.sysconf("SC_AVPHYS_PAGES") * PAGE_SIZE if told is None else told
