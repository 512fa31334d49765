"""The regular files that a process has open or mapped, found and opened without their names.

A name is only shown: it may be gone, another file's, or of another mount namespace. What tells a
file is its device and inode, and it is opened through the links that the kernel has for each
descriptor (/proc/PID/fd) and each mapping (/proc/PID/map_files), which lead to the very file. A
link is first opened with O_PATH, which has no effect, so a descriptor that has become a device or
a fifo meanwhile is not opened. Links of mappings may be followed with CAP_CHECKPOINT_RESTORE or
CAP_SYS_ADMIN alone (proc_map_files_get_link in fs/proc/base.c); for others the file of that name
is taken if it is on the device and has the inode that maps tells.
"""

from __future__ import annotations

import os
from errno import ESTALE
from stat import S_ISREG

from pagemap._kernel.maps_blocks import read_blocks
from pagemap._kernel.mounts import is_made_by_the_kernel, kind_of
from pagemap._native.descriptors import Descriptor
from pagemap._native.lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._kernel.folder import Folder

    Identity = tuple[int, int]  # device and inode

__all__ = ["Held", "held_files"]

_DELETED = " (deleted)"


class Held:
    """A regular file of a process: its `identity` (device, inode), and `path`, as it is shown.

    `times` is how many mappings it has, or 1 of a descriptor.
    """

    __slots__ = ("_below", "_link", "deleted", "identity", "mapped", "path", "times")

    def __init__(
        self, below: int, link: str, identity: Identity, path: str, times: int, *, mapped: bool
    ) -> None:
        self._below, self._link = below, link
        self.identity = identity
        self.times = times
        self.mapped = mapped
        self.deleted: bool = path.endswith(_DELETED)
        self.path: str = path.removesuffix(_DELETED)

    def look(self) -> Descriptor:
        """A descriptor of O_PATH, while the process's next file is not asked for.

        Raises OSError, ESTALE where another file has its place by now.
        """
        fd = Descriptor(os.open(self._link, os.O_PATH | os.O_CLOEXEC, dir_fd=self._below))
        about = os.fstat(fd)
        if (about.st_dev, about.st_ino) != self.identity or not S_ISREG(about.st_mode):
            raise OSError(ESTALE, os.strerror(ESTALE))
        return fd


def held_files(folder: Folder, kernels_own: dict[int, bool]) -> Iterator[Held]:
    """The files of a process that can have cached pages: not empty, nor of the kernel's own kind.

    `kernels_own` remembers which devices are of such a kind. A file comes once for each descriptor,
    and once for all its mappings. Raises OSError where that is not for us to know.
    """
    for held in _open(folder):
        if not _is_own(held, kernels_own):
            yield held
    for held in _mapped(folder):
        if not _is_own(held, kernels_own):
            yield held


def _is_own(held: Held, kernels_own: dict[int, bool]) -> bool:
    device = held.identity[0]
    known = kernels_own.get(device)
    if known is None:
        try:
            kind = kind_of(held.look())
        except OSError:
            return False  # whoever opens it is told
        known = kernels_own[device] = kind is not None and is_made_by_the_kernel(kind)
    return known


def _open(folder: Folder) -> Iterator[Held]:
    below = Descriptor(folder.open("fd", os.O_RDONLY | os.O_DIRECTORY))
    for name in os.listdir(below):
        try:
            about = os.stat(name, dir_fd=below)
            if not S_ISREG(about.st_mode) or not about.st_size:
                continue
            path = os.readlink(name, dir_fd=below)
        except OSError:
            continue  # closed meanwhile
        yield Held(below, name, (about.st_dev, about.st_ino), path, 1, mapped=False)


def _mapped(folder: Folder) -> Iterator[Held]:
    maps = Descriptor(folder.open("maps"))
    first: dict[tuple[str, int], tuple[int, int, str]] = {}
    times: dict[tuple[str, int], int] = {}
    for block in read_blocks(maps):
        lines = Lines(block)
        for key, place in zip(
            zip(lines.devices, lines.inodes, strict=True), lines.ranges(), strict=True
        ):
            if key[1]:
                times[key] = times.get(key, 0) + 1
                first.setdefault(key, place)
    for key, (start, end, path) in first.items():
        held = _of_mapping(folder, f"map_files/{start:x}-{end:x}", key, path, times[key])
        if held is not None:
            yield held


def _of_mapping(
    folder: Folder, link: str, key: tuple[str, int], path: str, times: int
) -> Held | None:
    try:
        about = os.stat(link, dir_fd=folder.fd)
    except PermissionError:
        link = path
        try:
            about = os.stat(path)
        except (OSError, ValueError):
            return Held(folder.fd, link, _identity(key), path, times, mapped=True)
        if (about.st_dev, about.st_ino) != _identity(key):
            return Held(folder.fd, "", _identity(key), path, times, mapped=True)
    except OSError:
        return None  # unmapped meanwhile
    if not S_ISREG(about.st_mode) or not about.st_size:
        return None
    return Held(folder.fd, link, (about.st_dev, about.st_ino), path, times, mapped=True)


def _identity(key: tuple[str, int]) -> Identity:
    major, minor = key[0].split(":")
    return os.makedev(int(major, 16), int(minor, 16)), key[1]
