"""Files of memory that have no name any more: they end with the last process that holds them.

That is memfds, shared anonymous memory, removed files of tmpfs and hugetlbfs, and segments of
System V's shared memory. A process holds one by mapping it or by having it open.

Files of others are never asked about before it is known that they are the kernel's own: a file
system in user space could keep the answer back for ever. The mount tells (fdinfo), and the text of
maps and of links, which the kernel has at hand.
"""

from __future__ import annotations

import os

from pagemap._kernel.internal_mounts import device_name, internal_mounts
from pagemap._kernel.mounts import mount_of
from pagemap._kernel.regular import open_told
from pagemap._native import procmap
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._kernel.folder import Folder

__all__ = ["Amounts", "Unlinked", "UnlinkedFiles", "ipc_namespace", "marked_segments"]

_DELETED = b" (deleted)"
_BLOCK = 512  # bytes of st_blocks
_MARKED = 0o1000  # SHM_DEST: destroyed with the last that has it attached
_SYSTEMS = {b"tmpfs": False, b"hugetlbfs": True}


class Unlinked(Record):
    """A file without a name, and where the process has it: a file below its folder."""

    device: str = field("", "its device, as maps writes it")
    inode: int = field("inode", "its inode; the id of a segment of System V")
    namespace: str = field("", "of a segment the IPC namespace, whose ids are its own")
    hugetlb: bool = field("", "whether it is of huge pages")
    place: str = field("", "where the process has it: fd/3, or a file in map_files")

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells it from all others."""
        return self.device, self.inode, self.namespace


class Amounts(Record):
    """How large one is, in bytes."""

    links: int = field("", "names that it has")
    resident: int = field("bytes", "in memory")
    swapped: int | None = field("bytes", "in swap")


class UnlinkedFiles:
    """Finds them; knows the kernel's own mounts, on which most are."""

    def __init__(self) -> None:
        # by mount: the device, and whether it is of hugetlb
        self._mounts = internal_mounts()
        self._devices = dict(self._mounts.values())

    def mapped(self, folder: Folder) -> Iterator[Unlinked]:
        """Those that the process maps. Raises OSError."""
        systems: dict[str, bool] | None = None
        with open(folder.open("maps"), "rb") as file:
            for line in file:
                if not line.endswith(b"(deleted)\n"):
                    continue
                bounds, _, _, device, inode, path = line.split(None, 5)
                dev = device.decode("ascii", "replace")
                known = self._devices
                if dev not in known:
                    systems = _mounted(folder)[1] if systems is None else systems
                    known = systems
                if dev not in known:
                    continue
                segment = path.startswith(b"/SYSV") and dev in self._devices
                first, _, last = bounds.partition(b"-")
                place = f"map_files/{int(first, 16):x}-{int(last, 16):x}"
                namespace = ipc_namespace(folder) if segment else ""
                yield Unlinked(dev, int(inode), namespace, known[dev], place)

    def opened(self, folder: Folder) -> Iterator[Unlinked]:
        """Those that the process has open. Raises OSError."""
        fds = folder.open("fd", os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(fds) as entries:
                for entry in entries:
                    if self._is_deleted(fds, entry.name):
                        found = self._open_file(folder, entry.name)
                        if found is not None:
                            yield found
        finally:
            os.close(fds)

    def _is_deleted(self, fds: int, name: str) -> bool:
        try:
            return os.readlink(os.fsencode(name), dir_fd=fds).endswith(_DELETED)
        except OSError:
            return False  # closed meanwhile

    def _open_file(self, folder: Folder, name: str) -> Unlinked | None:
        about = dict(
            line.split(b":", 1) for line in (folder.head(f"fdinfo/{name}") or b"").split(b"\n")
            if b":" in line
        )  # fmt: skip
        if b"mnt_id" not in about:
            return None
        mount = int(about[b"mnt_id"])
        known = self._mounts.get(mount) or _mounted(folder)[0].get(mount)
        if known is None:
            return None
        device, hugetlb = known
        if b"ino" in about:  # since Linux 5.14
            inode = int(about[b"ino"])
        else:
            try:
                inode = os.stat(f"fd/{name}", dir_fd=folder.fd).st_ino
            except OSError:
                return None
        return Unlinked(device, inode, "", hugetlb, f"fd/{name}")

    def amounts(self, folder: Folder, file: Unlinked) -> Amounts | None:
        """How large it is; None where that cannot be found any more."""
        try:
            look = os.open(file.place, os.O_PATH | os.O_CLOEXEC, dir_fd=folder.fd)
        except OSError:
            return None
        try:
            mount = mount_of(look)
            if mount is None or (mount not in self._mounts and mount not in _mounted(folder)[0]):
                return None  # another file took its place
            about = os.fstat(look)
            if not file.namespace and (about.st_ino, device_name(about.st_dev)) != file.key[1::-1]:
                return None
            size = about.st_blocks * _BLOCK
            swapped = 0 if file.hugetlb else _swapped(look, -(-about.st_size // PAGE_SIZE))
            return Amounts(about.st_nlink, size - (swapped or 0), swapped)
        finally:
            os.close(look)


def _swapped(look: int, pages: int) -> int | None:
    """The bytes of a file of shared memory that lie in swap; None where that is not told."""
    try:
        if not procmap.swap_in_use():
            return 0
        fd = os.open(f"/proc/self/fd/{look}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return procmap.swapped_shmem(fd, 0, pages, PAGE_SHIFT) << PAGE_SHIFT
        finally:
            os.close(fd)
    except OSError:
        return None


def marked_segments(procfs: str = "/proc") -> set[int] | None:
    """The ids of segments of System V that end with the last process that has them attached.

    They are those of our own IPC namespace. None: all of them do (kernel.shm_rmid_forced).
    """
    try:
        with open(f"{procfs}/sys/kernel/shm_rmid_forced", "rb", opener=open_told) as file:
            if file.read().strip() == b"1":
                return None
    except OSError:
        pass
    try:
        with open(f"{procfs}/sysvipc/shm", "rb", opener=open_told) as file:
            lines = [line.split() for line in file.read().splitlines()[1:]]
    except OSError:
        return set()
    return {int(each[1]) for each in lines if len(each) > 2 and int(each[2], 8) & _MARKED}


def ipc_namespace(folder: Folder) -> str:
    """Which IPC namespace the process is in."""
    try:
        return os.readlink("ns/ipc", dir_fd=folder.fd)
    except OSError:
        return "ipc:?"


def _mounted(folder: Folder) -> tuple[dict[int, tuple[str, bool]], dict[str, bool]]:
    """What is mounted where the process is, of memory alone: by mount, and by device."""
    mounts: dict[int, tuple[str, bool]] = {}
    try:
        with open(folder.open("mountinfo"), "rb") as file:
            for line in file:
                before, _, after = line.partition(b" - ")
                words, system = before.split(b" "), after.split(b" ", 1)[0]
                if system in _SYSTEMS and len(words) > 2:
                    major, _, minor = words[2].partition(b":")
                    device = f"{int(major):02x}:{int(minor):02x}"
                    mounts[int(words[0])] = device, _SYSTEMS[system]
    except OSError:
        pass
    return mounts, dict(mounts.values())
