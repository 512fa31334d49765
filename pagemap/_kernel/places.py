"""Walks a path by descriptors: no name is resolved twice, and no link of another user followed.

Whoever may write to a folder can put something else under a name between two looks at it. So each
component is opened below the one before, and what was opened is what is judged.
"""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, EISDIR, ELOOP
from stat import S_ISDIR, S_ISLNK, S_ISREG, S_ISVTX, S_IWGRP, S_IWOTH

from pagemap._kernel.users import known
from pagemap._native.descriptors import Holder

__all__ = ["Place", "find"]

_LOOK = os.O_PATH | os.O_CLOEXEC
_FOLDER = _LOOK | os.O_DIRECTORY

_MOST_LINKS = 40  # as the kernel follows


class Place(Holder):
    """A name in an open folder, and what it named when it was opened; a context manager.

    `folder` and `found` are O_PATH descriptors. Where nothing is, `found` is None and `mode` is 0.
    `led_by` are the users whose symbolic links led here.
    """

    __slots__ = ("device", "folder", "found", "led_by", "mode", "name", "owner")

    def __init__(self, folder: int, name: str) -> None:
        self.folder: int | None = folder
        self.name = name
        self.found: int | None = None
        self.led_by: set[int] = set()
        self.mode = self.owner = self.device = 0

    def look(self, *, missing: bool) -> None:
        """Open what is here, not what that may link to; nothing needs to be where `missing`."""
        try:
            self._open(os.O_NOFOLLOW)
        except FileNotFoundError:
            if not missing:
                raise

    def follow(self) -> None:
        """Have the kernel follow the link that is here: it alone knows where one of /proc leads."""
        self._open(0)
        if S_ISREG(self.mode):
            raise OSError(EINVAL, "it is an open file of a process; give the file's own name")

    def _open(self, flags: int) -> None:
        fd = os.open(self.name, _LOOK | flags, dir_fd=self.folder)
        if self.found is not None:
            os.close(self.found)
        self.found = fd
        status = os.fstat(fd)
        self.mode, self.owner, self.device = status.st_mode, status.st_uid, status.st_dev

    def refuse_planted(self) -> None:
        """Raise PermissionError for what a stranger may have put here.

        It is the kernel's own rule for fs.protected_symlinks, whatever that is set to: in a folder
        where others may make files and each remove only his own, as /tmp, nothing is to be trusted
        that belongs neither to us nor to the owner of the folder. Others are a group too, as the
        kernel has it for fs.protected_regular=2; access lists show as the group's bits.
        """
        if self.found is None or self.folder is None or self.owner == os.geteuid():
            return
        folder = os.fstat(self.folder)
        if not folder.st_mode & S_ISVTX or not folder.st_mode & (S_IWGRP | S_IWOTH):
            return
        if self.owner != folder.st_uid or known(self.owner) is None:
            what = "a symbolic link" if S_ISLNK(self.mode) else "no file but a pipe or device"
            raise PermissionError(
                EACCES,
                f"{self.name!r} is {what} of another user (uid {self.owner}), "
                "in a folder where others may put one",
            )

    def take_folder(self) -> int:
        """The descriptor of the folder, which the caller has to close from now on."""
        fd, self.folder = self.folder, None
        assert fd is not None
        return fd

    def take_found(self) -> int:
        """The descriptor of what was found, which the caller has to close from now on."""
        fd, self.found = self.found, None
        assert fd is not None
        return fd

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both descriptors."""
        for fd in (self.folder, self.found):
            if fd is not None:
                os.close(fd)
        self.folder = self.found = None


def find(path: str) -> Place:
    """The place that `path` leads to, where no directory is, nor a symbolic link.

    Raises OSError where there can be none, and for a link that may not be followed.
    """
    if path.endswith("/"):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    left = path.split("/")[::-1]  # the next component is the last of them
    folder = os.open("/" if path.startswith("/") else ".", _FOLDER)
    links = 0
    led_by: set[int] = set()
    while left:
        place = Place(folder, left.pop() or ".")
        try:
            place.look(missing=not left)
            if S_ISLNK(place.mode):
                links += 1
                led_by.add(place.owner)
            place.led_by = led_by
            onward = _onward(place, left, links)
        except BaseException:
            place.close()
            raise
        if onward is None:
            return place
        place.close()
        folder = onward
    os.close(folder)
    raise IsADirectoryError(EISDIR, os.strerror(EISDIR))


def _onward(place: Place, left: list[str], links: int) -> int | None:
    """The folder from which to go on with what is `left`; None where `place` is the end."""
    if links > _MOST_LINKS:
        raise OSError(ELOOP, os.strerror(ELOOP))
    if S_ISLNK(place.mode):
        place.refuse_planted()
        # Each link of /proc is the kernel's own; most lead to what their text does not name.
        if place.device != os.lstat("/proc/self").st_dev:
            text = os.readlink("", dir_fd=place.found)
            left += text.split("/")[::-1]
            return os.open("/", _FOLDER) if text.startswith("/") else place.take_folder()
        place.follow()
    if not left and not S_ISDIR(place.mode):
        return None
    return place.take_found()
