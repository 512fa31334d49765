"""The identity of a target: it is held open so that it cannot be mistaken for another process.

A `Handle` keeps descriptors of the target's folder in /proc, of its maps, and of its pagemap, which
the kernel ties to the address space of the moment it is opened (proc_mem_open in fs/proc/base.c):
after an exec it reads the old one, soon empty, and never the new one.

A child of fork has the same descriptors, which still show the parent. So where a process opened
itself, its child is refused to use them.
"""

from __future__ import annotations

import os
from errno import EACCES, ENODATA, ENOENT, ENOTTY, EPERM, ESRCH

from pagemap import _native
from pagemap._errors import ClosedProcess, NoSuchProcess, NotMapped, PagemapError
from pagemap._kernel.folder import Folder
from pagemap._native import probes
from pagemap._native.descriptors import CLOSED, Holder
from pagemap._space.arguments import is_own, pid_of
from pagemap._space.files import MapsFile, open_maps, open_pagemap
from pagemap._space.machine import Machine
from pagemap._vocabulary.checks import check_names
from pagemap._vocabulary.flags import SCAN_CATEGORIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeVar

    from pagemap._native.source import Source
    from pagemap._space.arguments import Target

    _Handle = TypeVar("_Handle", bound="Handle")

__all__ = ["Handle"]

_NO_PAGEMAP = (ENOENT, EACCES, EPERM, ENODATA)
_TRIES = 16  # to open a page table that exec does not take away in that moment
_POPULATED = 1 << 3 | 1 << 4  # the categories present and swap, of flags.SCAN_CATEGORIES


class Handle(Holder):
    """An open target: its identity, its descriptors, what this kernel can do with them."""

    __slots__ = (
        "__weakref__",
        "_can_find",
        "_can_scan",
        "_end",
        "_folder",
        "_image",
        "_maps",
        "_owner",
        "_pagemap",
        "_state",
        "machine",
        "pfns_visible",
        "pid",
        "procfs",
    )

    def __init__(self, target: Target, *, procfs: str = "/proc") -> None:
        self._pagemap: int = CLOSED
        self._maps: MapsFile | None = None
        self._state = "closed"
        self._can_scan: bool | None = None
        self._can_find: dict[str, bool] = {}
        self._end: int | None = None
        self.pfns_visible: bool = False
        self.procfs: str = procfs
        if not isinstance(procfs, str):
            raise TypeError(f"procfs is the path of a proc file system, not {procfs!r}")
        self.machine: Machine = Machine(procfs)
        pid = pid_of(target)
        self.pid: int = int(pid)
        self._owner = os.getpid() if is_own(target, procfs) else 0
        if pid <= 0:
            raise NoSuchProcess(f"there is no process {self.pid}: a pid is above 0", pid=self.pid)
        self._folder = Folder(pid, "self" if target == "self" else str(self.pid), procfs)
        try:
            self._state = self._open()
        finally:
            if self._state == "closed":
                self.close()
        self._folder.settle()

    def _open(self) -> str:
        for _ in range(_TRIES):
            self._image = self._folder.image()
            self._pagemap = open_pagemap(self._folder)
            if self._pagemap >= 0 and _native.alive(self._pagemap):
                self._maps = open_maps(self._folder)
                if self._folder.image() == self._image:
                    break  # no exec between the two: both are of one address space
            self._close_both()
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
            self.pfns_visible = probes.pfns()
        except OSError as error:
            if error.errno not in _NO_PAGEMAP:
                raise self._folder.error(error, "try whether PFNs are visible", "pagemap") from None
            self.pfns_visible = False  # no pagemap of our own: nothing vouches for a PFN
        return "open"

    def _close_both(self) -> None:
        self._pagemap = CLOSED
        if self._maps is not None:
            self._maps.close()

    def __enter__(self: _Handle) -> _Handle:  # noqa: PYI019 - typing.Self is of 3.11
        self.require_open()
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
        """Close the descriptors. May be called again; other calls then raise ClosedProcess.

        A call that another thread is in goes on to its end, and with it the file that it reads.
        """
        self._state = "closed"
        self._folder.close()  # first: it tells an EBADF of the others from the kernel's
        self._close_both()

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or a fork left us with our parent's memory."""
        return self._state == "closed" or self._forked

    @property
    def _forked(self) -> bool:
        return self._owner != 0 and self._owner != os.getpid()

    @property
    def kernel_thread(self) -> bool:
        """Whether this is a thread of the kernel, which has no mappings and no page table."""
        return self._state == "kernel thread"

    @property
    def can_scan(self) -> bool:
        """Whether PAGEMAP_SCAN can be used: the kernel has it (6.7), and it is not disabled.

        ``PAGEMAP_DISABLE=scan`` in the environment disables it, for tests and comparisons.
        """
        fd = self.fileno()
        if self._can_scan is None:
            disabled = "scan" in os.environ.get("PAGEMAP_DISABLE", "").split(",")
            # ESRCH: the target is gone, but the kernel has it; what is called next will say so
            error = ENOTTY if disabled else probes.scan(fd, _POPULATED)
            self._can_scan = error in (0, ESRCH)
        return self._can_scan

    def can_find(self, category: str) -> bool:
        """Whether PAGEMAP_SCAN finds pages by this word of `Process.regions` here."""
        found = self._can_find.get(category)
        if found is None:
            bits = {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES}
            check_names("category", [category], bits)
            found = self.can_scan and self.scan_error(bits[category]) == 0
            self._can_find[category] = found
        return found

    def scan_error(self, categories: int) -> int:
        """Why PAGEMAP_SCAN finds no page by these bits: an errno, or 0."""
        return probes.scan(self.fileno(), categories)

    @property
    def folder(self) -> Folder:
        """The target's folder in /proc, pinned: for files that no method here reads."""
        self.require_open()
        return self._folder

    def fileno(self) -> int:
        """The descriptor of /proc/PID/pagemap, for calls of your own; -1 for a kernel thread.

        The file stays open, after `close` too, until the number that you were given is let go.
        """
        fd = self._pagemap  # taken first: what is open afterwards was open then
        self.require_open()
        return fd

    @property
    def source(self) -> Source:
        """What to read entries from."""
        return self.fileno()

    def maps_blocks(self) -> Generator[bytes, None, None]:
        """The text of /proc/PID/maps, in blocks of whole lines; `maps` has it as rows.

        It ends well only when the text was that of the address space whose pagemap is open; else
        with TargetVanished.
        """
        self.check()
        if self.kernel_thread:
            return
        maps = self._maps
        self.require_open()
        assert maps is not None
        try:
            yield from maps.blocks(self._folder, self.check)
        except OSError as error:
            raise self._folder.error(error, "read the mappings", "maps") from None
        self.check()

    def read_error(self, error: OSError) -> PagemapError:
        """The error of this process that stands for an OSError from its pagemap."""
        self.require_open()
        return self._folder.error(error, "read the page table", "pagemap")

    def alive(self) -> bool:
        """Whether the address space that was opened exists: not after exit, and not after exec."""
        fd = self.fileno()
        return self.kernel_thread or _native.alive(fd)

    def check(self) -> None:
        """Raise TargetVanished when the process exited, or replaced its address space by exec."""
        self.require_alive()
        image = self._folder.image(self._image)
        if image != self._image:
            # its address space lives on as another's: a child of vfork borrows its parent's
            raise self._folder.vanished("replaced itself by exec" if image else "exited")

    def require_alive(self) -> None:
        """Raise TargetVanished when the address space that was opened is gone."""
        if not self.alive():
            # a folder that is closed to us now is another user's: exec of a setuid program
            execed = self._folder.image(b"of another user")
            raise self._folder.vanished("replaced itself by exec" if execed else "exited")

    def require_open(self) -> None:
        """Raise ClosedProcess after `close`, and of oneself in a child that was forked since."""
        if self._state == "closed":
            raise self._folder.closed()
        if self._forked:
            raise ClosedProcess(
                f"this Process of {self.pid} was opened by that process for itself, which then "
                f"forked: it would show the parent, not process {os.getpid()}; open another",
                pid=self.pid,
            )

    def source_at(self, address: int) -> Source:
        """What to read the page at `address` from. Raises ClosedProcess, NotMapped."""
        return self.descriptor(address)

    def descriptor(self, address: int = 0) -> int:
        """The descriptor to read the page at `address` from. Raises ClosedProcess, NotMapped."""
        fd = self._pagemap  # taken first: what is open afterwards was open then
        if fd < 0 or self._owner:
            self.require_open()
        if fd < 0:
            raise NotMapped(
                f"process {self.pid} is a kernel thread: it has no mappings",
                address=address,
                pid=self.pid,
            )
        return fd
