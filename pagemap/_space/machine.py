"""The machine that a target runs on: what its kernel tells, and what is the same for all of it."""

from __future__ import annotations

import os
import time

from pagemap._kernel import features, meminfo, swap_types
from pagemap._kernel.regular import open_told
from pagemap._native import procmap
from pagemap._native.descriptors import CLOSED, Descriptor
from pagemap._vocabulary.units import PAGE_SIZE

__all__ = ["Machine", "moment"]

_boot: dict[str, str | None] = {}


class Machine:
    """This machine, by the proc file system at `procfs`."""

    __slots__ = ("procfs",)

    def __init__(self, procfs: str = "/proc") -> None:
        self.procfs: str = procfs

    def told(self, wanted: int = features.ALL) -> int:
        """Those of the flags `wanted`, as bits of an entry, that the kernel tells."""
        return features.bits(self.procfs, wanted)

    def require_told(self, wanted: int, pid: int) -> None:
        """Raise Unsupported where the kernel does not tell one of the flags `wanted`."""
        features.require(wanted, procfs=self.procfs, pid=pid)

    def why_not(self, name: str) -> str:
        """Why a flag is not told, and what it takes."""
        return features.why_not(name)

    @property
    def why_hidden(self) -> str:
        """Why PFNs and places in swap are not visible, and what to do."""
        return (
            "the kernel hides them without CAP_SYS_ADMIN (in the initial user namespace); "
            "run with sudo"
        )

    def swap_kinds(self) -> bytes:
        """For each of the 32 types of swap entries the number of its kind."""
        return swap_types.kinds()

    def swaps_in_use(self) -> bool | None:
        """Whether any page is in a swap area (/proc/swaps); None where that is not told."""
        return swap_types.in_use(self.procfs)

    def may_have_swapped(self) -> bool:
        """Whether any page may be in a swap area, by a system call: for those in a hurry."""
        return procmap.swap_in_use()

    def memory(self) -> int | None:
        """All memory of the machine, in bytes (MemTotal); None where that is not told."""
        return meminfo.total(procfs=self.procfs)

    def node_parts(self) -> list[tuple[int, int, int]] | None:
        """Which frames are of which node, ``(start, end, node)``; None: it is this machine."""
        return None

    def memory_end(self) -> int:
        """The first PFN past all memory (/proc/zoneinfo)."""
        from pagemap._kernel.zones import memory_end

        return memory_end(self.procfs)

    def zero_frames(self, flags: int) -> tuple[int, int]:
        """The first of the small pages of zeros, and how many there are, by a file of `flags`."""
        from pagemap._kernel.zero_frames import zero_frames

        return zero_frames(flags)

    def pmd_order(self) -> int | None:
        """The order of what a PMD maps; None without transparent huge pages."""
        from pagemap._kernel.thp import pmd_order

        return pmd_order()

    def least_anon_order(self) -> int | None:
        """The least order of all anonymous huge pages that there are now; None: not known."""
        from pagemap._kernel.thp import least_anon_order

        return least_anon_order()

    def open_frames(self, name: str) -> int:
        """A file about frames, as kpageflags; CLOSED where it cannot be read."""
        try:
            return Descriptor(open_told(f"{self.procfs}/{name}", os.O_RDONLY))
        except OSError:
            return CLOSED

    def about(self, begin: float) -> dict[str, object]:
        """What holds for all of a result that was begun at `begin`, and ends now."""
        return {
            **self.identity(),
            "page_size": PAGE_SIZE,
            "begin": moment(begin),
            "end": moment(time.time()),
        }

    def identity(self) -> dict[str, object]:
        """Which machine it is, and since when it runs; None for what a copy of /proc lacks."""
        machine = os.uname()
        here = self.procfs == "/proc"
        return {
            "host": machine.nodename if here else _told(self.procfs, "hostname"),
            "kernel": machine.release if here else _told(self.procfs, "osrelease"),
            "boot_id": _boot_id(self.procfs),
        }


def moment(seconds: float) -> str:
    """A time since 1970 as text, in UTC.

    >>> moment(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{thousandths:03}Z"


def _told(procfs: str, name: str) -> str | None:
    try:
        with open(f"{procfs}/sys/kernel/{name}", "rb", opener=open_told) as file:
            return file.read(256).decode("utf-8", "replace").strip()
    except OSError:
        return None


def _boot_id(procfs: str) -> str | None:
    """What the kernel drew at its start (drivers/char/random.c); it stays as long as it runs."""
    if procfs not in _boot:
        try:
            with open(f"{procfs}/sys/kernel/random/boot_id", "rb", opener=open_told) as file:
                _boot[procfs] = file.read(64).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            _boot[procfs] = None
    return _boot[procfs]
