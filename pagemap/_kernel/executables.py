"""Which file a process runs, by device and inode, because a path proves nothing.

/proc/PID/exe leads to the file itself, whatever its name is now. The path that it shows is one in
the mount namespace of the process, where every user may put a program in place of another.
"""

from __future__ import annotations

import os
from stat import S_IWGRP, S_IWOTH

from pagemap._kernel.mounts import mount_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pagemap._kernel.folder import Folder

__all__ = ["path_of", "runs_file"]

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
    # exe names the file itself, while a path is also given through symbolic links
    names = {path + _DELETED, os.path.realpath(path) + _DELETED}

    def runs(process: Folder) -> bool:
        about = process.executable()
        if about is None:
            return False
        if (about.st_dev, about.st_ino) == wanted:
            return True
        return process.executable_path() in names and _has_lain(process, os.path.dirname(path))

    return runs


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _has_lain(process: Folder, folder: bytes) -> bool:
    """Whether the file that is run is deleted, and can have lain in the folder, as we see that."""
    opened: list[int] = []
    try:
        opened.append(process.open_executable())
        opened.append(os.open(folder or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        about, there = map(os.fstat, opened)
        mounts = {mount_of(fd) for fd in opened}
    except OSError:
        return False
    finally:
        for fd in opened:
            os.close(fd)
    if about.st_nlink or len(mounts) > 1 or None in mounts:
        return False
    return about.st_uid in (0, there.st_uid) or bool(there.st_mode & (S_IWGRP | S_IWOTH))
