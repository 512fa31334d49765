"""/sys/kernel/mm/ksm: how many frames KSM has merged pages into."""

from __future__ import annotations

from pagemap._vocabulary.units import PAGE_SIZE

__all__ = ["merged"]


def merged(sysfs: str = "/sys") -> int | None:
    """The bytes of frames that hold merged pages; None without CONFIG_KSM, or sysfs."""
    try:
        with open(f"{sysfs}/kernel/mm/ksm/pages_shared", "rb", buffering=0) as file:
            return int(file.read()) * PAGE_SIZE
    except (OSError, ValueError):
        return None
