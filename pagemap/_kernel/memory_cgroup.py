"""The directory of a memory cgroup, and its path in the hierarchy, which kernel files name."""

from __future__ import annotations

import os
from errno import EACCES, ENODEV, ENOENT, ENOTDIR, EPERM

from pagemap._errors import AccessDenied, NoSuchProcess, PagemapError, Unsupported, UsageError
from pagemap._kernel.cgroup_members import CGROUP_KINDS
from pagemap._kernel.control_files import get, put
from pagemap._kernel.mounts import kind_of
from pagemap._kernel.regular import open_told
from pagemap._native.descriptors import CLOSED, Descriptor, Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MemoryCgroup", "hierarchy_path", "of_process"]

_OPERATION = "find the working set"
_OPENING = "open the cgroup"
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
# PROC_CGROUP_INIT_INO in include/linux/proc_ns.h: in other cgroup namespaces paths begin elsewhere.
_INITIAL = "cgroup:[4026531835]"


class MemoryCgroup(Holder):
    """The directory of a cgroup with the memory controller, held open: to be closed.

    Raises NoSuchProcess where there is none, UsageError for another directory, AccessDenied.
    """

    def __init__(self, directory: str) -> None:
        self.path = directory
        self._fd: int = CLOSED
        try:
            self._fd = Descriptor(os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            stat = Descriptor(os.open("memory.stat", _READ, dir_fd=self._fd))
        except OSError as error:
            self.close()
            raise _error(error, directory) from None
        if kind_of(stat) not in CGROUP_KINDS:
            self.close()
            raise UsageError(
                f"{directory!r} is not a cgroup: it is not on a cgroup file system",
                operation=_OPENING,
                path=directory,
            )

    def get(self, name: str) -> str:
        """The text of one of its files. Raises OSError."""
        return get(self._below(name))

    def put(self, name: str, text: str | int) -> None:
        """Write to one of its files. Raises OSError."""
        put(self._below(name), text)

    def _below(self, name: str) -> str:
        return f"/proc/self/fd/{int(self._fd)}/{name}"

    def error(self, error: OSError) -> PagemapError:
        """The error that stands for one of a file of this cgroup."""
        if error.errno in (ENOENT, ENODEV) and not os.path.isdir(self.path):
            return NoSuchProcess(
                f"cgroup {self.path!r} was removed meanwhile",
                errno=error.errno,
                operation=_OPERATION,
                path=self.path,
            )
        return _error(error, self.path)

    def close(self) -> None:
        """Let go of the directory."""
        self._fd = CLOSED


def hierarchy_path(directory: str, *, procfs: str = "/proc") -> str:
    """The path of a cgroup directory from the root of its hierarchy.

    Raises Unsupported in a cgroup namespace of a container: there the path from the root, which
    files of the whole machine have, is not to be seen.
    """
    if os.readlink(f"{procfs}/self/ns/cgroup") != _INITIAL:
        raise Unsupported(
            "in a cgroup namespace of its own a process cannot tell which of the machine's "
            "cgroups a directory is; run in the initial one",
            operation=_OPERATION,
            path=directory,
        )
    real = os.path.realpath(directory)
    device = os.stat(real).st_dev
    where = real
    while where != "/" and os.stat(os.path.dirname(where)).st_dev == device:
        where = os.path.dirname(where)
    root = _root_of(where, procfs)
    path = f"{root.rstrip('/')}/{os.path.relpath(real, where)}".removesuffix("/.")
    return path or "/"


def of_process(cgroups: str, *, procfs: str = "/proc") -> str:
    """The directory of the memory cgroup in the text of a process's /proc/PID/cgroup.

    Raises Unsupported where it is not mounted here.
    """
    found: dict[str, str] = {}
    for line in cgroups.split("\n"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            found["cgroup"] = path
        elif number == "0":
            found.setdefault("cgroup2", path)
    # where the controller is in a hierarchy of version 1, the unified one has none of it
    kind = "cgroup" if "cgroup" in found else "cgroup2"
    wanted = found.get(kind, "")
    for root, point, type_, options in _mounts(procfs):
        if type_ != kind or (kind == "cgroup" and "memory" not in options):
            continue
        below = "/" if root == "/" else f"{root}/"
        if wanted == root or wanted.startswith(below):
            inner = wanted[len(root) :].strip("/")
            return f"{point}/{inner}" if inner else point
    raise Unsupported(
        f"the memory cgroup of the process, {wanted or 'which it has not'}, is not mounted here",
        operation=_OPERATION,
    )


def _mounts(procfs: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """What of which file system is mounted where: its root there, the place, type and options."""
    with open(
        f"{procfs}/self/mountinfo",
        encoding="utf-8",
        errors="surrogateescape",
        newline="\n",
        opener=open_told,
    ) as file:
        for line in file:
            place, _, system = line.rstrip("\n").partition(" - ")
            words, more = place.split(" "), system.split(" ")
            yield _plain(words[3]), _plain(words[4]), more[0], more[2].split(",")


def _root_of(mount_point: str, procfs: str) -> str:
    """What of its file system is mounted there; the last of several lies above the others."""
    roots = [root for root, point, *_ in _mounts(procfs) if point == mount_point]
    return roots[-1] if roots else "/"


def _plain(path: str) -> str:
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        path = path.replace(f"\\{code}", character)
    return path


def _error(error: OSError, directory: str) -> PagemapError:
    path = f"{directory}/memory.stat"
    if error.errno in (EACCES, EPERM):
        return AccessDenied(
            f"cannot read {path}: permission denied; run with sudo",
            errno=error.errno,
            operation=_OPENING,
            path=path,
        )
    if error.errno in (ENOENT, ENOTDIR) and not os.path.isdir(directory):
        return NoSuchProcess(
            f"there is no cgroup {directory!r}: give its directory, as /sys/fs/cgroup/user.slice",
            errno=error.errno,
            operation=_OPENING,
            path=directory,
        )
    if error.errno == ENOENT:
        return UsageError(
            f"{directory!r} is not a memory cgroup: it has no memory.stat; "
            "give one whose memory controller is on",
            errno=error.errno,
            operation=_OPENING,
            path=path,
        )
    return PagemapError(
        f"cannot read {path}: {error.strerror}",
        errno=error.errno,
        operation=_OPENING,
        path=path,
    )
