"""What a walk through directories would have to wait for: mounts that need not answer.

Already to ask for the device of a mounted directory is a question to its file system. One in user
space, or of a server that is gone, may keep the answer back, and then not even SIGKILL ends who
asked. So mountinfo, which the kernel has at hand, is asked where such are mounted.
"""

from __future__ import annotations

import os
import select

from pagemap._kernel.askable_mounts import parse_mount
from pagemap._kernel.mounts import is_remote
from pagemap._native.descriptors import CLOSED, Descriptor, Holder

__all__ = ["RemoteMounts"]

_AT_ONCE = 1 << 16


class RemoteMounts(Holder):
    """Where file systems in user space and of the network are mounted now; to be closed.

    That of our own root is not among them: without it nothing here runs.
    """

    __slots__ = ("_changes", "_fd", "_places")

    def __init__(self) -> None:
        self._places: dict[str, dict[str, int]] = {}
        self._fd: int = CLOSED
        try:
            self._fd = Descriptor(os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return
        # since Linux 2.6.26 a change is told as one of priority: mounts_poll in fs/proc_namespace.c
        self._changes = select.poll()
        self._changes.register(self._fd, select.POLLPRI)
        self._read()

    def close(self) -> None:
        """Let go of the descriptor. May be called again."""
        self._fd = CLOSED

    def are_some(self) -> bool:
        """Whether there are any."""
        if self._fd != CLOSED and self._changes.poll(0):
            self._read()
        return bool(self._places)

    def names_in(self, path: str, device: int) -> frozenset[str]:
        """The names in a directory where such are mounted.

        But those of the directory's own `device`, which has answered already.
        """
        found = self._places.get(path, {})
        return frozenset(name for name, each in found.items() if each != device)

    def _read(self) -> None:
        data = b""
        while some := os.pread(self._fd, _AT_ONCE, len(data)):
            data += some
        lines = [parse_mount(line) for line in data.split(b"\n") if line]
        root = {device for _, device, place, _ in lines if place == b"/"}
        self._places = {}
        for _, device, place, kind in lines:
            if is_remote(kind) and device not in root and place != b"/":
                folder, name = os.path.split(os.fsdecode(place))
                major, minor = (int(part, 16) for part in device.split(":"))
                self._places.setdefault(folder, {})[name] = os.makedev(major, minor)
