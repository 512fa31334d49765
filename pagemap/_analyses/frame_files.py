"""What lies in a frame that nobody maps; of the page cache, which page of which file.

The kernel tells of a frame what it is for, and not of which file. So files are searched: each
cached page of a file is mapped for a moment, which shows its frame (`page_cache` says how that
leaves no trace). What is not cached is not mapped, and so not read in.
"""

from __future__ import annotations

import os
import struct
import time
from contextlib import closing

from pagemap._analyses.held_files import HeldFiles
from pagemap._analyses.page_cache import CacheWalk
from pagemap._errors import PagemapError, Unsupported, UsageError
from pagemap._kernel.files_below import files_in
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.page_files import OpenFile, file_error
from pagemap._kernel.swap_types import kinds
from pagemap._native.descriptors import Holder
from pagemap._native.memory import kind_of
from pagemap._native.types import Job
from pagemap._native.types_blocks import HITS
from pagemap._space.about import about
from pagemap._space.every_space import require_pfns
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_names, check_threads
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.frame_kinds import FRAME_KINDS
from pagemap._vocabulary.rows.frame_files import FRAME_FILES, FrameFileRow
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pagemap._kernel.held_files import Held

    Progress = Callable[[int, int | None], object]

__all__ = ["OF_FILES", "frame_files", "kinds_of"]

OF_FILES = ("file", "shmem")
"""The kinds of frames that files may have; of swapcache those that are not anonymous."""

_PURPOSE = "find what lies in a frame"
_BIT = {flag.name: 1 << flag.bit for flag in PAGE_FLAGS}
_ANON, _TAIL, _HEAD = _BIT["anonymous"], _BIT["compound_tail"], _BIT["compound_head"]
_MOST_ORDER = 18  # of a folio
_HIT = struct.Struct("=3Q")
_TOLD_OF = 100  # files that could not be looked at

_NOBODY_HAS = "files that no process has open or mapped, and that are not in a folder to search"
_DEVICES = "block devices, where file systems keep what is theirs, unless they are named"
_HUGETLB = "files on hugetlbfs"
_SEGMENTS = "System V segments that no process has attached"
_UNASKED = (
    "files on file systems in user space or of the network that processes have open or mapped"
)
_NAMESPACES = "processes of other PID namespaces"


def frame_files(
    pfns: Iterable[int],
    *,
    search: Sequence[str] = (),
    threads: int | None = None,
    procfs: str = "/proc",
    progress: Progress | None = None,
) -> Table[FrameFileRow]:
    """What lies in the frames `pfns`: a row for each; of the page cache, which page of which file.

    Searched are the files that processes have open or mapped, deleted ones too, then the files
    `search`, and all below folders that are among them, on the same file system; and no more once
    all is found. The `about` has `searched`, how many `processes` and `files` were, and
    `unsearched`, places where what was not found may be. `left_out` are processes that could not be
    read, `failed` how many files could not, with `reasons` of the first of them.

    Nothing is read in, nor marked as used. An answer is of the moment: the kernel may move a page
    at any time. `progress` is called with the files that were searched.

    Raises AccessDenied without CAP_DAC_READ_SEARCH, PfnsHidden without CAP_SYS_ADMIN, UsageError
    for a PFN past the machine's last frame.

    >>> import pagemap
    >>> (row,) = pagemap.frame_files([0x1234], search=["/var/log"])  # doctest: +SKIP
    >>> row.kind, row.path, row.offset  # doctest: +SKIP
    ('file', '/var/log/syslog', 28672)
    """
    begin = time.time()
    check_names("search", search)
    check_threads(threads)
    wanted = list(dict.fromkeys(pfns))
    of = kinds_of(wanted, procfs=procfs)
    require_pfns(_PURPOSE)
    sought = [pfn for pfn, (_, in_file) in of.items() if in_file]
    with closing(_Search(sought, threads, procfs, progress)) as found:
        if sought:
            found.search(search)
        rows = [found.row(pfn, of[pfn][0]) for pfn in wanted]
        return Table.of_rows(FRAME_FILES, rows, about=about(begin, None, **found.about()))


def kinds_of(pfns: Sequence[int], *, procfs: str = "/proc") -> dict[int, tuple[str, bool]]:
    """What each frame is for, and whether it has a page of a file or of shared memory.

    Raises as `frame_files` does.
    """
    with FrameReader(procfs=procfs, purpose=_PURPOSE) as reader:
        end = reader.end
        for pfn in pfns:
            if not 0 <= pfn < end:
                raise UsageError(
                    f"PFN {pfn:#x} is out of range: the last frame of this machine is {end - 1:#x}"
                )
        ksm_told = bool(reader.tells_ksm())
        found = {}
        for pfn, word in zip(pfns, reader.words("flags", pfns, raw=True), strict=True):
            whole = _with_folio(reader, pfn, word)
            kind = FRAME_KINDS[kind_of(whole, ksm_told=ksm_told)].name
            in_file = kind in OF_FILES or (kind == "swapcache" and not whole & _ANON)
            found[pfn] = kind, in_file
    return found


def _with_folio(reader: FrameReader, pfn: int, word: int) -> int:
    """The word, with what the first frame of its folio says of all: before 6.10 others do not.

    Folios are aligned to their size, so the nearest of these that begins one is that one.
    """
    if not word & _TAIL:
        return word
    places = [pfn & -(1 << order) for order in range(1, _MOST_ORDER + 1)]
    heads = reader.words("flags", places, raw=True)
    return word | next((head for head in heads if head & _HEAD), 0)


class _Search(Holder):
    """The frames that are looked for, and where they were found."""

    def __init__(
        self, pfns: Sequence[int], threads: int | None, procfs: str, progress: Progress | None
    ) -> None:
        self._left = set(pfns)
        self._procfs = procfs
        self._progress = progress
        self._walk = CacheWalk(threads)
        self._job = Job(page_shift=PAGE_SHIFT, wanted=HITS, kinds=kinds(), sought=pfns)
        self._blocks = self._job.blocks()
        self._found: dict[int, tuple[OpenFile, int]] = {}
        self._held: HeldFiles | None = None
        self._seen: set[tuple[int, int]] = set()
        self._files = self._failed = 0
        self._reasons: list[tuple[str | None, str]] = []

    def close(self) -> None:
        """Close the files. May be called again."""
        self._walk.close()

    def search(self, paths: Sequence[str]) -> None:
        """Look into the files of processes, then into others."""
        self._held = HeldFiles(procfs=self._procfs)
        held = iter(self._held)
        self._look(self._of_processes(held))
        for _ in held:  # who has a file is known when all processes were listed
            pass
        entered: set[tuple[int, int]] = set()
        for path in paths:
            if self._left:
                self._look(self._below(path, entered))

    def _look(self, files: Iterable[OpenFile]) -> None:
        steps = self._walk.steps(self._job, self._blocks, files, self._fail, close=True)
        with closing(steps):
            for of, found in steps:
                for at, page, pfn in _HIT.iter_unpack(found.rows):
                    self._found.setdefault(pfn, (of[at], page))
                    self._left.discard(pfn)
                if not self._left:
                    return

    def _of_processes(self, held: Iterator[Held]) -> Iterator[OpenFile]:
        for each in held:
            try:
                file = OpenFile(each.path, look=each.look())
            except Unsupported:
                continue  # on hugetlbfs
            except PagemapError as error:
                self._fail(error)
            except OSError as error:
                self._fail(file_error(error, each.path))
            else:
                yield self._counted(file)

    def _below(self, path: str, entered: set[tuple[int, int]]) -> Iterator[OpenFile]:
        try:
            for file in files_in(path, self._fail, entered):
                if file.identity not in self._seen:
                    yield self._counted(file)
        except PagemapError as error:
            self._fail(error)

    def _counted(self, file: OpenFile) -> OpenFile:
        self._files += 1
        self._seen.add(file.identity)
        if self._progress is not None:
            self._progress(self._files, None)
        return file

    def _fail(self, error: PagemapError) -> None:
        self._failed += 1
        if len(self._reasons) < _TOLD_OF:
            self._reasons.append((error.path, str(error)))

    def row(self, pfn: int, kind: str) -> FrameFileRow:
        """What is known of a frame."""
        found = self._found.get(pfn)
        if found is None:
            return FrameFileRow(pfn, kind, None, None, None, None, (), None)
        file, page = found
        device, inode = file.identity
        holders = self._held.holders.get(file.identity) if self._held else None
        return FrameFileRow(
            pfn,
            kind,
            page << PAGE_SHIFT,
            f"{os.major(device):02x}:{os.minor(device):02x}",
            inode,
            not file.links,
            tuple(holders.pids) if holders else (),
            file.path,
        )

    def about(self) -> dict[str, object]:
        """Where it was looked, and where not."""
        held = self._held
        told = {} if held is None else held.about()
        unsearched = []
        if self._left:
            unsearched = [_NOBODY_HAS, _DEVICES, _HUGETLB, _SEGMENTS]
            if told.get("unasked"):
                unsearched.append(_UNASKED)
            if not told.get("all_namespaces", True):
                unsearched.append(_NAMESPACES)
        return {
            "searched": {"processes": held.processes if held else 0, "files": self._files},
            "unsearched": unsearched,
            **told,
            "failed": self._failed,
            "reasons": self._reasons,
        }
