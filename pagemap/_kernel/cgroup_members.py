"""Which processes a cgroup has: those of its directory, and of all directories below it."""

from __future__ import annotations

import os
from errno import EACCES, EBADF, EMFILE, ENFILE, ENODEV, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM

from pagemap._errors import AccessDenied, NoSuchProcess, PagemapError, UsageError
from pagemap._kernel.cgroups import roots
from pagemap._kernel.chosen_pid import same
from pagemap._kernel.folder import Folder
from pagemap._kernel.mounts import kind_of
from pagemap._kernel.regular import open_regular

__all__ = ["CGROUP_KINDS", "directory", "pids_of"]

_PROCS = "cgroup.procs"
CGROUP_KINDS = ("cgroup", "cgroup2")
_DIGITS = 10  # of a pid_t


def pids_of(path: str, *, procfs: str = "/proc") -> list[int]:
    """The pids, ascending, of the cgroup whose directory is `path`, and of all below it.

    `path` may also be that of /proc/PID/cgroup, which begins where its hierarchy is mounted.
    It may be of version 2, or of any hierarchy of version 1: both list processes in cgroup.procs.
    A process of another PID namespace has the number 0 there, and is left out. A number that has
    gone to another process since is refused when it is opened.

    Raises NoSuchProcess when there is no such directory, UsageError when it is no cgroup's or that
    of a threaded one, whose processes the kernel lists only above, AccessDenied.
    """
    # Listed twice: what began then and is still there was the one with that number in between, so
    # it is that one which the second list names.
    path = directory(path, procfs)
    began = {pid: _start(pid, procfs) for pid in _all(path)}
    meant = f"that cgroup {path!r} had"
    return [same(pid, began[pid], meant) for pid in sorted(_all(path)) if pid in began]


def directory(path: str, procfs: str) -> str:
    """The directory that is meant: `path`, or that below the mount of a hierarchy."""
    if path.startswith("/") and not os.path.exists(f"{path}/{_PROCS}"):
        for root in roots(procfs):
            if os.path.exists(f"{root}{path}/{_PROCS}"):
                return f"{root}{path}".rstrip("/")
    return path


def _start(pid: int, procfs: str) -> int:
    """When the process began; 0 for one that is gone."""
    try:
        folder = Folder(pid, str(pid), procfs)
    except PagemapError as error:
        if error.errno in (EMFILE, ENFILE):
            raise  # for want of descriptors of ours nobody is taken to be gone
        return 0
    try:
        return folder.start()
    finally:
        folder.close()


def _all(path: str) -> set[int]:
    try:
        pids = _listed(path)
    except OSError as error:
        raise _no_cgroup(error, path) from None
    for folder, below, _ in os.walk(path):
        for name in below:
            try:
                pids |= _listed(os.path.join(folder, name))
            except OSError as error:
                # removed meanwhile; or threaded, so that its domain, above, has them all
                if error.errno not in (ENOENT, ENODEV, EOPNOTSUPP):
                    raise _no_cgroup(error, os.path.join(folder, name)) from None
    pids.discard(0)
    return pids


def _listed(folder: str) -> set[int]:
    """The numbers in the folder's list. Raises OSError: EBADF for a list that is not a cgroup's."""
    fd = open_regular(f"{folder}/{_PROCS}", os.O_RDONLY | os.O_CLOEXEC)
    if fd is None:
        raise OSError(EBADF, "it is not a regular file")
    with open(fd, "rb") as file:
        if kind_of(fd) not in CGROUP_KINDS:
            raise OSError(EBADF, "it is not on a cgroup file system")
        words = file.read().split()
    for word in words:
        if not word.isdigit() or len(word) > _DIGITS:
            raise OSError(EBADF, f"{word[:_DIGITS]!r} in it is not a pid")
    return set(map(int, words))


def _no_cgroup(error: OSError, path: str) -> PagemapError:
    file = f"{path}/{_PROCS}"
    if error.errno == EBADF:
        return UsageError(
            f"{path!r} is not a cgroup: of its {_PROCS}, {error.strerror}",
            errno=error.errno,
            operation="list the cgroup",
            path=file,
        )
    if error.errno in (EACCES, EPERM):
        return AccessDenied(
            f"cannot read {file}: permission denied; run with sudo (CAP_DAC_READ_SEARCH)",
            errno=error.errno,
            operation="list the cgroup",
            path=file,
        )
    if error.errno == EOPNOTSUPP:
        return UsageError(
            f"cgroup {path!r} is threaded: its processes are listed in one above it; name that",
            errno=error.errno,
            operation="list the cgroup",
            path=file,
        )
    if error.errno in (ENOENT, ENODEV, ENOTDIR) and not os.path.isdir(path):
        return NoSuchProcess(
            f"there is no cgroup {path!r}: give its directory, as /sys/fs/cgroup/user.slice",
            errno=error.errno,
            operation="list the cgroup",
            path=path,
        )
    if error.errno == ENOENT:
        return UsageError(
            f"{path!r} is not a cgroup: it has no {_PROCS}",
            errno=error.errno,
            operation="list the cgroup",
            path=file,
        )
    return PagemapError(
        f"cannot read {file}: {error.strerror}",
        errno=error.errno,
        operation="list the cgroup",
        path=file,
    )
