"""What the files about frames are enough for, and what has to do with no process."""

from __future__ import annotations

from errno import ENOSYS

from pagemap._analyses.findings import failed, wanting
from pagemap._kernel import nodes
from pagemap._native import probes
from pagemap._vocabulary.rows.finding import FindingRow

__all__ = ["of_frames", "of_machine"]


def of_frames(
    pfns: FindingRow, flags: FindingRow, counts: FindingRow, cgroups: FindingRow
) -> list[FindingRow]:
    """What is made of the files about frames, by what was found of these."""
    counted = "all frames are counted, and by memory cgroup"
    if not cgroups.ok:
        counted = f"all frames are counted; not by memory cgroup, for want of {cgroups.name}"
    return [
        wanting("snapshot frames", pfns, flags, counts)
        or FindingRow("snapshot frames", True, "snapshots can hold what is known of each frame"),
        wanting("memory", flags) or FindingRow("memory", True, counted),
        wanting("free-if", pfns, flags, counts)
        or FindingRow("free-if", True, "frames that only some processes have are counted"),
    ]


def of_machine(sysfs: str) -> list[FindingRow]:
    """What has to do with no process."""
    return [_cachestat(), _nodes(sysfs)]


def _cachestat() -> FindingRow:
    name = "cachestat"
    try:
        tells = probes.cachestat()
    except OSError as error:
        return failed(name, error)
    if tells:
        return FindingRow(name, True, "tells what is cached of a file, dirty and evicted too")
    return FindingRow(
        name,
        False,
        "mincore(2) tells instead: of one's own files alone, and not what is dirty or evicted",
        "Linux 6.5 or later; no seccomp filter that forbids it",
        ENOSYS,
    )


def _nodes(sysfs: str) -> FindingRow:
    name = "NUMA nodes"
    found = len(nodes.numbers(sysfs))
    if found:
        return FindingRow(name, True, f"{found} online")
    return FindingRow(
        name, False, f"{sysfs}/devices/system/node tells of none", "CONFIG_NUMA=y; sysfs mounted"
    )
