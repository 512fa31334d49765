"""userfaultfd(2) as a tracker of writes: opened for ourselves, and why it cannot be.

Write tracking (UFFD_FEATURE_WP_ASYNC, fs/userfaultfd.c) is of Linux 6.7. With the flag
UFFD_USER_MODE_ONLY everybody may open one, whatever the sysctl vm.unprivileged_userfaultfd says.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL, ENOSYS, ENOTTY, EPERM

from pagemap._errors import AccessDenied, PagemapError, Unsupported
from pagemap._native import userfaultfd
from pagemap._native.descriptors import Descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.folder import Folder

__all__ = ["agree", "busy", "open_tracker", "tracked_elsewhere"]

_OPERATION = "track writes"
_MARKS = {b"um", b"uw", b"ui"}  # of VmFlags in smaps: registered with some userfaultfd


def open_tracker() -> Descriptor:
    """A userfaultfd of this process, closed on exec, with write tracking agreed upon.

    Raises Unsupported before Linux 6.7 or without CONFIG_USERFAULTFD, AccessDenied where system
    calls are filtered, PagemapError where there are no more descriptors.
    """
    try:
        return Descriptor(userfaultfd.open_userfaultfd())
    except OSError as error:
        raise _error(error) from None


def agree(fd: int) -> None:
    """Have a new userfaultfd, of whatever process, track writes. Raises as `open_tracker`."""
    try:
        userfaultfd.agree(fd)
    except OSError as error:
        raise _error(error) from None


def busy(pid: int, where: str = "some of its memory") -> PagemapError:
    """The error for memory of a process that another userfaultfd has."""
    return PagemapError(
        f"cannot track writes of process {pid}: another userfaultfd has {where}: of another "
        "tracker of this process, or of its own; that would lose what it tracks: stop it first",
        pid=pid,
        errno=EBUSY,
        operation=_OPERATION,
    )


def _error(error: OSError) -> PagemapError:
    code = error.errno
    if code in (EINVAL, ENOSYS, ENOTTY):
        return Unsupported(
            "this kernel cannot track writes through userfaultfd: Linux 6.7 with "
            "CONFIG_USERFAULTFD can",
            errno=code,
            operation=_OPERATION,
        )
    if code == EPERM:
        return AccessDenied(
            "cannot track writes: userfaultfd(2) is forbidden here, by a filter of system calls "
            "(seccomp, as of a container) or a security module; allow that call",
            errno=code,
            operation=_OPERATION,
        )
    return PagemapError(
        f"cannot track writes: userfaultfd(2): {error.strerror}", errno=code, operation=_OPERATION
    )


def tracked_elsewhere(folder: Folder) -> bool:
    """Whether some userfaultfd has a part of the memory of this process, as smaps tells.

    Raises the error of a process whose smaps may not be read.
    """
    try:
        with open(folder.open("smaps"), "rb") as lines:
            return any(
                line.startswith(b"VmFlags:") and not _MARKS.isdisjoint(line.split())
                for line in lines
            )
    except OSError as error:
        raise folder.error(error, "read the memory sums", "smaps") from None
