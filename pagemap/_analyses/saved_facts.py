"""What is to be kept of a process beside its mappings and entries, so that both can be read later.

Files of this machine tell what stands behind a mapping and how much of it is in swap. They tell it
while the process lives; of a snapshot nobody can ask.
"""

from __future__ import annotations

from pagemap._analyses.backing import Backing, may_be_shared
from pagemap._analyses.swapped_shmem import SwappedShmem
from pagemap._kernel.maps import mappings_of
from pagemap._native.lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._space.address_space import AddressSpace

__all__ = ["facts_of"]


def facts_of(process: AddressSpace, text: bytes) -> dict[str, object]:
    """The facts about the mappings in `text`, of maps, as JSON has them.

    `devices` says what backs the mappings of each device (`enum pm_backing` of tally.cdef.h);
    `shmem_swap` how many pages of each mapping that may be of shared memory lie in swap without an
    entry, by its start in hexadecimal: None where nobody tells. It is empty where nothing is in
    swap. `may_have_swapped` says whether anything is.
    """
    lines = Lines(text)
    backing = Backing(process)
    kinds = backing.of(lines)
    swapped = process.machine.may_have_swapped()
    pages: dict[str, int | None] = {}
    if swapped:
        shmem = SwappedShmem(process)
        for kind, mapping in zip(kinds, mappings_of(lines), strict=True):
            if may_be_shared(kind):
                pages[f"{mapping.start:x}"] = shmem.pages(mapping)
    return {"devices": backing.devices, "shmem_swap": pages, "may_have_swapped": swapped}
