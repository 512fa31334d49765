"""/proc/iomem: which physical addresses are memory, as the firmware says."""

from __future__ import annotations

from pagemap._kernel.regular import open_told
from pagemap._vocabulary.units import PAGE_SHIFT, PAGE_SIZE

__all__ = ["system_ram"]

_MOST = 1 << 24  # bytes of the file
_RAM = "System RAM"


def system_ram(procfs: str = "/proc") -> list[tuple[int, int]] | None:
    """The whole frames that are memory, as ranges of PFNs ``(start, end)``, in order.

    None where that is not told: without CAP_SYS_ADMIN all addresses read as 0 (kernel/resource.c),
    and a /proc mounted with subset=pid has no such file. What drivers added later (kmem, hot plug)
    is ``System RAM (...)``.
    """
    try:
        with open(f"{procfs}/iomem", "rb", opener=open_told) as file:
            lines = file.read(_MOST).decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        place, _, name = line.partition(" : ")
        first, _, last = place.strip().partition("-")
        if name.strip() != _RAM and not name.strip().startswith(f"{_RAM} ("):
            continue
        try:
            start, end = int(first, 16), int(last, 16) + 1
        except ValueError:
            continue
        whole = (start + PAGE_SIZE - 1) >> PAGE_SHIFT, end >> PAGE_SHIFT
        if whole[0] < whole[1]:
            found.append(whole)
    return _joined(found) or None


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined
