"""Which processes a cgroup has: those of its directory, and of all directories below it."""

from __future__ import annotations

import os
from errno import EACCES, ENODEV, ENOENT, EOPNOTSUPP, EPERM

from pagemap.errors import AccessDenied, NoSuchProcess, PagemapError, UsageError

__all__ = ["pids_of"]

_PROCS = "cgroup.procs"


def pids_of(path: str) -> list[int]:
    """The pids, ascending, of the cgroup with this directory, of version 1 or 2.

    Raises NoSuchProcess when there is no such directory, UsageError when it is no cgroup's or that
    of a threaded one (the kernel lists processes of its domain alone), AccessDenied.
    """
    try:
        found = _listed(path)
        for folder, below, _ in os.walk(path):
            for name in below:
                found |= _below(os.path.join(folder, name))
    except OSError as error:
        raise _error(error, path) from None
    found.discard(0)  # of another PID namespace
    return sorted(found)


def _listed(path: str) -> set[int]:
    with open(f"{path}/{_PROCS}", "rb") as file:
        return set(map(int, file.read().split()))


def _below(path: str) -> set[int]:
    try:
        return _listed(path)
    except OSError as error:
        if error.errno in (ENOENT, ENODEV, EOPNOTSUPP):
            return set()  # removed meanwhile; or threaded: its domain has listed them
        raise


def _error(error: OSError, path: str) -> PagemapError:
    file = f"{path}/{_PROCS}"
    code = error.errno
    if code in (EACCES, EPERM):
        return AccessDenied(
            f"cannot read {file}: permission denied; run with sudo (CAP_DAC_READ_SEARCH)",
            errno=code,
            operation="list the cgroup",
            path=file,
        )
    if not os.path.isdir(path):
        return NoSuchProcess(
            f"there is no cgroup {path!r}: give its directory, as /sys/fs/cgroup/user.slice",
            errno=code,
            operation="list the cgroup",
            path=path,
        )
    if code in (ENOENT, EOPNOTSUPP):
        why = "it is threaded: name one above it" if code == EOPNOTSUPP else f"it has no {_PROCS}"
        return UsageError(
            f"{path!r} is no cgroup that lists processes: {why}",
            errno=code,
            operation="list the cgroup",
            path=file,
        )
    return PagemapError(
        f"cannot read {file}: {error.strerror}", errno=code, operation="list the cgroup", path=file
    )
