"""What stands behind mappings: which are of hugetlb, and which may be of shared memory.

No name tells: a file may be called as the kernel calls a mapping of hugetlb. The device does. All
mappings of one device are of one file system, so the kernel is asked once for each device.
"""

from __future__ import annotations

import os
from errno import ENOENT, ENOTTY, EPERM, ESRCH

from pagemap._errors import PagemapError
from pagemap._kernel.shmem_devices import devices_without_shmem
from pagemap._native import procmap
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._kernel.smaps_accounts import Account
    from pagemap._space.handle import Handle
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["Backing"]

# File systems without a device of blocks have major number 0; memory without a file has 00:00.
_OF_NO_BLOCKS = b" 00:"
_OF_NO_FILE = b" 00:00 0"
_TRIES = 8  # mappings of a device that may be gone before the kernel is asked about them


class Backing:
    """What is known of the devices behind a process's mappings, for the length of one walk."""

    def __init__(self, process: Handle) -> None:
        self._process = process
        self._hugetlb: dict[str, bool] = {}
        self._not_shared: frozenset[str] | None = None
        self._accounts: dict[int, Account] | None = None

    @staticmethod
    def only_disks(text: bytes) -> bool:
        """Whether all files in this text of maps are on devices of blocks, as disks are."""
        return text.count(_OF_NO_BLOCKS) == text.count(_OF_NO_FILE)

    def hugetlb(self, text: bytes, mappings: Sequence[Mapping]) -> bytes | None:
        """1 for each mapping of hugetlb, else 0; None where none is. `text` is that of maps."""
        if self.only_disks(text):
            return None
        wanted: dict[str, list[Mapping]] = {}
        for mapping in mappings:
            if mapping.inode and mapping.dev.startswith("00:"):
                wanted.setdefault(mapping.dev, []).append(mapping)
        if new := {dev: each for dev, each in wanted.items() if dev not in self._hugetlb}:
            self._ask(new)
        huge = {dev for dev in wanted if self._hugetlb[dev]}
        if not huge:
            return None
        return bytes(mapping.inode != 0 and mapping.dev in huge for mapping in mappings)

    def _ask(self, devices: dict[str, list[Mapping]]) -> None:
        try:
            fd = self._process.folder.open("maps")
        except OSError:
            fd = -1
        try:
            for dev, mappings in devices.items():
                self._hugetlb[dev] = any(_is_hugetlb(fd, each) for each in mappings[:_TRIES])
        except OSError as error:
            if error.errno not in (ENOTTY, EPERM, ESRCH):
                raise
            self._hugetlb.update(dict.fromkeys(devices, False))
            if self._may_have_hugetlb():  # before Linux 6.11
                self._by_smaps(devices)
        finally:
            if fd >= 0:
                os.close(fd)

    def _may_have_hugetlb(self) -> bool:
        return status(self._process.folder.read("status"), b"HugetlbPages") != 0

    def _by_smaps(self, devices: dict[str, list[Mapping]]) -> None:
        for dev, mappings in devices.items():
            known = filter(None, map(self.account, mappings))
            self._hugetlb[dev] = any(account.hugetlb for account in known)

    def may_be_shared(self, mapping: Mapping) -> bool:
        """Whether it may be of shared memory, whose swapped pages no page table tells."""
        if not mapping.inode or not mapping.dev.startswith("00:"):
            return False
        if self._hugetlb.get(mapping.dev):
            return False
        if self._not_shared is None:
            self._not_shared = self._other_devices()
        return mapping.dev not in self._not_shared

    def _other_devices(self) -> frozenset[str]:
        """Devices of the target's mounts that surely hold no shared memory, as those of proc."""
        try:
            text = self._process.folder.read("mountinfo")
        except PagemapError:
            return frozenset()
        return devices_without_shmem(text)

    def account(self, mapping: Mapping) -> Account | None:
        """What smaps says of it; None where it cannot be read, or no longer has it."""
        if self._accounts is None:
            self._accounts = self._read_accounts()
        return self._accounts.get(mapping.start)

    def _read_accounts(self) -> dict[int, Account]:
        from pagemap._kernel import smaps_accounts as accounts

        try:
            with open(self._process.folder.open("smaps"), "rb") as file:
                return accounts.parse(file)
        except OSError as error:
            if error.errno in (ENOENT, ESRCH):
                self._process.check()
            return {}


def _is_hugetlb(fd: int, mapping: Mapping) -> bool:
    """By PROCMAP_QUERY. Raises OSError where that cannot be used."""
    try:
        vma = procmap.vma_at(fd, mapping.start)
    except OSError as error:
        if error.errno == ENOENT:  # unmapped meanwhile
            return False
        raise
    same = (vma.start, vma.inode) == (mapping.start, mapping.inode)
    device = f"{vma.dev_major:02x}:{vma.dev_minor:02x}"
    return same and device == mapping.dev and vma.page_size > PAGE_SIZE


def status(text: bytes, name: bytes) -> int:
    """The bytes after `name` in the text of /proc/PID/status; 0 where it has no such line."""
    _, found, rest = text.partition(b"\n" + name + b":")
    return int(rest.split(None, 1)[0]) << 10 if found else 0
