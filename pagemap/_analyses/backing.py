"""What backs a mapping: hugetlb, shared memory, or a file.

No name tells: a file may be called as the kernel calls a mapping of hugetlb. The device does. All
mappings of one device are of one file system, whose type is in mountinfo where it is mounted; of
one that is not (memfds, System V's shared memory, hugetlb without a file) the kernel is asked.
"""

from __future__ import annotations

import os
from errno import ENOENT, ENOTTY, EPERM, ESRCH

from pagemap._errors import Unsupported
from pagemap._kernel.shmem_devices import file_systems, nowhere_mounted
from pagemap._native import procmap
from pagemap._native.counting import (
    BACKINGS,
    EITHER,
    FILE,
    HUGETLB,
    NO_FILE,
    NONE,
    SHMEM,
    backing_of,
)
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pagemap._kernel.smaps_accounts import Account
    from pagemap._native.lines import Lines
    from pagemap._space.address_space import AddressSpace

__all__ = ["Backing", "may_be_shared", "status"]

# File systems without a device of blocks have major number 0; memory without a file has 00:00.
_OF_NO_BLOCKS = "00:"
_OF_NO_FILE = "00:00"
_TRIES = 8  # mappings of a device that may be gone before the kernel is asked about them
_SYSTEMS = {b"tmpfs": SHMEM, b"hugetlbfs": HUGETLB}
# of either, and those that show another file system's files, of whichever kind
_UNTOLD = frozenset({b"devtmpfs", b"ramfs", b"rootfs", b"overlay", b"aufs", b"ecryptfs"})
# The kernel's names of memory without a file, and of no device as [vdso] is.
_ANONYMOUS = ("", "[heap]", "[stack]")
_NAMED = ("[anon:", "[stack:")


class Backing:
    """What is known of the devices behind a process's mappings, for the length of one walk."""

    def __init__(self, process: AddressSpace, known: Mapping[str, int] | None = None) -> None:
        """`known` is what was found of devices before, by way of other processes."""
        self._process = process
        self._known: dict[str, int] = {**process.devices(), **(known or {}), _OF_NO_FILE: NO_FILE}
        self._systems: dict[str, bytes] | None = None
        self._accounts: dict[int, Account] | None = None

    def of(self, lines: Lines) -> bytearray:
        """The backing of each mapping, as csrc/analyses/tally.cdef.h has it."""
        devices = lines.devices.words
        self._learn(lines, devices)
        return backing_of(
            lines,
            bytes([word.endswith("p") for word in lines.perms.words]),
            bytes([self._known.get(dev, FILE) for dev in devices]),
            bytes(
                [
                    NONE if word in _ANONYMOUS or word.startswith(_NAMED) else FILE
                    for word in lines.paths.words
                ]
            ),
        )

    @property
    def devices(self) -> dict[str, int]:
        """What backs the mappings of each device that was met."""
        return dict(self._known)

    def hugetlb(self, lines: Lines) -> bytes | None:
        """1 for each mapping of hugetlb, else 0; None where none is."""
        kinds = self.of(lines)
        return bytes(kind == HUGETLB for kind in kinds) if HUGETLB in kinds else None

    def _learn(self, lines: Lines, devices: list[str]) -> None:
        """Find out about devices that are not of blocks."""
        new = [
            number
            for number, dev in enumerate(devices)
            if dev.startswith(_OF_NO_BLOCKS) and dev not in self._known
        ]
        if not new:
            return
        if not self._process.live:  # nobody can be asked any more
            self._known.update((devices[number], EITHER) for number in new)
            return
        if self._systems is None:
            self._systems = file_systems(self._process.folder.peek("mountinfo") or b"")
        samples: dict[int, list[tuple[int, int]]] = {}
        for number in new:
            system = self._systems.get(devices[number])
            if system is None or system in _UNTOLD:
                samples[number] = []
            else:
                self._known[devices[number]] = _SYSTEMS.get(system, FILE)
        if not samples:
            return
        for number, start, inode in zip(
            lines.devices.codes, lines.bounds[::2], lines.inodes, strict=True
        ):
            if number in samples and len(samples[number]) < _TRIES:
                samples[number].append((start, inode))
        self._ask({devices[number]: each for number, each in samples.items()})

    def _ask(self, devices: dict[str, list[tuple[int, int]]]) -> None:
        """Whether they are of hugetlb, by the kernel's word of some of their mappings."""
        ours = nowhere_mounted()
        for dev in devices:
            self._known[dev] = SHMEM if dev == ours else EITHER
        try:
            fd = self._process.folder.open("maps")
        except OSError:
            fd = -1
        try:
            for dev, samples in devices.items():
                if any(_is_hugetlb(fd, dev, *each) for each in samples):
                    self._known[dev] = HUGETLB
        except OSError as error:
            if error.errno not in (ENOTTY, EPERM, ESRCH):
                raise
            if self._may_have_hugetlb():  # before Linux 6.11
                self._by_smaps(devices)
        finally:
            if fd >= 0:
                os.close(fd)

    def _may_have_hugetlb(self) -> bool:
        return status(self._process.folder.read("status"), b"HugetlbPages") != 0

    def _by_smaps(self, devices: dict[str, list[tuple[int, int]]]) -> None:
        for dev, samples in devices.items():
            known = (self.account(start) for start, _ in samples)
            if any(account is not None and account.hugetlb for account in known):
                self._known[dev] = HUGETLB

    def account(self, start: int) -> Account | None:
        """What smaps says of the mapping there; None where it cannot be read, or has it not."""
        if self._accounts is None:
            self._accounts = self._read_accounts()
        return self._accounts.get(start)

    def _read_accounts(self) -> dict[int, Account]:
        from pagemap._kernel import smaps_accounts as accounts

        try:
            with open(self._process.folder.open("smaps"), "rb") as file:
                return accounts.parse(file)
        except OSError as error:
            if error.errno in (ENOENT, ESRCH):
                self._process.check()
            return {}
        except Unsupported:  # of a snapshot that was taken without
            return {}

    def swapped_shmem(self, start: int) -> int | None:
        """The pages of the mapping there in swap that have no entry, where that was saved."""
        return self._process.swapped_shmem(start)


def may_be_shared(kind: int) -> bool:
    """Whether a mapping may be of shared memory, whose swapped pages no page table tells."""
    return kind & BACKINGS in (SHMEM, EITHER)


def _is_hugetlb(fd: int, dev: str, start: int, inode: int) -> bool:
    """By PROCMAP_QUERY. Raises OSError where that cannot be used."""
    try:
        vma = procmap.vma_at(fd, start)
    except OSError as error:
        if error.errno == ENOENT:  # unmapped meanwhile
            return False
        raise
    device = f"{vma.dev_major:02x}:{vma.dev_minor:02x}"
    same = (vma.start, vma.inode, device) == (start, inode, dev)
    return same and vma.page_size > PAGE_SIZE


def status(text: bytes, name: bytes) -> int:
    """The bytes after `name` in the text of /proc/PID/status; 0 where it has no such line."""
    _, found, rest = text.partition(b"\n" + name + b":")
    return int(rest.split(None, 1)[0]) << 10 if found else 0
