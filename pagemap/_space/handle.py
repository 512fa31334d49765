"""The identity of a target: it is held open so that it cannot be mistaken for another process.

A `Handle` keeps descriptors of the target's folder in /proc, of its maps, and of its pagemap. They
are opened in C, which also tells whether the target is still the process that it was
(csrc/library/identity.c). What is here is how long they are open, and the words of errors.

A child of fork has the same descriptors, which still show the parent. So where a process opened
itself, its child is refused to use them.
"""

from __future__ import annotations

import os
from errno import EACCES, ENODATA, ENOENT, EPERM, ESTALE

from pagemap._errors import ClosedProcess, NoSuchProcess, NotMapped, PagemapError
from pagemap._kernel.folder import Folder
from pagemap._native import identity, probes
from pagemap._native.descriptors import CLOSED, Holder
from pagemap._space.arguments import pid_of
from pagemap._space.files import MapsFile, error_of
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


class Handle(Holder):
    """An open target: its identity, its descriptors, what this kernel can do with them."""

    __slots__ = (
        "__weakref__",
        "_can_find",
        "_can_scan",
        "_end",
        "_folder",
        "_maps",
        "_opened",
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
        self._opened: identity.Opened | None = None
        self._state = "closed"
        self._can_scan: bool | None = None
        self._can_find: dict[str, bool] = {}
        self._end: int | None = None
        self.pfns_visible: bool = False
        self.procfs: str = procfs
        if not isinstance(procfs, str):
            raise TypeError(f"procfs must be the path of a proc file system, not {procfs!r}")
        self.machine: Machine = Machine(procfs)
        pid = pid_of(target)
        self.pid: int = int(pid)
        self._owner = os.getpid() if target == "self" else 0
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
        folder = self._folder
        try:
            opened = identity.Opened(self.pid, folder.fd, self._owner)
        except identity.Failed as error:
            raise error_of(folder, error) from None
        folder.follow(opened.thread)
        self._owner = opened.owner
        self._opened = opened
        if opened.kernel_thread:
            return "kernel thread"
        self._pagemap, self._maps = opened.pagemap, MapsFile(opened.maps)
        try:
            # The kernel judged the rights of the moment of opening; later they may be dropped.
            self.pfns_visible = probes.pfns()
        except OSError as error:
            if error.errno not in _NO_PAGEMAP:
                raise self._folder.error(error, "try whether PFNs are visible", "pagemap") from None
            self.pfns_visible = False  # no pagemap of our own: nothing vouches for a PFN
        opened.tell_pfns(self.pfns_visible)
        return "open"

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
        self._pagemap = CLOSED
        self._opened = None
        if self._maps is not None:
            self._maps.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or a fork left us with our parent's memory."""
        return self._state == "closed" or self._forked

    @property
    def _forked(self) -> bool:
        return self._owner != 0 and self._owner != os.getpid()

    @property
    def is_own(self) -> bool:
        """Whether this is ourselves, by whatever number (a thread's, too) and path of proc."""
        return self._owner != 0

    @property
    def kernel_thread(self) -> bool:
        """Whether this is a thread of the kernel, which has no mappings and no page table."""
        return self._state == "kernel thread"

    @property
    def can_scan(self) -> bool:
        """Whether PAGEMAP_SCAN can be used: the kernel has it (6.7), and it is not disabled.

        ``PAGEMAP_DISABLE=scan`` in the environment disables it, for tests and comparisons.
        """
        opened = self._held()
        if self._can_scan is None:
            disabled = "scan" in os.environ.get("PAGEMAP_DISABLE", "").split(",")
            self._can_scan = opened.scans and not disabled
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
        return self._look(identity.MEMORY) == 0

    def check(self) -> None:
        """Raise TargetVanished when the process exited, or replaced its address space by exec."""
        self._require(identity.MEMORY | identity.IMAGE)

    def require_alive(self) -> None:
        """Raise TargetVanished when the address space that was opened is gone."""
        self._require(identity.MEMORY)

    def check_image(self) -> None:
        """Raise TargetVanished when exec put another image behind the process; not for exit."""
        if self._look(identity.IMAGE) == ESTALE:
            raise self._folder.vanished("replaced itself by exec")

    def _require(self, what: int) -> None:
        found = self._look(what)
        if found:
            raise self._folder.vanished("replaced itself by exec" if found == ESTALE else "exited")

    def _look(self, what: int) -> int:
        """0 where it is what was opened, ESRCH after exit, ESTALE after exec."""
        opened, folder = self._held(), self._folder
        thread = folder.thread
        try:
            found, by = opened.look(what, thread)
        except identity.Failed as error:
            raise error_of(folder, error) from None
        if by != thread:
            folder.follow(by)
        return found

    def _held(self) -> identity.Opened:
        """What was opened, its files with it, for the length of a call."""
        opened = self._opened  # taken first: what is open afterwards was open then
        self.require_open()
        assert opened is not None
        return opened

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
