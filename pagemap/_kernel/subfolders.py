"""Opens subdirectories below the directory that lists them, so that nothing can take their place.

A path of several names would be looked up anew: whoever may write to a folder on the way could put
a symbolic link there and lead us elsewhere; and the kernel takes 4,095 bytes at most (PATH_MAX).
Two descriptors are open, however deep the folders lie: the way back is "..", where that is still
the folder that it was, or else from the top again.
"""

from __future__ import annotations

import os
from errno import ESTALE

from pagemap._kernel.remote_mounts import RemoteMounts
from pagemap._native.descriptors import CLOSED, Descriptor, Holder

__all__ = ["Subfolder", "Way"]

_LOOK = os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW
_LIST = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK

Identity = tuple[int, int]  # device and inode


class Subfolder:
    """A folder that was listed: `name` in the folder `within`, which is None of the top."""

    __slots__ = ("depth", "identity", "name", "within")

    def __init__(self, name: str, within: Subfolder | None, about: os.stat_result) -> None:
        self.name = name
        self.within = within
        self.depth: int = 0 if within is None else within.depth + 1
        self.identity: Identity = (about.st_dev, about.st_ino)

    def path(self) -> str:
        """What it is called, from the name of the top on."""
        return os.path.join(*(each.name for each in self.line()))

    def line(self) -> list[Subfolder]:
        """The folders from the top to this one."""
        folders = [self]
        while (within := folders[-1].within) is not None:
            folders.append(within)
        return folders[::-1]


class Way(Holder):
    """Where one is below the folder `path`, which is `top`; to be closed. Raises OSError."""

    __slots__ = ("_at", "_here", "_mounts", "_real", "_top", "top")

    def __init__(self, path: str) -> None:
        self._top: int = Descriptor(os.open(path, _LIST & ~os.O_NOFOLLOW))
        self.top = Subfolder(path, None, os.fstat(self._top))
        self._here: int = self._top
        self._at = self.top
        self._mounts = RemoteMounts()
        try:
            self._real: str = os.readlink(f"/proc/self/fd/{int(self._top)}")
        except OSError:
            self._real = path

    def unasked(self, folder: Subfolder) -> frozenset[str]:
        """The names in it of mounts that need not answer: to ask anything of them may never end."""
        if not self._mounts.are_some():
            return frozenset()
        real = os.path.join(self._real, *(each.name for each in folder.line()[1:]))
        return self._mounts.names_in(real, folder.identity[0])

    def enter(self, folder: Subfolder) -> int:
        """Go to a folder; its descriptor, which stays open until the next one is entered.

        Raises OSError, where another folder has taken its place too.
        """
        if folder.within is not None:
            self._go(folder.within)
            self._here = _open(folder.name, self._here, folder, _LIST)
            self._at = folder
        return self._here

    def _go(self, folder: Subfolder) -> None:
        try:
            while self._at.within is not None and self._at.depth > folder.depth:
                self._here = _open("..", self._here, self._at.within, _LOOK)
                self._at = self._at.within
        except OSError:  # one of them was moved meanwhile
            pass
        if self._at is folder:
            return
        self._here, self._at = self._top, self.top
        for each in folder.line()[1:]:
            self._here = _open(each.name, self._here, each, _LOOK)
            self._at = each

    def close(self) -> None:
        """Let go of the descriptors. May be called again."""
        self._here = self._top = CLOSED
        self._mounts.close()


def _open(name: str, below: int, folder: Subfolder, flags: int) -> Descriptor:
    fd = Descriptor(os.open(name, flags, dir_fd=below))
    about = os.fstat(fd)
    if (about.st_dev, about.st_ino) != folder.identity:
        raise OSError(ESTALE, "another folder has taken its place meanwhile")
    return fd
