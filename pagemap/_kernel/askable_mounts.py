"""On which mounts files of other processes may be asked about, without waiting for ever.

A question about a file goes to its file system. One in user space, or of a server that is gone, may
keep the answer back, and then not even SIGKILL ends who asked. So the mount is looked up first, by
what the kernel has at hand: the number of the mount in fdinfo, the device in maps, and mountinfo.
"""

from __future__ import annotations

import os

from pagemap._kernel.internal_mounts import internal_mounts
from pagemap._kernel.mounts import is_made_by_the_kernel, is_remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.folder import Folder

__all__ = ["LOCAL", "MADE", "UNASKED", "AskableMounts", "parse_mount"]

LOCAL, MADE, UNASKED = "local", "made by the kernel", "unasked"


class AskableMounts:
    """What is mounted where we are and where processes are: each mount LOCAL, MADE or UNASKED.

    The file system of our own root is LOCAL, whatever it is: without it nothing here runs. What is
    not found is UNASKED, and so is an overlay that is not mounted where we are: whoever mounted it
    may have laid it over a file system in user space.

    A device that has `answered` just now is LOCAL, too: as `device_name` has it.

    `unasked` are the files that were left out: by mount or device, and path.
    """

    def __init__(self, answered: str | None = None) -> None:
        self.unasked: set[tuple[int | str, str]] = set()
        self._mounts: dict[int, str] = {}
        self._devices: dict[str, str] = {}
        self._ours: set[str] = set()
        self._answered = answered
        self._remote: list[bytes] = []  # where we are, the places of what is not to be asked
        self._read: Folder | None = None  # whose mountinfo was read last
        for mount, (device, _) in internal_mounts().items():
            self._mounts[mount] = self._devices[device] = LOCAL
        try:
            with open("/proc/self/mountinfo", "rb") as file:
                lines = list(map(parse_mount, file))
        except OSError:
            return
        self._ours.update(device for _, device, _, _ in lines)
        root = {device for _, device, place, _ in lines if place == b"/"}
        for mount, device, place, kind in lines:
            if self._add(mount, device, LOCAL if device in root else kind) == UNASKED:
                self._remote.append(place)

    def of_mount(self, mount: int, folder: Folder) -> str:
        """Of which sort a mount is, of which the process of `folder` has a file."""
        if mount not in self._mounts:
            self._read_of(folder)
        return self._mounts.get(mount, UNASKED)

    def of_device(self, device: str, folder: Folder) -> str:
        """Of which sort a device is, as maps writes it.

        One of blocks that is mounted nowhere is LOCAL: the mount is asked for once it is open.
        """
        if device not in self._devices:
            self._read_of(folder)
        return self._devices.get(device, UNASKED if device.startswith("00:") else LOCAL)

    def may_be_walked(self, path: str) -> bool:
        """Whether a path, followed where we are, stays off what is not to be asked."""
        name = os.fsencode(path)
        return not any(name == each or name.startswith(each + b"/") for each in self._remote)

    def _read_of(self, folder: Folder) -> None:
        if folder is self._read:
            return
        self._read = folder
        try:
            with open(folder.open("mountinfo"), "rb") as file:
                for mount, device, _, kind in map(parse_mount, file):
                    if device in self._ours:
                        self._mounts[mount] = self._devices[device]
                    else:
                        self._add(mount, device, UNASKED if kind == "overlay" else kind)
        except OSError:
            pass

    def _add(self, mount: int, device: str, kind: str) -> str:
        if device == self._answered:
            sort = LOCAL
        elif kind == UNASKED or (kind != LOCAL and is_remote(kind)):
            sort = UNASKED
        else:
            sort = MADE if is_made_by_the_kernel(kind) else LOCAL
        self._mounts[mount] = self._devices[device] = sort
        return sort


def parse_mount(line: bytes) -> tuple[int, str, bytes, str]:
    """Of a line of mountinfo: the mount, its device as maps writes it, its place, and its kind."""
    # "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": proc_pid_mountinfo(5)
    before, _, after = line.partition(b" - ")
    mount, _, device, _, place = before.split(b" ", 5)[:5]
    major, _, minor = device.partition(b":")
    kind = after.split(b" ", 1)[0].decode("ascii", "replace")
    return int(mount), f"{int(major):02x}:{int(minor):02x}", _unescaped(place), kind


def _unescaped(place: bytes) -> bytes:
    # mangle_path in fs/seq_file.c: blanks, newlines and backslashes, in octal
    for code in (b"\\040", b"\\011", b"\\012", b"\\134"):
        place = place.replace(code, bytes([int(code[1:], 8)]))
    return place
