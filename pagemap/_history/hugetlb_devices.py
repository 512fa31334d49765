"""Which devices are of hugetlb, for kernels that do not tell of one mapping (before Linux 6.11)."""

from __future__ import annotations

# all that is needed, for a signal handler that interrupted an import would get half of it
from pagemap._analyses.backing import Backing
from pagemap._kernel import maps_blocks, smaps_accounts  # noqa: F401
from pagemap._native.counting import HUGETLB
from pagemap._native.lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._space.live_space import LiveSpace

__all__ = ["hugetlb_devices"]


def hugetlb_devices(process: LiveSpace) -> list[tuple[int, int]]:
    """Major and minor numbers of the devices behind its mappings of hugetlb."""
    backing = Backing(process)
    backing.of(Lines.of_blocks(process.maps_blocks()))
    return sorted(
        (int(major, 16), int(minor, 16))
        for dev, kind in backing.devices.items()
        if kind == HUGETLB
        for major, minor in (dev.split(":"),)
    )
