"""Pages of shared memory in swap, which no page table shows, counted without smaps.

The page cache of the file has an entry for each of them, and cachestat(2) counts those of a range
since Linux 6.5: without the lock of any process, in 30 us for a small mapping, 1 ms for 64 MiB. The
file is reached through /proc/PID/map_files, which needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE,
and looks for the mapping under the lock, as reading maps does. It is opened only once it is known
to be a regular file, and the one that is mapped: a device's driver would notice.
"""

from __future__ import annotations

import os
from stat import S_ISREG

from pagemap._kernel.shmem_devices import devices_without_shmem
from pagemap._native.procmap import swapped_shmem
from pagemap._vocabulary.rows.mapping import of_a_file
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["SwappedShmem"]


class SwappedShmem:
    """How much of each mapping of a process is shared memory in swap."""

    def __init__(self, process: AddressSpace) -> None:
        self._in_use = process.machine.swaps_in_use() is not False
        self._process = process
        self._others: frozenset[str] | None = None

    def pages(self, mapping: Mapping) -> int | None:
        """The number of its pages in swap that have no entry; None where nobody tells."""
        if not self._in_use or not self._may_have(mapping):
            return 0
        if mapping.perms[3] != "s" and mapping.perms[1] == "w":
            return None  # of what it has copied, the file's page may be in swap as well
        try:
            return self._ask(mapping)
        except OSError:
            return None  # no right to it, an older kernel, or it was unmapped meanwhile

    def _may_have(self, mapping: Mapping) -> bool:
        """Whether it may be of shared memory: that lies on no block device, whatever its name."""
        if not of_a_file(mapping.dev, mapping.inode) or not mapping.dev.startswith("00:"):
            return False
        if self._others is None:
            self._others = devices_without_shmem(self._process.folder.peek("mountinfo") or b"")
        return mapping.dev not in self._others

    def _ask(self, mapping: Mapping) -> int | None:
        name = f"map_files/{mapping.start:x}-{mapping.end:x}"
        place = self._process.folder.open(name, os.O_PATH)
        try:
            about = os.fstat(place)
            device = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}"
            if not S_ISREG(about.st_mode) or (device, about.st_ino) != (mapping.dev, mapping.inode):
                return None
            file = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(place)
        try:
            pages = mapping.size >> PAGE_SHIFT
            return swapped_shmem(file, mapping.offset >> PAGE_SHIFT, pages, PAGE_SHIFT)
        finally:
            os.close(file)
