"""What is to be kept of a process beside its mappings and entries, so that both can be read later.

Files of this machine tell what stands behind a mapping and how much of it is in swap. They tell it
while the process lives; of a snapshot nobody can ask.
"""

from __future__ import annotations

from pagemap._analyses.backing import Backing, may_be_shared
from pagemap._analyses.node_parts import NodeParts
from pagemap._analyses.swapped_shmem import SwappedShmem
from pagemap._errors import PagemapError
from pagemap._kernel.maps import mappings_of
from pagemap._kernel.task import page_tables, size_and_shmem
from pagemap._kernel.zones import NO_END
from pagemap._native.counting import BACKINGS, HUGETLB, SHMEM
from pagemap._native.lines import Lines
from pagemap._native.scan import Query, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._space.address_space import AddressSpace
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = ["facts_of", "sums_of"]

_MOST_NODES = 1 << 12
"""Ranges of frames: of as many a machine has, some; of more a part is kept."""


def facts_of(process: AddressSpace, text: bytes) -> dict[str, object]:
    """The facts about the mappings in `text`, of maps, as JSON has them.

    `devices` says what backs the mappings of each device (`enum pm_backing` of tally.cdef.h);
    `shmem_swap` how many pages of each mapping that may be of shared memory lie in swap without an
    entry, by its start in hexadecimal: None where nobody tells. It is empty where nothing is in
    swap. `may_have_swapped` says whether anything is. `passed_over` has the starts of mappings that
    a scan passes over, because a driver maps what has no struct page (VM_PFNMAP). `nodes` says
    which frames are of which node, as ``[start, end, node]``; `ksm_told` whether the flag KSM of a
    frame is to be believed (`FrameReader.tells_ksm`).
    """
    lines = Lines(text)
    backing = Backing(process)
    kinds = backing.of(lines)
    swapped = process.machine.may_have_swapped()
    pages: dict[str, int | None] = {}
    passed_over: list[int] = []
    shmem = SwappedShmem(process)
    for kind, mapping in zip(kinds, mappings_of(lines), strict=True):
        if swapped and may_be_shared(kind):
            pages[f"{mapping.start:x}"] = shmem.pages(mapping)
        if _may_be_a_drivers(mapping, kind) and _is_passed_over(process, mapping):
            passed_over.append(mapping.start)
    return {
        "devices": backing.devices,
        "shmem_swap": pages,
        "may_have_swapped": swapped,
        "passed_over": passed_over,
        "nodes": _nodes(process),
        "ksm_told": _ksm_told(process),
    }


def _nodes(process: AddressSpace) -> list[list[int]]:
    """The frames of each node; where there is one node, or no more may be told, any."""
    found = NodeParts(process.procfs)
    if found.only is not None and not (found.parts and process.pfns_visible):
        return [[0, NO_END, found.only]]
    if not process.pfns_visible:
        return []
    return [list(each) for each in found.parts[:_MOST_NODES]]


def _ksm_told(process: AddressSpace) -> bool | None:
    if not process.pfns_visible:
        return None
    try:
        with process.frame_reader("save facts") as frames:
            return frames.tells_ksm()
    except PagemapError:
        return None


def sums_of(process: AddressSpace) -> dict[str, object]:
    """What its footprint needs beside smaps, as JSON has it.

    `rollup` is the text of smaps_rollup (None before Linux 4.14), which smaps does not add up to:
    that has whole kilobytes of each mapping. `size`, `resident_shmem` and `page_tables` are in
    bytes. `shmem` are devices whose files are surely shared memory, `files` those whose files
    surely are not.
    """
    folder = process.folder
    shmem, files = process.devices_by_shmem()
    try:
        rollup: str | None = folder.read("smaps_rollup").decode("ascii", "replace")
    except PagemapError:
        rollup = None
    size, shmem_size = size_and_shmem(folder)
    return {
        "rollup": rollup,
        "size": size,
        "resident_shmem": shmem_size,
        "page_tables": page_tables(folder),
        "shmem": sorted(shmem),
        "files": sorted(files),
    }


def _may_be_a_drivers(mapping: Mapping, kind: int) -> bool:
    """Whether it is of a file on no block device that is no memory either."""
    of_memory = kind & BACKINGS in (SHMEM, HUGETLB)
    return mapping.inode != 0 and mapping.dev.startswith("00:") and not of_memory


def _is_passed_over(process: AddressSpace, mapping: Mapping) -> bool:
    """Whether a scan for any page at all finds none."""
    if not process.can_scan:
        return False
    every = Query(all_of=0, any_of=0, none_of=0, returned=0, max_pages=1)
    try:
        return not scan(process.source, every, mapping.start, mapping.end, 1)[0]
    except OSError:
        return False  # unmapped meanwhile, or past the end
