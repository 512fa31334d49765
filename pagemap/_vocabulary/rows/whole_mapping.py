"""The columns of `maps` that smaps alone tells of a mapping, beside those of `TALLIES`."""

from __future__ import annotations

from pagemap._vocabulary.rows.footprint import MAPPING_FOOTPRINTS
from pagemap._vocabulary.rows.tally import TALLIES
from pagemap._vocabulary.schema import Column, Schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["OF_SMAPS", "WHOLE_MAPPINGS", "with_smaps"]

OF_SMAPS = (
    *("pss", "swap_pss", "referenced", "lazyfree", "locked", "dirty", "clean", "ksm"),
    *("anon_huge", "shmem_huge", "file_huge", "thp_eligible"),
    *("kernel_page_size", "mmu_page_size", "protection_key", "vm_flags"),
)
"""Their names."""


def with_smaps(names: Iterable[str]) -> Schema[Any]:
    """The columns of `TALLIES`, and of these those that are named, which no width shows."""
    found = [MAPPING_FOOTPRINTS[name] for name in OF_SMAPS if name in set(names)]
    more = [
        Column(
            each.name,
            each.type,
            each.unit,
            each.meaning,
            nullable=True,
            adds=each.adds,
            source=each.source,
        )
        for each in found
    ]
    return Schema(TALLIES.name, TALLIES.version, [*TALLIES, *more])


WHOLE_MAPPINGS = with_smaps(OF_SMAPS)
