"""Which file a process runs, by device and inode, because a path proves nothing.

/proc/PID/exe leads to the file itself, whatever its name is now. The path that it shows is one in
the mount namespace of the process, where every user may put a program in place of another.

The file system of a program that others run is not asked where it need not answer: then not even
SIGKILL would end who waits for it.
"""

from __future__ import annotations

import os
from stat import S_IWGRP, S_IWOTH

from pagemap._kernel.askable_mounts import UNASKED, AskableMounts
from pagemap._kernel.internal_mounts import device_name
from pagemap._kernel.mounts import mount_of
from pagemap._kernel.users import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pagemap._kernel.folder import Folder

    Identity = tuple[str, int]

__all__ = ["executable", "path_of", "runs_file"]

_DELETED = b" (deleted)"


def path_of(process: Folder) -> bytes | None:
    """The path of a process's executable as the kernel tells it; None where that is hidden."""
    path = process.executable_path()
    return None if path is None else path.removesuffix(_DELETED)


def runs_file(path: bytes) -> Callable[[Folder], bool]:
    """A test of whether a process runs the file at `path`.

    One that was deleted or replaced since has no path to be found by. It counts where the kernel
    tells that path of it, and it has no name left anywhere, and was run through the very mount that
    the folder of `path` is on for us, and belongs to root, or to the folder's owner, or others may
    write there: so whoever could not put a file in this place cannot have it taken for one that was
    there. The text alone says little: a file may be called "x (deleted)", and in a mount namespace
    of his own anybody may mount any file there. So a deleted one that runs in a mount namespace of
    its own is not found.
    """
    wanted = _identity(path)
    mounts = AskableMounts(answered=wanted and wanted[0])
    # exe names the file itself, while a path is also given through symbolic links
    names = {path + _DELETED, os.path.realpath(path) + _DELETED}

    def runs(process: Folder) -> bool:
        found = executable(process, mounts)
        if found is None:
            return False
        if found == wanted:
            return True
        return process.executable_path() in names and _has_lain(process, os.path.dirname(path))

    return runs


def executable(process: Folder, mounts: AskableMounts | None = None) -> Identity | None:
    """The device, as maps writes it, and the inode of the file that a process runs.

    It is reached through /proc/PID/exe itself: it may be deleted. None where it is hidden from us,
    or on a file system that need not answer.
    """
    mounts = mounts or AskableMounts()
    try:
        fd = process.open_executable()
    except OSError:
        return None
    try:
        mount = mount_of(fd)
        if mount is None or mounts.of_mount(mount, process) == UNASKED:
            return None
        return _told(os.fstat(fd))
    except OSError:
        return None
    finally:
        os.close(fd)


def _identity(path: bytes) -> Identity | None:
    try:
        return _told(os.stat(path))
    except OSError:
        return None


def _told(about: os.stat_result) -> Identity:
    return device_name(about.st_dev), about.st_ino


def _has_lain(process: Folder, folder: bytes) -> bool:
    """Whether the file that is run is deleted, and can have lain in the folder, as we see that."""
    opened: list[int] = []
    try:
        opened.append(process.open_executable())
        opened.append(os.open(folder or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        mounts = {mount_of(fd) for fd in opened}
        if len(mounts) > 1 or None in mounts:
            return False
        about, there = map(os.fstat, opened)
    except OSError:
        return False
    finally:
        for fd in opened:
            os.close(fd)
    if about.st_nlink:
        return False
    owners = (0, known(there.st_uid))
    return about.st_uid in owners or bool(there.st_mode & (S_IWGRP | S_IWOTH))
