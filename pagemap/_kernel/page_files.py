"""Files whose page cache is read: opened so that this leaves no trace.

O_NOATIME keeps the time of last access. It is also the proof that mincore will tell the truth: both
are for the file's owner and CAP_FOWNER (inode_owner_or_capable), and to others mincore says that
every page is cached (can_do_mincore in mm/mincore.c).

A file that is named is opened as what was looked at; `files_below.py` finds those of folders.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT, ENOSYS, EOPNOTSUPP, EPERM
from stat import S_ISBLK, S_ISREG

from pagemap._errors import AccessDenied, PagemapError, TargetVanished, Unsupported
from pagemap._kernel.os_errors import kind_of_file_error, no_proc
from pagemap._kernel.regular import open_regular
from pagemap._native.descriptors import CLOSED, Descriptor, Holder
from pagemap._native.types_blocks import BLOCK_PAGES
from pagemap._native.types_files import MINCORE_TELLS, NOT_CACHED, cacheable, next_cached
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OpenFile", "file_error", "open_to_ask", "unasked_error"]


_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOATIME


def file_error(error: OSError, path: str, *, opened: bool = True) -> PagemapError:
    """The error that stands for `error` of a file whose page cache was to be looked at.

    Where it was not `opened`, and not for want of O_NOATIME, EPERM has other reasons.
    """
    if error.errno == EPERM and opened:
        return AccessDenied(
            f"cannot tell which pages of {path!r} are cached: the kernel tells only its owner; "
            "run as that user, or with sudo (CAP_FOWNER)",
            errno=EPERM,
            operation="look at the page cache",
            path=path,
        )
    missing = no_proc("/proc") if error.errno == ENOENT else None  # files are opened through it
    if missing:
        return missing
    return kind_of_file_error(error)(
        f"cannot look at the page cache of {path!r}: {error.strerror or error}",
        errno=error.errno,
        operation="look at the page cache",
        path=path,
    )


class OpenFile(Holder):
    """An open regular file or block device: `fd`, and `pages`, the last perhaps filled in part.

    `ranges` of pages ``(start, end)``, in order and apart, are all that is looked at, unless None.
    A context manager. Where `folder` is the descriptor of a folder, the file is its entry `name`;
    where `look` is one of O_PATH, it is that file; `path` is what it is called. `identity` is
    its device and inode, and it has `links` names. Raises AccessDenied when it may not be read, or
    is another user's; Unsupported for a file that has no page cache (hugetlbfs); PagemapError when
    it is not there, or another kind of file.
    """

    __slots__ = ("fd", "identity", "links", "pages", "path", "ranges", "tells")

    def __init__(
        self,
        path: str,
        *,
        follow: bool = True,
        folder: int | None = None,
        name: str = "",
        look: int | None = None,
    ) -> None:
        self.path: str = path
        self.ranges: list[tuple[int, int]] | None = None
        try:
            flags = _FLAGS if follow else _FLAGS | os.O_NOFOLLOW
            if look is not None:
                fd = open_regular(f"/proc/self/fd/{int(look)}", _FLAGS)
            elif folder is None:
                fd = open_regular(path, flags, devices=True)
            else:  # its list told already; a fifo that came since is not waited for
                fd = os.open(name, flags, dir_fd=folder)
        except OSError as error:
            raise file_error(error, path) from None
        if fd is None:
            raise _irregular(path)
        self.fd: int = Descriptor(fd)
        try:
            self._settle()
        except BaseException as error:
            self.fd = CLOSED
            if isinstance(error, OSError) and not isinstance(error, PagemapError):
                raise file_error(error, path) from None
            raise

    def _settle(self) -> None:
        about = os.fstat(self.fd)
        if not S_ISREG(about.st_mode) and not S_ISBLK(about.st_mode):
            raise _irregular(self.path)
        self.pages: int = -(-self._size() // PAGE_SIZE)
        self.identity: tuple[int, int] = (about.st_dev, about.st_ino)
        self.links: int = about.st_nlink
        self.tells: int = cacheable(self.fd, PAGE_SHIFT, self.pages)
        if self.tells == NOT_CACHED:
            raise Unsupported(
                f"{self.path!r} has no page cache that can be read: it is on hugetlbfs",
                operation="look at the page cache",
                path=self.path,
            )

    def _size(self) -> int:
        return os.lseek(self.fd, 0, os.SEEK_END)  # fstat has none of a device

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Stretches ``(start, end)`` of pages that may be cached: all others are not.

        Raises OSError.
        """
        for start, end in [(0, self.pages)] if self.ranges is None else self.ranges:
            yield from self._stretches(start, min(end, self.pages))

    def _stretches(self, page: int, last: int) -> Iterator[tuple[int, int]]:
        while page < last:
            if self.tells != MINCORE_TELLS:
                try:
                    found = next_cached(self.fd, PAGE_SHIFT, page, last)
                except OSError as error:
                    if error.errno not in (ENOSYS, EPERM, EOPNOTSUPP):
                        raise
                    self.tells = MINCORE_TELLS
                    continue
                if found is None:
                    return
                page = found
            end = min(page + BLOCK_PAGES, last)
            yield page, end
            page = end

    def check(self) -> None:
        """Raise TargetVanished when the file has become shorter since it was opened."""
        if -(-self._size() // PAGE_SIZE) < self.pages:
            raise TargetVanished(
                f"{self.path!r} was truncated while it was read",
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


def open_to_ask(path: str, look: int | None = None) -> tuple[int, bool]:
    """A descriptor of a regular file or block device, to ask what of it is cached.

    `look` is one of O_PATH of it, where it is open already. And whether it was opened so that its
    time of last access stays, which is for its owner alone. Raises what stands for an OSError, and
    PagemapError for another kind of file.
    """
    try:
        if look is None:
            look = Descriptor(os.open(path, os.O_PATH | os.O_CLOEXEC))
        kind = os.fstat(look).st_mode
        if not S_ISREG(kind) and not S_ISBLK(kind):
            raise _irregular(path)
        same = f"/proc/self/fd/{int(look)}"
        try:
            return Descriptor(os.open(same, _FLAGS)), True
        except PermissionError as error:
            if error.errno != EPERM:
                raise
        return Descriptor(os.open(same, _FLAGS & ~os.O_NOATIME)), False
    except PagemapError:
        raise
    except OSError as error:
        raise file_error(error, path, opened=False) from None


def unasked_error(path: str) -> PagemapError:
    """The error for what is mounted below a directory that was named, and was not entered."""
    return PagemapError(
        f"left out {path!r}: it is mounted from a file system in user space or of the network, "
        "which need not answer; give its own path to look at it",
        operation="look at the page cache",
        path=path,
    )


def _irregular(path: str) -> PagemapError:
    return PagemapError(
        f"cannot look at the page cache of {path!r}: it is neither a regular file nor a directory",
        errno=EINVAL,
        operation="look at the page cache",
        path=path,
    )
