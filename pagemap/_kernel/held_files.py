"""The regular files that a process has open or mapped, found and opened without their names.

A name is only shown: it may be gone, another file's, or of another mount namespace. What tells a
file is its device and inode, and it is opened through the links that the kernel has for each
descriptor (/proc/PID/fd) and each mapping (/proc/PID/map_files), which lead to the very file. A
link is first opened with O_PATH, which has no effect, so a descriptor that has become a device or
a fifo meanwhile is not opened. Links of mappings may be followed with CAP_CHECKPOINT_RESTORE or
CAP_SYS_ADMIN alone (proc_map_files_get_link in fs/proc/base.c); for others the file of that name
is taken if it is on the device and has the inode that maps tells.

No file is asked about, nor opened, before its mount is known to be one that answers.
"""

from __future__ import annotations

import os
from errno import ESTALE
from stat import S_ISREG

from pagemap._kernel.askable_mounts import LOCAL, MADE, UNASKED
from pagemap._kernel.maps_blocks import read_blocks
from pagemap._kernel.mounts import mount_of
from pagemap._native.descriptors import Descriptor
from pagemap._native.lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._kernel.askable_mounts import AskableMounts
    from pagemap._kernel.folder import Folder

    Identity = tuple[int, int]  # device and inode

__all__ = ["Held", "held_files"]

_DELETED = " (deleted)"


class Held:
    """A regular file of a process: its `identity` (device, inode), and `path`, as it is shown.

    `times` is how many mappings it has, or 1 of a descriptor.
    """

    __slots__ = ("_below", "_link", "_mount", "deleted", "identity", "mapped", "path", "times")

    def __init__(
        self,
        below: int,
        link: str,
        identity: Identity,
        path: str,
        *,
        mount: int | None,
        mappings: int = 0,
    ) -> None:
        self._below, self._link, self._mount = below, link, mount
        self.identity = identity
        self.times: int = mappings or 1
        self.mapped: bool = mappings > 0
        self.deleted: bool = path.endswith(_DELETED)
        self.path: str = path.removesuffix(_DELETED)

    def look(self) -> Descriptor:
        """A descriptor of O_PATH, while the process's next file is not asked for.

        Raises OSError, ESTALE where another file has its place by now.
        """
        fd, mount = _found(self._link, self._below)
        if mount is None or mount != self._mount:
            raise OSError(ESTALE, os.strerror(ESTALE))
        about = os.fstat(fd)
        if (about.st_dev, about.st_ino) != self.identity or not S_ISREG(about.st_mode):
            raise OSError(ESTALE, os.strerror(ESTALE))
        return fd


def held_files(folder: Folder, mounts: AskableMounts) -> Iterator[Held]:
    """The files of a process that can have cached pages: not empty, nor of the kernel's own kind.

    A file comes once for each descriptor, and once for all its mappings. Those on mounts that may
    not answer are put into `mounts.unasked`. Raises OSError where that is not for us to know.
    """
    yield from _open(folder, mounts)
    yield from _mapped(folder, mounts)


def _open(folder: Folder, mounts: AskableMounts) -> Iterator[Held]:
    below = Descriptor(folder.open("fd", os.O_RDONLY | os.O_DIRECTORY))
    for name in os.listdir(below):
        try:
            path = os.readlink(name, dir_fd=below)
        except OSError:
            continue  # closed meanwhile
        mount = _mount_in(folder.head(f"fdinfo/{name}")) if path.startswith("/") else None
        if mount is None:
            continue  # a socket or the like, or closed meanwhile
        sort = mounts.of_mount(mount, folder)
        if sort == UNASKED:
            mounts.unasked.add((mount, path))
        if sort != LOCAL:
            continue
        about = _about(name, below, mount)
        if about is not None and S_ISREG(about.st_mode) and about.st_size:
            yield Held(below, name, (about.st_dev, about.st_ino), path, mount=mount)


def _about(name: str, below: int, mount: int) -> os.stat_result | None:
    """What is said of a file, which stays open no longer: our own are listed too."""
    try:
        look, found = _found(name, below)
        return os.fstat(look) if found == mount else None
    except OSError:
        return None


def _mount_in(fdinfo: bytes | None) -> int | None:
    for line in (fdinfo or b"").split(b"\n"):
        if line.startswith(b"mnt_id:"):
            return int(line.split()[1])
    return None


def _found(link: str, below: int) -> tuple[Descriptor, int | None]:
    """What a link leads to, opened with O_PATH, and its mount: nothing has been asked yet."""
    fd = Descriptor(os.open(link, os.O_PATH | os.O_CLOEXEC, dir_fd=below))
    return fd, mount_of(fd)


def _mapped(folder: Folder, mounts: AskableMounts) -> Iterator[Held]:
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
        link = f"map_files/{start:x}-{end:x}"
        held = _of_mapping(folder, mounts, link, _Mapped(key, path, times[key]))
        if held is not None:
            yield held


def _of_mapping(folder: Folder, mounts: AskableMounts, link: str, file: _Mapped) -> Held | None:
    sort = mounts.of_device(file.device, folder)
    if sort == MADE:
        return None
    if sort == UNASKED:
        _leave_out(mounts, file)
        return None
    identity = file.identity
    try:
        look, mount = _found(link, folder.fd)
    except PermissionError:
        if not mounts.may_be_walked(file.path):
            _leave_out(mounts, file)
            return None
        link = file.path
        try:
            look, mount = _found(link, folder.fd)
        except (OSError, ValueError):
            return file.held(folder, link, identity, None)
        if mount is None or mounts.of_mount(mount, folder) != LOCAL:
            return file.held(folder, "", identity, None)
        about = os.fstat(look)
        if (about.st_dev, about.st_ino) != identity:
            return file.held(folder, "", identity, None)
    except OSError:
        return None  # unmapped meanwhile
    else:
        if mount is None or mounts.of_mount(mount, folder) != LOCAL:
            _leave_out(mounts, file)
            return None
        about = os.fstat(look)
    if not S_ISREG(about.st_mode) or not about.st_size:
        return None
    return file.held(folder, link, (about.st_dev, about.st_ino), mount)


def _leave_out(mounts: AskableMounts, file: _Mapped) -> None:
    # what begins with no slash, and [aio], are the kernel's own
    if file.path.startswith("/") and not file.path.startswith("/[aio]"):
        mounts.unasked.add((file.device, file.path))


class _Mapped:
    """A file of mappings, as maps tells of it."""

    __slots__ = ("device", "identity", "path", "times")

    def __init__(self, key: tuple[str, int], path: str, times: int) -> None:
        self.device, inode = key
        major, minor = self.device.split(":")
        self.identity: Identity = os.makedev(int(major, 16), int(minor, 16)), inode
        self.path, self.times = path, times

    def held(self, folder: Folder, link: str, identity: Identity, mount: int | None) -> Held:
        """As it is passed on."""
        return Held(folder.fd, link, identity, self.path, mount=mount, mappings=self.times)
