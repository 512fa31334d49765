"""What commands say where exclusive pages are by the page table's word alone."""

from __future__ import annotations

from pagemap._analyses.tally import Tally, exclusive_by, total
from pagemap._analyses.tally_plan import BY_MAP_COUNT
from pagemap._cli.messages import complain
from pagemap._render.table import compact_size
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pagemap._process import Process

__all__ = ["warn", "warn_of_huge_pages"]


def warn(sums: Mapping[str, int | None]) -> None:
    """Say what exclusive is worth, if any of these pages may be of transparent huge pages."""
    huge = (sums["huge"] or 0) - (sums["hugetlb"] or 0)
    if huge > 0:
        complain(
            f"of {compact_size(huge << PAGE_SHIFT)} in huge pages EXCLUSIVE is the page table's "
            "word: on Linux 6.15 and later all of one is as its first page is; run with sudo"
        )


def warn_of_huge_pages(process: Process) -> None:
    """The same, of a process, whose huge pages are counted for that."""
    if process.can_scan and exclusive_by(process) != BY_MAP_COUNT:
        found: list[Tally] = [each for _, each in process.tally(["huge", "hugetlb"])]
        warn(total(found)._asdict())
