"""A process, held so that it cannot be mistaken for another, and its page table.

A `Process` keeps two descriptors: of its folder in /proc (see `pagemap.procfs`), and of its
pagemap, which the kernel ties to the address space of the moment it is opened (proc_mem_open in
fs/proc/base.c): after an exec it reads the old one, soon empty, and never the new one.
"""

from __future__ import annotations

import os
from errno import ENOENT, ESRCH

from pagemap import _native, maps
from pagemap.errors import (
    AccessDenied,
    ClosedProcess,
    NoSuchProcess,
    NotMapped,
    Unsupported,
    UsageError,
)
from pagemap.pages import Page, Pages
from pagemap.procfs import Folder
from pagemap.units import ADDRESS_END, PAGE_SHIFT, PAGE_SIZE, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from pagemap._native import Buffer
    from pagemap.maps import Mapping

    class HasPid(Protocol):
        """Any object with a `.pid`: of subprocess, psutil, multiprocessing."""

        @property
        def pid(self) -> int | None: ...

    Target = int | str | HasPid
    Range = Mapping | tuple[int, int]

__all__ = ["Process", "virt_to_phys"]

_TRIES = 16  # to open a page table that exec does not take away in that moment
_translate = _native.translate


class Process:
    """An open process. `target` is a pid, a thread id, ``"self"``, or an object with a `.pid`.

    Use it as a context manager, or call `close()`. `procfs` is where the proc file system is
    mounted. Several threads may read through one Process; closing it is for the last of them.

    Raises NoSuchProcess when there is none or it is a zombie, AccessDenied when the kernel forbids
    reading it (PTRACE_MODE_READ_FSCREDS: the same user and dumpable, or CAP_SYS_PTRACE with
    CAP_DAC_READ_SEARCH), Unsupported without CONFIG_PROC_PAGE_MONITOR. A kernel thread opens, and
    has no mappings.

    After an exec every call raises TargetVanished, but for one case: the address space of a vforked
    child lives on as its parent's, and `pages` and `virt_to_phys` go on to read that; `maps`,
    `check` and `dump` notice.

    `pfns_visible` is False where the kernel hides PFNs: it shows them to who opened the pagemap
    with CAP_SYS_ADMIN in the initial user namespace (pagemap_open in fs/proc/task_mmu.c).

    >>> import pagemap
    >>> with pagemap.Process("self") as process:
    ...     stack = [mapping for mapping in process.maps() if mapping.path == "[stack]"]
    >>> len(stack)
    1
    """

    __slots__ = ("_folder", "_image", "_pagemap", "_state", "pfns_visible", "pid")

    def __init__(self, target: Target, *, procfs: str = "/proc") -> None:
        self._pagemap = -1
        self._state = "closed"
        self.pfns_visible = False
        self.pid = _pid_of(target)
        if self.pid <= 0:
            raise NoSuchProcess(f"there is no process {self.pid}: a pid is above 0", pid=self.pid)
        self._folder = Folder(self.pid, "self" if target == "self" else str(self.pid), procfs)
        try:
            self._state = self._open()
        finally:
            if self._state == "closed":
                self.close()
        self._folder.settle()

    def _open(self) -> str:
        for _ in range(_TRIES):
            self._image = self._folder.image()
            self._open_pagemap()
            if self._pagemap >= 0 and _native.alive(self._pagemap):
                break
            fd, self._pagemap = self._pagemap, -1
            if fd >= 0:
                os.close(fd)
            if self._folder.is_kernel_thread():
                return "kernel thread"
        else:
            raise NoSuchProcess(
                f"process {self.pid} calls exec again and again: its memory was gone at every try",
                pid=self.pid,
                errno=ESRCH,
                operation="open",
            )
        try:
            # The kernel judged the rights of the moment of opening; later they may be dropped.
            self.pfns_visible = _native.probe_pfns()
        except OSError:
            self.pfns_visible = False  # no pagemap of our own: nothing vouches for a PFN
        return "open"

    def _open_pagemap(self) -> None:
        try:
            self._pagemap = self._folder.open("pagemap")
        except OSError as error:
            if error.errno == ENOENT and self._folder.read("stat"):
                raise Unsupported(
                    f"this kernel gives no page table of process {self.pid}: "
                    "it was built without CONFIG_PROC_PAGE_MONITOR",
                    pid=self.pid,
                    errno=ENOENT,
                    operation="read the page table",
                    path=f"{self._folder.path}/pagemap",
                ) from None
            # A task without memory: ESRCH from 6.16 on, before that a file that reads as empty.
            if error.errno != ESRCH:
                raise self._folder.error(error, "read the page table", "pagemap") from None

    def __enter__(self) -> Process:
        self._require_open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Not every caller uses `with`; and __init__ may have failed at any line.
        if getattr(self, "_folder", None) is not None:
            self.close()

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self._state}>"

    def close(self) -> None:
        """Close the descriptors. May be called again; other calls then raise ClosedProcess."""
        fd, self._pagemap = self._pagemap, -1
        self._state = "closed"
        if fd >= 0:
            os.close(fd)
        self._folder.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._state == "closed"

    @property
    def kernel_thread(self) -> bool:
        """Whether this is a thread of the kernel, which has no mappings and no page table."""
        return self._state == "kernel thread"

    @property
    def page_size(self) -> int:
        """The size of a page in bytes."""
        return PAGE_SIZE

    @property
    def name(self) -> str:
        """The command name, which the kernel cuts to 15 bytes (/proc/PID/comm)."""
        self._require_open()
        return self._folder.read("comm").rstrip(b"\n").decode("utf-8", "surrogateescape")

    @property
    def reserved_pages(self) -> int:
        """The number of pages in all mappings, touched or not (/proc/PID/statm)."""
        self._require_open()
        return int(self._folder.read("statm").split()[0])

    def fileno(self) -> int:
        """The descriptor of /proc/PID/pagemap, for calls of your own; -1 for a kernel thread."""
        self._require_open()
        return self._pagemap

    def maps(self) -> list[Mapping]:
        """The mappings, in order of address; none for a kernel thread.

        Raises TargetVanished after exit or exec.
        """
        return maps.parse(b"".join(self.maps_blocks()))

    def maps_blocks(self) -> Iterator[bytes]:
        """The text of /proc/PID/maps in blocks of whole lines, for who wants less than objects.

        It ends well only when the text was that of the address space whose pagemap is open; else
        with TargetVanished.
        """
        self._require_open()
        if self.kernel_thread:
            return
        try:
            fd = self._folder.open("maps")
            try:
                # The file is of the address space at its opening: now both can be compared.
                self.check()
                yield from maps.read_blocks(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._folder.error(error, "read the mappings", "maps") from None
        self.check()

    def pages(self, where: Range) -> Pages:
        """The pages of a mapping, or of a range ``(start, end)`` in bytes, read in one call.

        A range is widened to whole pages. There are fewer than asked for only past the end of the
        address space (as in [vsyscall]). Raises UsageError for a range that is empty or past 64
        bits, NotMapped for a kernel thread, TargetVanished, MemoryError.
        """
        start, end = page_range(*where[:2])
        vpn, count = start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT
        try:
            entries = _native.read(self._descriptor(), vpn, count)
        except OSError as error:
            raise self._folder.error(error, "read the page table", "pagemap") from None
        if len(entries) < count:
            self.require_alive()
        return self._pages(entries, start)

    def pages_of(self, ranges: Sequence[Range]) -> list[Pages]:
        """The pages of many mappings or ranges in one call: what `pages` gives for each."""
        bounds = [page_range(*where[:2]) for where in ranges]
        spans = [(start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT) for start, end in bounds]
        try:
            entries, stored = _native.read_ranges(self._descriptor(), spans)
        except OSError as error:
            raise self._folder.error(error, "read the page table", "pagemap") from None
        if sum(stored) < sum(count for _, count in spans):
            self.require_alive()
        result = []
        at = 0
        for (start, _), count in zip(bounds, stored, strict=True):
            result.append(self._pages(entries[at : at + count], start))
            at += count
        return result

    def _pages(self, entries: memoryview, start: int) -> Pages:
        return Pages(entries, start=start, page_size=PAGE_SIZE, pfns_visible=self.pfns_visible)

    def read_into(self, buffer: Buffer, start: int, *, count: int | None = None) -> int:
        """Read entries into `buffer`, from the page at address `start` on; returns how many.

        `buffer` is writable and contiguous, of 8-byte integers or of bytes; it takes `count` pages,
        by default all it has room for. There are fewer only past the end of the address space; the
        rest of the buffer is then as it was.

        Raises BufferError when it is read-only or not contiguous; ValueError when it is too small,
        of another item size, not whole entries of 8 bytes, not aligned to 8, or when `start` is not
        the address of a page; NotMapped for a kernel thread; TargetVanished.
        """
        view = memoryview(buffer)  # type: ignore[arg-type] # collections.abc.Buffer is of 3.12
        size = _entries_in(view, count)
        _check_address(start)
        if start % PAGE_SIZE:
            raise ValueError(f"start {start:#x} is not the address of a page of {PAGE_SIZE} bytes")
        try:
            got = _native.read_into(self._descriptor(), view, start >> PAGE_SHIFT, size)
        except OSError as error:
            raise self._folder.error(error, "read the page table", "pagemap") from None
        if got < size:
            self.require_alive()
        return got

    def entry(self, address: int) -> Page:
        """The page that holds the byte at `address`.

        Raises NotMapped past the end of the address space, UsageError, TargetVanished.
        """
        _check_address(address)
        pages = self.pages((address, address + 1))
        if not len(pages):
            raise NotMapped(
                f"{address:#x} of process {self.pid} lies past the end of the address space",
                address=address,
                pid=self.pid,
            )
        return pages[0]

    def virt_to_phys(self, address: int) -> int:
        """The physical address, in bytes, behind the virtual `address`.

        It is true of one moment: the kernel may move, swap or free the page right after.

        Raises NotMapped, NotPresent or SwappedOut when there is none, PfnsHidden without
        CAP_SYS_ADMIN, UsageError for what is no 64-bit address, TargetVanished.
        """
        try:
            physical: int = _translate(self._pagemap, address, PAGE_SHIFT)
        except OverflowError:
            physical = -1  # not 64 bits, as the slow way will say
        if physical >= 0:
            return physical
        from pagemap.translate import translate

        return translate(self, address)

    def alive(self) -> bool:
        """Whether the address space that was opened exists: not after exit, and not after exec."""
        self._require_open()
        return self.kernel_thread or _native.alive(self._pagemap)

    def check(self) -> None:
        """Raise TargetVanished when the process exited, or replaced its address space by exec."""
        self.require_alive()
        image = self._folder.image()
        if image != self._image:
            # its address space lives on as another's: a child of vfork borrows its parent's
            raise self._folder.vanished("replaced itself by exec" if image else "exited")

    def require_alive(self) -> None:
        """Raise TargetVanished when the address space that was opened is gone."""
        if not self.alive():
            try:
                execed = bool(self._folder.image())
            except AccessDenied:
                execed = True  # of a setuid program: the folder is another user's now
            raise self._folder.vanished("replaced itself by exec" if execed else "exited")

    def check_image(self) -> None:
        """Raise TargetVanished when exec put another image behind the process; not for exit."""
        self._require_open()
        image = self._folder.image()
        if image and image != self._image:
            raise self._folder.vanished("replaced itself by exec")

    def _require_open(self) -> None:
        if self._state == "closed":
            raise ClosedProcess(f"this Process of {self.pid} is closed; open another", pid=self.pid)

    def _descriptor(self) -> int:
        self._require_open()
        if self._pagemap < 0:
            raise NotMapped(
                f"process {self.pid} is a kernel thread: it has no mappings",
                address=0,
                pid=self.pid,
            )
        return self._pagemap


def virt_to_phys(target: Target, address: int) -> int:
    """The physical address, in bytes, behind the virtual `address` of `target`.

    Opens and closes the process; raises what `Process` and `Process.virt_to_phys` raise.
    """
    with Process(target) as process:
        return process.virt_to_phys(address)


def _pid_of(target: Target) -> int:
    if target == "self":
        return os.getpid()
    if isinstance(target, str):
        raise UsageError(f"a process is a pid or 'self', not {target!r}; find() gives pids by name")
    pid = target if isinstance(target, int) else getattr(target, "pid", None)
    if not isinstance(pid, int) or isinstance(pid, bool):
        raise TypeError(f"a process is a pid, 'self', or an object with a pid, not {target!r}")
    return pid


def _check_address(address: int) -> None:
    if not 0 <= address < ADDRESS_END:
        raise UsageError(f"{address:#x} is no address: addresses have 64 bits")


def _entries_in(view: memoryview, count: int | None) -> int:
    """How many entries to read into `view`, which must have room for `count`."""
    if view.readonly:
        raise BufferError("the buffer is read-only: give a writable one, such as array('Q')")
    if not view.c_contiguous:
        raise BufferError("the buffer is not contiguous")
    if view.format.lstrip("@=<>") not in ("Q", "q", "L", "l", "N", "n", "B", "b", "c"):
        raise ValueError(f"the buffer is of format {view.format!r}: give 8-byte integers or bytes")
    if view.nbytes % 8 or view.itemsize not in (1, 8):
        raise ValueError(f"the buffer has {view.nbytes} bytes: an entry has 8")
    room = view.nbytes // 8
    wanted = room if count is None else count
    if not 0 < wanted <= room:
        raise ValueError(f"the buffer is too small: it has room for {room} entries, not {wanted}")
    return wanted
