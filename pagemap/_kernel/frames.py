"""What the kernel says of physical frames: flags, map counts, memory cgroups, by PFN.

/proc/kpageflags, kpagecount and kpagecgroup hold one 64-bit word for each frame (fs/proc/page.c).
A process's frames are scattered, so they are sorted, read in bulk in the kernel's own order, and
put back. Only root may read these files.

A word is of the moment it is read: the page may have moved since its PFN was learnt.
"""

from __future__ import annotations

import os
from array import array

from pagemap._errors import AccessDenied, PagemapError, UsageError
from pagemap._kernel.frame import Frames
from pagemap._kernel.os_errors import from_file_error, from_os_error
from pagemap._kernel.regular import open_told
from pagemap._native import address_of, aligned, pfns, pipeline, read
from pagemap._native.descriptors import CLOSED, Descriptor, Holder
from pagemap._native.frames import NO_WORD, Scratch, Wishes, frames_end, known, words_of
from pagemap._vocabulary.checks import check_threads
from pagemap._vocabulary.frame_flags import PAGE_FLAGS
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    _FrameReader = TypeVar("_FrameReader", bound="FrameReader")

__all__ = ["FILES", "KSM", "NO_WORD", "RESERVED", "FrameReader"]

FILES = {"flags": "kpageflags", "mapcounts": "kpagecount", "cgroups": "kpagecgroup"}
"""The columns, and the file of each below /proc."""

KSM = next(1 << flag.bit for flag in PAGE_FLAGS if flag.name == "ksm")
"""The flag of merged pages, where it is to be believed; see `FrameReader.tells_ksm`."""

RESERVED = next(1 << flag.bit for flag in PAGE_FLAGS if flag.name == "reserved")
"""The flag of frames that are in nobody's hands but the kernel's."""

_ANON = next(1 << flag.bit for flag in PAGE_FLAGS if flag.name == "anonymous")
_TRIES = 8  # to see a page of our own that the kernel does not move meanwhile

PIECE = 1 << 14  # wishes that one step gathers: 1-2 ms


class FrameReader(Holder):
    """The kernel's files about frames, each opened when first asked for.

    Use it as a context manager, or call `close()`. `procfs` is where the proc file system is
    mounted. Several threads may read through one reader, and any of them may close it: reads under
    way are completed. `purpose` is the operation that an AccessDenied names. Every
    method raises AccessDenied without CAP_DAC_READ_SEARCH (the files are root's, mode 0400), and
    Unsupported where the kernel has no such file (CONFIG_PROC_PAGE_MONITOR; of cgroups:
    CONFIG_MEMCG) or /proc shows processes alone (subset=pid).

    >>> import pagemap
    >>> with pagemap.FrameReader() as reader:  # doctest: +SKIP
    ...     reader.read([1])[0]
    Frame(pfn=1, flags=<PageFlag.RESERVED: 4294967296>, mapcount=None, cgroup=None)
    """

    __slots__ = ("_fds", "_procfs", "_purpose")

    def __init__(self, *, procfs: str = "/proc", purpose: str = "read") -> None:
        self._fds: dict[str, int] = {}
        self._procfs = procfs
        self._purpose = purpose

    def __enter__(self: _FrameReader) -> _FrameReader:  # noqa: PYI019 - typing.Self is of 3.11
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. May be called again; who asks for words then opens them anew."""
        self._fds.clear()

    def path(self, column: str) -> str:
        """The file that a column is read from: flags, mapcounts or cgroups."""
        if column not in FILES:
            raise UsageError(f"frames have no column {column!r}: choose from {', '.join(FILES)}")
        return f"{self._procfs}/{FILES[column]}"

    def fileno(self, column: str) -> int:
        """The descriptor of the file of a column, for calls of your own."""
        path = self.path(column)
        known = self._fds.get(column, CLOSED)
        if known != CLOSED:
            return known
        try:
            fd = Descriptor(open_told(path, os.O_RDONLY))
        except OSError as error:
            raised = from_file_error(error, path)
            if isinstance(raised, AccessDenied):
                raised.operation = self._purpose
            raise raised from None
        return self._fds.setdefault(column, fd)  # another thread may have been here first

    @property
    def end(self) -> int:
        """The first PFN past the machine's last frame, as /proc/kpageflags has it.

        Raises PagemapError where that reads as empty: there is no machine without frames.
        """
        path, fd = self.path("flags"), self.fileno("flags")
        try:
            end = frames_end(fd)
        except OSError as error:
            raise from_file_error(error, path) from None
        if not end:
            raise PagemapError(
                f"cannot read about frames: {path} is empty",
                operation="read",
                path=path,
            )
        return end

    def tells_ksm(self) -> bool | None:
        """Whether only merged pages have the flag KSM: some kernels set it on all anonymous pages.

        From Linux 6.10 on stable_page_flags (fs/proc/page.c) accepts any bit of PAGE_MAPPING_KSM,
        and one of these bits only says that a page is anonymous. Stable kernels fixed it later
        (6.12.117 has the fault, 6.18.44 has not). This is tested on a page of our own that was just
        written. It says nothing about frames of the kernel itself; `words` clears the flag of
        those. None where it cannot be tested: the PFN is hidden, or there is no /proc/self.
        """
        import mmap

        with mmap.mmap(-1, PAGE_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page:
            for _ in range(_TRIES):
                page[0] = 1
                before = self._own_entry(address_of(page))
                if before is None:
                    return None  # somebody's copy of /proc
                word = self.words("flags", pfns(before))[:1].tolist()
                after = self._own_entry(address_of(page))
                if before == after and word and word[0] != NO_WORD and word[0] & _ANON:
                    return not word[0] & KSM
        return None

    def _own_entry(self, address: int) -> memoryview | None:
        path = f"{self._procfs}/self/pagemap"
        try:
            fd = open_told(path, os.O_RDONLY)
            try:
                return read(fd, address >> PAGE_SHIFT, 1)
            finally:
                os.close(fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(
                error, pid=os.getpid(), operation="read the page table", path=path
            ) from None

    def words(
        self,
        column: str,
        pfns: memoryview | Iterable[int],
        *,
        threads: int | None = None,
        raw: bool = False,
    ) -> memoryview:
        """A column (see `path`) of these PFNs: read-only, format Q, an item for each of them.

        Flags without meaning are cleared: for frames of the kernel itself (slab, page tables), and
        for free, offline or missing frames, the kernel sometimes sets anonymous, ksm, mmap or lru.
        With `raw` the values are the kernel's own.

        All bits are set where the kernel has no value: past the machine's last frame, and for a PFN
        of all bits, which stands for a page that is not present or whose PFN is hidden. A hole in
        the middle of memory has the flag NOPAGE.
        """
        return self._gather([column], _buffer_of(pfns), threads, raw=raw)[0]

    def read(
        self,
        pfns: memoryview | Iterable[int],
        columns: Iterable[str] = ("flags",),
        *,
        threads: int | None = None,
        raw: bool = False,
    ) -> Frames:
        """The frames with these PFNs, in the order given; `columns` (see `path`) to read.

        `threads` read, by default as many as pay. `raw` is as in `words`.
        """
        wanted = [columns] if isinstance(columns, str) else list(dict.fromkeys(columns))
        view = _buffer_of(pfns)
        words = self._gather(wanted, view, threads, raw=raw)
        return Frames(view, **dict(zip(wanted, words, strict=True)))

    def _gather(
        self, columns: list[str], pfns: memoryview, threads: int | None, *, raw: bool
    ) -> list[memoryview]:
        threads = check_threads(threads)
        fds = [self.fileno(column) for column in columns]
        wishes = Wishes(pfns)
        words = []
        for column, fd in zip(columns, fds, strict=True):
            out = wishes.column()
            pieces = wishes.pieces(fd, out, PIECE)
            try:
                with pipeline.run(pieces, Scratch, threads) as results:
                    for _ in results:
                        pass
            except OSError as error:
                raise from_file_error(error, self.path(column)) from None
            if column == "flags" and not raw:
                known(out)
            words.append(words_of(out))
        return words


def _buffer_of(pfns: memoryview | Iterable[int]) -> memoryview:
    if isinstance(pfns, (bytes, bytearray)):
        raise UsageError("bytes are not PFNs: give integers, or memoryview(...).cast('Q')")
    if not isinstance(pfns, memoryview):
        try:
            return memoryview(array("Q", pfns))
        except OverflowError:
            raise UsageError("a PFN is a number from 0 to 2^64 - 1") from None
    if pfns.format not in ("Q", "L") or pfns.itemsize != 8 or pfns.ndim != 1:
        raise UsageError("PFNs are integers, or a buffer of unsigned 8-byte integers (format 'Q')")
    if pfns.c_contiguous and aligned(pfns):
        return pfns.cast("B").cast("Q")
    return memoryview(array("Q", pfns.tobytes()))
