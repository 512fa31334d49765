"""Files whose page cache is looked at: opened so that looking leaves no trace, found in folders.

O_NOATIME keeps the time of last access. It is also the proof that mincore will tell the truth: both
are for the file's owner and CAP_FOWNER (inode_owner_or_capable), and to others mincore says that
every page is cached (can_do_mincore in mm/mincore.c).

A folder is entered, and a file opened, below the descriptor of the folder that lists it: whoever
may write there can put a symbolic link in its place, and it is not followed.
"""

from __future__ import annotations

import os
from errno import EACCES, ENOSYS, EOPNOTSUPP, EPERM
from stat import S_ISDIR, S_ISREG

from pagemap._native.descriptors import CLOSED, Descriptor, Holder
from pagemap._native.types import BLOCK_PAGES, MINCORE_TELLS, NOT_CACHED, cacheable, next_cached
from pagemap.errors import AccessDenied, PagemapError, TargetVanished, Unsupported
from pagemap.vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Failed = Callable[[PagemapError], None]

__all__ = ["OpenFile", "file_error", "files_in"]


_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOATIME
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NONBLOCK


def file_error(error: OSError, path: str) -> PagemapError:
    """The error that stands for `error` of a file whose page cache was to be looked at."""
    if error.errno == EPERM:
        return AccessDenied(
            f"cannot tell which pages of {path!r} are cached: the kernel tells only its owner; "
            "run as that user, or with sudo (CAP_FOWNER)",
            errno=EPERM,
            operation="look at the page cache",
            path=path,
        )
    kind = AccessDenied if error.errno == EACCES else PagemapError
    return kind(
        f"cannot look at the page cache of {path!r}: {error.strerror or error}",
        errno=error.errno,
        operation="look at the page cache",
        path=path,
    )


class OpenFile(Holder):
    """An open regular file: `fd`, and `pages`, the last of which may be filled in part.

    A context manager. Where `folder` is the descriptor of a folder, the file is its entry `name`,
    and `path` is what it is called. Raises AccessDenied when it may not be read, or is another
    user's; Unsupported for a file that has no page cache (hugetlbfs); PagemapError when it is not
    there, or not a regular file.
    """

    __slots__ = ("fd", "pages", "path", "tells")

    def __init__(
        self, path: str, *, follow: bool = True, folder: int | None = None, name: str = ""
    ) -> None:
        self.path = path
        try:
            # before it is opened, for to open a device may do something; a folder told already
            if folder is None and not S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
                raise _irregular(path)
            flags = _FLAGS if follow else _FLAGS | os.O_NOFOLLOW
            self.fd: int = Descriptor(os.open(name or path, flags, dir_fd=folder))
        except OSError as error:
            if isinstance(error, PagemapError):
                raise
            raise file_error(error, path) from None
        try:
            self._settle()
        except BaseException as error:
            self.fd = CLOSED
            if isinstance(error, OSError) and not isinstance(error, PagemapError):
                raise file_error(error, path) from None
            raise

    def _settle(self) -> None:
        about = os.fstat(self.fd)
        if not S_ISREG(about.st_mode):
            raise _irregular(self.path)
        self.pages = -(-about.st_size // PAGE_SIZE)
        self.tells = cacheable(self.fd, PAGE_SHIFT, self.pages)
        if self.tells == NOT_CACHED:
            raise Unsupported(
                f"{self.path!r} has no page cache that can be looked at: it lies on hugetlbfs",
                operation="look at the page cache",
                path=self.path,
            )

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Stretches ``(start, end)`` of pages that may be cached: all others are not.

        Raises OSError.
        """
        page = 0
        while page < self.pages:
            if self.tells != MINCORE_TELLS:
                try:
                    found = next_cached(self.fd, PAGE_SHIFT, page, self.pages)
                except OSError as error:
                    if error.errno not in (ENOSYS, EPERM, EOPNOTSUPP):
                        raise
                    self.tells = MINCORE_TELLS
                    continue
                if found is None:
                    return
                page = found
            end = min(page + BLOCK_PAGES, self.pages)
            yield page, end
            page = end

    def check(self) -> None:
        """Raise TargetVanished when the file has become shorter since it was opened."""
        if -(-os.fstat(self.fd).st_size // PAGE_SIZE) < self.pages:
            raise TargetVanished(
                f"{self.path!r} became shorter while it was looked at",
                operation="look at the page cache",
                path=self.path,
            )

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the descriptor. May be called again."""
        self.fd = CLOSED


def _irregular(path: str) -> PagemapError:
    return PagemapError(
        f"cannot look at the page cache of {path!r}: it is neither a regular file nor a folder",
        operation="look at the page cache",
        path=path,
    )


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
        top = os.stat(path)
    except OSError as error:
        raise file_error(error, path) from None
    if not S_ISDIR(top.st_mode):
        yield OpenFile(path)
        return
    folders = [path]
    while folders:
        folder = folders.pop()
        try:
            fd = os.open(folder, _FOLDER if folder == path else _FOLDER | os.O_NOFOLLOW)
        except OSError as error:
            if folder == path:
                raise file_error(error, path) from None
            failed(file_error(error, folder))
            continue
        try:
            about = os.fstat(fd)
            identity = about.st_dev, about.st_ino
            if about.st_dev == top.st_dev and identity not in known:
                known.add(identity)
                below: list[str] = []
                yield from _entries(fd, folder, below, failed)
                folders += reversed(below)
        except OSError as error:
            if isinstance(error, PagemapError):
                raise
            if folder == path:
                raise file_error(error, path) from None
            failed(file_error(error, folder))
        finally:
            os.close(fd)


def _entries(fd: int, folder: str, below: list[str], failed: Failed) -> Iterator[OpenFile]:
    """The regular files of an open folder, each open; its folders go to `below`."""
    with os.scandir(fd) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = os.path.join(folder, entry.name)
        try:
            if entry.is_dir(follow_symlinks=False):
                below.append(path)
                continue
            if not entry.is_file(follow_symlinks=False):
                continue
            file = OpenFile(path, follow=False, folder=fd, name=entry.name)
        except PagemapError as error:
            failed(error)
            continue
        except OSError as error:
            failed(file_error(error, path))
            continue
        yield file
