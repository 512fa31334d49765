"""Files whose page cache is looked at: opened so that looking leaves no trace, found in folders.

O_NOATIME keeps the time of last access. It is also the proof that mincore will tell the truth: both
are for the file's owner and CAP_FOWNER (inode_owner_or_capable), and to others mincore says that
every page is cached (can_do_mincore in mm/mincore.c).
"""

from __future__ import annotations

import os
from errno import EACCES, EPERM
from stat import S_ISDIR, S_ISREG

from pagemap._native.types import cacheable
from pagemap.descriptors import CLOSED, Descriptor, Holder
from pagemap.errors import AccessDenied, PagemapError, TargetVanished, Unsupported
from pagemap.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Failed = Callable[[PagemapError], None]

__all__ = ["OpenFile", "file_error", "files_in"]


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

    A context manager. Raises AccessDenied when it may not be read, or is another user's;
    Unsupported for a file that has no page cache (hugetlbfs); PagemapError when it is not there, or
    not a regular file.
    """

    __slots__ = ("fd", "pages", "path")

    def __init__(self, path: str, *, follow: bool = True) -> None:
        self.path = path
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOATIME
        try:
            # before it is opened: to open a device may do something
            if not S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
                raise _irregular(path)
            self.fd: int = Descriptor(os.open(path, flags | (0 if follow else os.O_NOFOLLOW)))
        except OSError as error:
            if isinstance(error, PagemapError):
                raise
            raise file_error(error, path) from None
        try:
            self._settle()
        except BaseException:
            self.fd = CLOSED
            raise

    def _settle(self) -> None:
        about = os.fstat(self.fd)
        if not S_ISREG(about.st_mode):
            raise _irregular(self.path)
        if not cacheable(self.fd):
            raise Unsupported(
                f"{self.path!r} has no page cache that can be looked at: it lies on hugetlbfs",
                operation="look at the page cache",
                path=self.path,
            )
        self.pages = -(-about.st_size // PAGE_SIZE)

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
        self.fd = CLOSED


def _irregular(path: str) -> PagemapError:
    return PagemapError(
        f"cannot look at the page cache of {path!r}: it is neither a regular file nor a folder",
        operation="look at the page cache",
        path=path,
    )


def files_in(path: str, failed: Failed) -> Iterator[OpenFile]:
    """The file `path`, or every regular file below that folder, each open until the next.

    Symbolic links below it are not followed, nor are other file systems entered. A file of a folder
    that cannot be opened is told to `failed`; of a `path` that is a file, it is raised.
    """
    try:
        top = os.stat(path)
    except OSError as error:
        raise file_error(error, path) from None
    if not S_ISDIR(top.st_mode):
        with OpenFile(path) as file:
            yield file
        return
    folders = [path]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if folder == path:
                raise file_error(error, path) from None
            failed(file_error(error, folder))
            continue
        below = []
        for entry in found:
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.stat(follow_symlinks=False).st_dev == top.st_dev:
                        below.append(entry.path)
                    continue
                if not entry.is_file(follow_symlinks=False):
                    continue
                file = OpenFile(entry.path, follow=False)
            except PagemapError as error:
                failed(error)
                continue
            except OSError as error:
                failed(file_error(error, entry.path))
                continue
            with file:
                yield file
        folders += reversed(below)
