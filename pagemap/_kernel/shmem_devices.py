"""The file system of each device in maps, from /proc/PID/mountinfo."""

from __future__ import annotations

import os

from pagemap._kernel.decimals import number

__all__ = ["devices_of_shmem", "devices_without_shmem", "file_systems", "nowhere_mounted"]

# File systems whose files are, or may be, pages of shared memory; the last three show another
# file system's files under a device of their own.
_SHMEM = frozenset({b"tmpfs", b"devtmpfs", b"ramfs", b"rootfs", b"overlay", b"aufs", b"ecryptfs"})
_FIELDS = 6  # of a mount, at least, before the optional ones


def devices_without_shmem(mountinfo: bytes) -> frozenset[str]:
    """The devices, as maps writes them, of file systems whose files are surely no shared memory."""
    systems = file_systems(mountinfo)
    return frozenset(device for device, system in systems.items() if system not in _SHMEM)


def devices_of_shmem(mountinfo: bytes) -> frozenset[str]:
    """The devices, as maps writes them, whose files are surely shared memory."""
    found = {device for device, each in file_systems(mountinfo).items() if each == b"tmpfs"}
    ours = nowhere_mounted()
    return frozenset(found if ours is None else {*found, ours})


def nowhere_mounted() -> str | None:
    """The device of memfds, shared anonymous memory and System V's, which is in no mountinfo."""
    try:
        fd = os.memfd_create("device", os.MFD_CLOEXEC)
    except OSError:
        return None
    try:
        number = os.fstat(fd).st_dev
    finally:
        os.close(fd)
    return f"{os.major(number):02x}:{os.minor(number):02x}"


def file_systems(mountinfo: bytes) -> dict[str, bytes]:
    """The types of file systems, by their devices as maps writes them.

    A line that is cut, or is none of mountinfo, tells nothing.
    """
    found = {}
    for line in mountinfo.split(b"\n")[:-1]:  # the last may be cut
        fields, _, system = line.partition(b" - ")
        words = fields.split(b" ")
        if len(words) < _FIELDS:
            continue
        major, minor = map(number, words[2].partition(b":")[::2])
        if major is not None and minor is not None:
            found[f"{major:02x}:{minor:02x}"] = system.split(b" ")[0]
    return found
