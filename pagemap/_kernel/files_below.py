"""The files below a folder, each opened to read its page cache.

A folder is entered, and a file opened, below the descriptor of the folder that lists it: whoever
may write there can put a symbolic link in its place, and it is not followed.
"""

from __future__ import annotations

import os

from pagemap._errors import PagemapError
from pagemap._kernel.page_files import OpenFile, file_error
from pagemap._kernel.subfolders import Subfolder, Way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Failed = Callable[[PagemapError], object]

__all__ = ["files_in"]


def files_in(
    path: str, failed: Failed, entered: set[tuple[int, int]] | None = None
) -> Iterator[OpenFile]:
    """The file `path`, or every regular file below that folder: each open, and to be closed.

    Symbolic links below it are not followed, nor are other file systems entered. `entered` are the
    folders, by device and inode, that need not be entered again, and gets those that were: a folder
    may be mounted in several places, and `path` lie below another one that is asked for. A file of
    a folder that cannot be opened is told to `failed`; of a `path` that is a file, it is raised.
    """
    known: set[tuple[int, int]] = set() if entered is None else entered
    try:
        way = Way(path)
    except NotADirectoryError:
        yield OpenFile(path)
        return
    except OSError as error:
        raise file_error(error, path) from None
    try:
        folders = [way.top]
        while folders:
            yield from _enter(way, folders, known, failed)
    finally:
        way.close()


def _enter(
    way: Way, folders: list[Subfolder], known: set[tuple[int, int]], failed: Failed
) -> Iterator[OpenFile]:
    """The regular files of the last of `folders`, in whose place come the folders in it."""
    folder = folders.pop()
    if folder.identity in known:
        return
    path = folder.path()
    try:
        fd = way.enter(folder)
        known.add(folder.identity)
        with os.scandir(fd) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if folder is way.top:
            raise file_error(error, path) from None
        failed(file_error(error, path))
        return
    below: list[Subfolder] = []
    unasked = way.unasked(folder)
    for entry in found:
        if entry.name in unasked:
            continue  # another file system, which need not answer
        try:
            if entry.is_dir(follow_symlinks=False):
                each = Subfolder(entry.name, folder, entry.stat(follow_symlinks=False))
                if each.identity[0] == folder.identity[0]:
                    below.append(each)
                continue
            if not entry.is_file(follow_symlinks=False):
                continue
            name = os.path.join(path, entry.name)
            file = OpenFile(name, follow=False, folder=fd, name=entry.name)
        except PagemapError as error:
            failed(error)
        except OSError as error:
            failed(file_error(error, os.path.join(path, entry.name)))
        else:
            yield file
    folders += reversed(below)
