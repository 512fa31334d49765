"""Which devices, as maps names them, may hold shared memory: /proc/PID/mountinfo tells."""

from __future__ import annotations

__all__ = ["devices_without_shmem"]

# File systems whose files are, or may be, pages of shared memory; the last three show another
# file system's files under a device of their own.
_SHMEM = frozenset({b"tmpfs", b"devtmpfs", b"ramfs", b"rootfs", b"overlay", b"aufs", b"ecryptfs"})
_FIELDS = 6  # of a mount, at least, before the optional ones


def devices_without_shmem(mountinfo: bytes) -> frozenset[str]:
    """The devices, as maps writes them, of file systems whose files are surely no shared memory.

    A line that is cut, or is none of mountinfo, tells nothing.
    """
    found = set()
    for line in mountinfo.split(b"\n")[:-1]:  # the last may be cut
        fields, _, system = line.partition(b" - ")
        words = fields.split(b" ")
        if len(words) < _FIELDS or system.split(b" ")[0] in _SHMEM:
            continue
        major, _, minor = words[2].partition(b":")
        if major.isdigit() and minor.isdigit():
            found.add(f"{int(major):02x}:{int(minor):02x}")
    return frozenset(found)
