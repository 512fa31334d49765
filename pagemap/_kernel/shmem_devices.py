"""Which devices, as maps names them, may hold shared memory: /proc/PID/mountinfo tells."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["devices_of_shmem", "devices_without_shmem"]

# File systems whose files are, or may be, pages of shared memory; the last three show another
# file system's files under a device of their own.
_SHMEM = frozenset({b"tmpfs", b"devtmpfs", b"ramfs", b"rootfs", b"overlay", b"aufs", b"ecryptfs"})
_FIELDS = 6  # of a mount, at least, before the optional ones


def devices_without_shmem(mountinfo: bytes) -> frozenset[str]:
    """The devices, as maps writes them, of file systems whose files are surely no shared memory.

    A line that is cut, or is none of mountinfo, tells nothing.
    """
    return frozenset(device for device, system in _mounts(mountinfo) if system not in _SHMEM)


def devices_of_shmem(mountinfo: bytes) -> frozenset[str]:
    """The devices, as maps writes them, whose files are surely shared memory.

    The kernel's own, of memfds, shared anonymous memory and System V, is in no list of mounts.
    """
    found = {device for device, system in _mounts(mountinfo) if system == b"tmpfs"}
    try:
        fd = os.memfd_create("device")
    except OSError:
        return frozenset(found)
    try:
        number = os.fstat(fd).st_dev
    finally:
        os.close(fd)
    return frozenset({*found, f"{os.major(number):02x}:{os.minor(number):02x}"})


def _mounts(mountinfo: bytes) -> Iterator[tuple[str, bytes]]:
    """The device of each mount, as maps writes it, and its file system."""
    for line in mountinfo.split(b"\n")[:-1]:  # the last may be cut
        fields, _, system = line.partition(b" - ")
        words = fields.split(b" ")
        if len(words) < _FIELDS:
            continue
        major, _, minor = words[2].partition(b":")
        if major.isdigit() and minor.isdigit():
            yield f"{int(major):02x}:{int(minor):02x}", system.split(b" ")[0]
