"""Which file a process runs: by device and inode, for a path alone proves nothing.

/proc/PID/exe leads to the file itself, whatever it is called by now. The path that it tells is that
of the process's mount namespace, where every user may put a program of his own in the place of
another: a name is a claim, and only a file is a proof.
"""

from __future__ import annotations

import os
from stat import S_IWGRP, S_IWOTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pagemap.kernel.folder import Folder

__all__ = ["path_of", "runs_file"]

_DELETED = b" (deleted)"


def path_of(process: Folder) -> bytes | None:
    """The path of a process's executable as the kernel tells it; None where that is hidden."""
    path = process.executable_path()
    return None if path is None else path.removesuffix(_DELETED)


def runs_file(path: bytes) -> Callable[[Folder], bool]:
    """A test of whether a process runs the file at `path`.

    One that was deleted or replaced since has no path to be found by. It counts where the kernel
    tells that path of it, and it lies on the file system of that folder, and belongs to root, or to
    the folder's owner, or others may write there: so whoever could not put a file in this place
    cannot have it taken for one that was there.
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
        told = process.executable_path()
        return told in names and _may_have_lain(about, os.path.dirname(path))

    return runs


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _may_have_lain(about: os.stat_result, folder: bytes) -> bool:
    try:
        there = os.stat(folder)
    except OSError:
        return False
    if about.st_dev != there.st_dev:
        return False
    return about.st_uid in (0, there.st_uid) or bool(there.st_mode & (S_IWGRP | S_IWOTH))
