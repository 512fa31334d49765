"""A process, held so that it cannot be mistaken for another, and its page table.

A pid is only a number: it is reused, and exec puts another program behind it. So a `Process` opens /proc/PID as a directory
and looks only below that descriptor, which fails with ESRCH once the process is gone; and it keeps one descriptor of the
pagemap, which the kernel ties to the address space of that moment (proc_mem_open in fs/proc/base.c).
"""

from __future__ import annotations

import os
from errno import ENOENT, ESRCH

from pagemap import _native, maps
from pagemap.errors import (
    AccessDenied,
    AddressError,
    ClosedProcess,
    NoSuchProcess,
    NotMapped,
    NotPresent,
    PagemapError,
    PfnsHidden,
    SwappedOut,
    TargetVanished,
    Unsupported,
    UsageError,
    from_os_error,
)
from pagemap.pages import Page, Pages
from pagemap.units import ADDRESS_END, PAGE_SHIFT, PAGE_SIZE, page_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from pagemap._native import Buffer
    from pagemap.maps import Mapping

    class HasPid(Protocol):
        """Any object with a `.pid`: subprocess.Popen, psutil.Process, multiprocessing.Process."""

        @property
        def pid(self) -> int | None: ...

    Target = int | str | HasPid
    Range = Mapping | tuple[int, int]

__all__ = ["Process", "virt_to_phys"]

_GONE = (ENOENT, ESRCH)
_PF_KTHREAD = 0x00200000  # a field of /proc/PID/stat; include/linux/sched.h
_translate = _native.translate


class Process:
    """An open process. `target` is a pid, a thread id, ``"self"``, or an object with a `.pid`.

    Use it as a context manager, or call `close()`. `procfs` is where the proc file system is mounted.

    Raises NoSuchProcess when there is none or it is a zombie, AccessDenied when the kernel forbids reading it
    (PTRACE_MODE_READ_FSCREDS: the same user, or CAP_SYS_PTRACE). A kernel thread opens, and has no mappings.

    >>> import pagemap
    >>> with pagemap.Process("self") as process:
    ...     stack = [mapping for mapping in process.maps() if mapping.path == "[stack]"]
    >>> len(stack)
    1
    """

    __slots__ = ("_directory", "_image", "_pagemap", "_state", "pfns_visible", "pid", "procfs")

    def __init__(self, target: Target, *, procfs: str = "/proc") -> None:
        self._directory = self._pagemap = -1
        self._state = "opening"
        self.pfns_visible = False
        self.procfs = procfs
        self.pid = _pid_of(target)
        name = "self" if target == "self" else str(self.pid)
        if self.pid <= 0:
            raise NoSuchProcess(f"there is no process {self.pid}: a pid is above 0", pid=self.pid)
        try:
            self._directory = os.open(
                f"{procfs}/{name}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
            )
            self._open_pagemap()
        except PagemapError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise from_os_error(error, pid=self.pid, operation="open the directory") from None

    def _open_pagemap(self) -> None:
        self._image = self._read_image()
        try:
            self._pagemap = self._open("pagemap")
        except OSError as error:
            # From 6.16 on a task without memory gives ESRCH here; before, a file that reads as empty.
            if error.errno == ENOENT and self._read("stat"):
                raise Unsupported(
                    f"this kernel gives no page table of process {self.pid}: "
                    "it was built without CONFIG_PROC_PAGE_MONITOR",
                    pid=self.pid,
                    errno=ENOENT,
                    operation="read the page table",
                    path=f"{self.procfs}/{self.pid}/pagemap",
                ) from None
            if error.errno != ESRCH:
                raise self._error(error, "read the page table", "pagemap") from None
        if self._pagemap >= 0 and _native.alive(self._pagemap):
            self._state = "open"
        else:
            self._judge_empty()
        try:
            # The kernel looks at the rights of this moment, so they are tried now; later they may be dropped.
            self.pfns_visible = _native.probe_pfns()
        except OSError:
            self.pfns_visible = False  # no /proc of our own: then nothing vouches for a PFN

    def _judge_empty(self) -> None:
        """The target has no memory: only a kernel thread may live on so."""
        fields = self._read("stat").rpartition(b")")[2].split()
        if int(fields[6]) & _PF_KTHREAD:
            self._state = "kernel thread"
            return
        zombie = fields[0] in (b"Z", b"X")
        why = "it has ended, and waits for its parent to take note" if zombie else "it is ending"
        raise NoSuchProcess(
            f"process {self.pid} is a zombie: {why}; there is no memory to read"
            if zombie
            else f"process {self.pid} has no memory: {why}",
            pid=self.pid,
            errno=ESRCH,
            operation="open",
        )

    def __enter__(self) -> Process:
        self._require_open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Not every caller uses `with`; a descriptor left open is a limit of the process used up.
        if getattr(self, "_directory", -1) >= 0:
            self.close()

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self._state}>"

    def close(self) -> None:
        """Close the descriptors. May be called again; every other call then raises ClosedProcess."""
        directory, pagemap = self._directory, self._pagemap
        self._directory = self._pagemap = -1
        self._state = "closed"
        for fd in (pagemap, directory):
            if fd >= 0:
                os.close(fd)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._state == "closed"

    @property
    def kernel_thread(self) -> bool:
        """Whether this is a thread of the kernel, which has no mappings and no page table of its own."""
        return self._state == "kernel thread"

    @property
    def page_size(self) -> int:
        """The size of a page in bytes."""
        return PAGE_SIZE

    @property
    def name(self) -> str:
        """The command name, cut by the kernel to 15 bytes (/proc/PID/comm)."""
        return self._read("comm").rstrip(b"\n").decode("utf-8", "surrogateescape")

    @property
    def reserved_pages(self) -> int:
        """The number of pages in all mappings, touched or not (the first field of /proc/PID/statm)."""
        return int(self._read("statm").split()[0])

    def fileno(self) -> int:
        """The descriptor of /proc/PID/pagemap, for system calls of your own. Raises ClosedProcess; -1 for a kernel thread."""
        self._require_open()
        return self._pagemap

    def maps(self) -> list[Mapping]:
        """The mappings, in order of address; none for a kernel thread. Raises TargetVanished after exit or exec."""
        return maps.parse(b"".join(self.maps_blocks()))

    def maps_blocks(self) -> Iterator[bytes]:
        """The text of /proc/PID/maps in blocks of whole lines, for who wants less than `Mapping` objects.

        Ends only when the text was surely that of the address space whose page table is open; else raises TargetVanished.
        """
        self._require_open()
        if self.kernel_thread:
            return
        try:
            fd = self._open("maps")
            try:
                yield from maps.read_blocks(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._error(error, "read the mappings", "maps") from None
        self.check()

    def pages(self, where: Range) -> Pages:
        """The pages of a mapping, or of a range ``(start, end)`` in bytes, read in one call.

        A range is widened to whole pages. There are fewer pages than asked for only past the end of the address space
        (as in [vsyscall]). Raises UsageError for a range that is empty, or outside 64 bits; TargetVanished after exit or
        exec; MemoryError when 8 bytes a page are not to be had.
        """
        start, end = _bounds(where)
        vpn, count = start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT
        try:
            entries = _native.read(self._descriptor(), vpn, count)
        except OSError as error:
            raise self._error(error, "read the page table", "pagemap") from None
        if len(entries) < count:
            self.require_alive()
        return Pages(entries, start=start, page_size=PAGE_SIZE, pfns_visible=self.pfns_visible)

    def pages_of(self, ranges: Sequence[Range]) -> list[Pages]:
        """The pages of many mappings or ranges, read in one call: what `pages` gives for each, for less."""
        bounds = [_bounds(where) for where in ranges]
        spans = [(start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT) for start, end in bounds]
        try:
            entries, stored = _native.read_ranges(self._descriptor(), spans)
        except OSError as error:
            raise self._error(error, "read the page table", "pagemap") from None
        if sum(stored) < sum(count for _, count in spans):
            self.require_alive()
        result = []
        at = 0
        for (start, _), count in zip(bounds, stored, strict=True):
            part = entries[at : at + count]
            at += count
            result.append(
                Pages(part, start=start, page_size=PAGE_SIZE, pfns_visible=self.pfns_visible)
            )
        return result

    def read_into(self, buffer: Buffer, start: int, *, count: int | None = None) -> int:
        """Read entries into `buffer`, from the page at address `start` on; returns the number of pages.

        `buffer` is writable and contiguous, of 8-byte integers or of bytes; it takes `count` pages, by default as many as
        it holds. Only past the end of the address space are there fewer; the rest of the buffer is then as before.

        Raises BufferError when it is read-only or not contiguous; ValueError when it is too small, of another item size,
        not a multiple of 8 bytes, not aligned to 8, or `start` is not the address of a page; TargetVanished.
        """
        view = memoryview(buffer)  # type: ignore[arg-type]
        size = _entries_in(view, count)
        _check_address(start)
        if start % PAGE_SIZE:
            raise ValueError(f"start {start:#x} is not the address of a page of {PAGE_SIZE} bytes")
        try:
            got = _native.read_into(self._descriptor(), view, start >> PAGE_SHIFT, size)
        except OSError as error:
            raise self._error(error, "read the page table", "pagemap") from None
        if got < size:
            self.require_alive()
        return got

    def entry(self, address: int) -> Page:
        """The page that holds the byte at `address`. Raises NotMapped where there is no entry, TargetVanished."""
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

        Raises NotMapped, NotPresent or SwappedOut when there is none, PfnsHidden without CAP_SYS_ADMIN, UsageError for what
        is no 64-bit address, TargetVanished.
        """
        try:
            physical: int = _translate(self._pagemap, address, PAGE_SHIFT)
        except OverflowError:
            raise UsageError(f"{address:#x} is no address: addresses have 64 bits") from None
        if physical >= 0:
            return physical
        return self._translate_slowly(address)

    def _translate_slowly(self, address: int) -> int:
        """Find out why there is no physical address; or give it, when the page came in meanwhile."""
        page = self.entry(address)
        if page.present:
            if page.physical_address is None:
                raise PfnsHidden(
                    f"cannot read PFNs of process {self.pid}: the kernel hides them from who opened it without "
                    "CAP_SYS_ADMIN (in the initial user namespace); run with sudo",
                    pid=self.pid,
                    operation="translate",
                )
            return page.physical_address + address % PAGE_SIZE
        raise self._absence(page, address)

    def _absence(self, page: Page, address: int) -> AddressError:
        of = f"{address:#x} of process {self.pid}"
        if page.guard:
            return NotPresent(f"{of} lies in a guard region", address=address, pid=self.pid)
        if page.swapped:
            place = (
                f": swap type {page.swap_type}, offset {page.swap_offset:#x}"
                if page.pfns_visible
                else "; where in swap, the kernel hides without CAP_SYS_ADMIN"
            )
            return SwappedOut(
                f"{of} is swapped out{place}",
                address=address,
                pid=self.pid,
                swap_type=page.swap_type,
                swap_offset=page.swap_offset,
            )
        for mapping in self.maps():
            if mapping.start <= address < mapping.end:
                return NotPresent(
                    f"{of} is mapped ({mapping.path or 'anonymous'}) but not present: "
                    "never touched, or given back",
                    address=address,
                    pid=self.pid,
                )
        return NotMapped(f"{of} is in no mapping", address=address, pid=self.pid)

    def alive(self) -> bool:
        """Whether the address space that was opened still exists: False after exit, and after exec."""
        self._require_open()
        return self.kernel_thread or _native.alive(self._pagemap)

    def check(self) -> None:
        """Raise TargetVanished when the process has exited, or replaced its address space by exec."""
        self.require_alive()
        self.check_image()

    def check_image(self) -> None:
        """Raise TargetVanished when exec put another image behind the process.

        The old address space may then live on: that of a vfork child is its parent's. Exit alone is not reported.
        """
        if self.kernel_thread:
            return
        image = self._read_image()
        if image and self._image and image != self._image:
            raise self._vanished("replaced itself by exec")

    def require_alive(self) -> None:
        """Raise TargetVanished when the address space that was opened is gone."""
        if not self.alive():
            gone = not self._read_image()
            raise self._vanished("exited" if gone else "replaced itself by exec")

    def _vanished(self, how: str) -> TargetVanished:
        return TargetVanished(
            f"process {self.pid} {how} while it was read; what was read until then stands",
            pid=self.pid,
            errno=ESRCH,
            operation="read",
        )

    def _require_open(self) -> None:
        if self._state == "closed":
            raise ClosedProcess(
                f"this Process of {self.pid} is closed; open another", pid=self.pid
            )

    def _descriptor(self) -> int:
        self._require_open()
        if self._pagemap < 0:
            raise NotMapped(
                f"process {self.pid} is a kernel thread: it has no mappings", address=0, pid=self.pid
            )
        return self._pagemap

    def _open(self, name: str) -> int:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._directory)

    def _read(self, name: str, operation: str = "") -> bytes:
        self._require_open()
        try:
            fd = self._open(name)
            try:
                return os.read(fd, 1 << 16)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._error(error, operation or f"read {name}", name) from None

    def _read_image(self) -> bytes:
        """What marks this run of exec: auxv holds addresses that the kernel draws anew for each; empty when gone."""
        try:
            return self._read("auxv", "read the page table")
        except (NoSuchProcess, TargetVanished):
            return b""

    def _error(self, error: OSError, operation: str, name: str) -> PagemapError:
        if isinstance(error, PagemapError):
            return error
        if error.errno in _GONE and self._state != "opening":
            return self._vanished("exited")
        path = f"{self.procfs}/{self.pid}/{name}"
        return from_os_error(error, pid=self.pid, operation=operation, path=path)


def virt_to_phys(target: Target, address: int) -> int:
    """The physical address, in bytes, behind the virtual `address` of `target`: opens it and closes it.

    Raises what `Process` and `Process.virt_to_phys` raise.
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


def _bounds(where: Range) -> tuple[int, int]:
    start, end = where[:2]
    if not 0 <= start < end <= ADDRESS_END:
        raise UsageError(
            f"{start:#x}-{end:#x} is no range: START must be below END, and END at most 2**64"
        )
    return page_range(start, end)


def _entries_in(view: memoryview, count: int | None) -> int:
    """How many entries to read into `view`, which must have room for `count`."""
    if view.readonly:
        raise BufferError("the buffer is read-only: give a writable one, as bytearray or array('Q')")
    if not view.c_contiguous:
        raise BufferError("the buffer is not contiguous")
    if view.format.lstrip("@=<>") not in ("Q", "q", "L", "l", "N", "n", "B", "b", "c"):
        raise ValueError(f"the buffer's items are of format {view.format!r}: give 8-byte integers or bytes")
    if view.nbytes % 8 or (view.itemsize not in (1, 8)):
        raise ValueError(f"the buffer has {view.nbytes} bytes: an entry has 8")
    room = view.nbytes // 8
    if count is None:
        count = room
    if not 0 < count <= room:
        raise ValueError(f"the buffer is too small: it holds {room} entries, {count} were asked for")
    return count
