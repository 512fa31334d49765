"""The files of a process that a snapshot holds, in the place of its folder in /proc."""

from __future__ import annotations

import os
from errno import ENOENT

from pagemap._errors import ClosedProcess, PagemapError, Unsupported
from pagemap._kernel.folder import Folder
from pagemap._native.descriptors import CLOSED
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["SavedFolder"]

_STATUS = {b"VmSize": "size", b"RssShmem": "resident_shmem", b"VmPTE": "page_tables"}
_END = 1 << 63  # sizes are below, in bytes


class SavedFolder(Folder):
    """There are smaps and smaps_rollup, where they were saved, and a part of status."""

    __slots__ = ("_about", "_smaps")

    def __init__(
        self, pid: int, path: str, about: Mapping[str, Any], smaps: Callable[[], bytes | None]
    ) -> None:
        self.fd = CLOSED
        self.pid = pid
        self.path = path
        self._within = ""
        self._copied = False
        self._settled = True
        self._about = about
        self._smaps = smaps

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:  # noqa: ARG002 - as of a Folder
        """The number of a file in memory with that text. Raises Unsupported for all others."""
        text = self._text_of(name)
        if text is None:
            remedy = "; take it with smaps" if name in ("smaps", "smaps_rollup") else ""
            raise Unsupported(
                f"{printable(self.path)} does not have {name} of process {self.pid}{remedy}",
                pid=self.pid,
                errno=ENOENT,
                operation=f"read {name}",
                path=self.path,
            )
        fd = os.memfd_create(name, os.MFD_CLOEXEC)
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(text)
            os.lseek(fd, 0, os.SEEK_SET)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def sums(self) -> dict[str, Any]:
        """What was saved beside smaps (`pagemap._analyses.saved_facts`)."""
        sums: Any = self._about.get("sums")
        return sums if isinstance(sums, dict) else {}

    def _text_of(self, name: str) -> bytes | None:
        """The text of a file, or what was saved of it."""
        if name == "smaps":
            return self._smaps()
        if name == "smaps_rollup":
            rollup = self.sums().get("rollup")
            return rollup.encode("ascii", "replace") if isinstance(rollup, str) else None
        if name != "status":
            return None
        told = b"\nVmRSS: kB\n"
        for line, key in _STATUS.items():
            size = self.sums().get(key)
            if type(size) is int and 0 <= size < _END:
                told += b"%s: %d kB\n" % (line, size >> 10)
        return told

    def peek(self, name: str) -> bytes | None:  # noqa: ARG002 - as of a Folder
        """Nothing."""
        return None

    head = peek

    def is_kernel_thread(self) -> bool:
        """Not by any file here."""
        return False

    def error(  # as that of a Folder
        self, error: OSError, operation: str, name: str = ""
    ) -> PagemapError:
        """The error that stands for `error` of the file."""
        return PagemapError(
            f"cannot {operation} of process {self.pid} in {printable(self.path)}"
            f"{name and f' ({name})'}: {error.strerror or error}",
            pid=self.pid,
            errno=error.errno,
            operation=operation,
            path=self.path,
        )

    def closed(self) -> ClosedProcess:
        """The error for a call that came after `close`."""
        return ClosedProcess(
            f"this process {self.pid} of {printable(self.path)} is closed; open it again",
            pid=self.pid,
        )
