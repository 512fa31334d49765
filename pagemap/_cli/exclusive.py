"""The warning where exclusive pages are counted from the page table only."""

from __future__ import annotations

from pagemap._analyses.tally import uss_by
from pagemap._analyses.tally_plan import BY_MAP_COUNT
from pagemap._cli.messages import complain
from pagemap._vocabulary.units import compact_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._methods import ProcessMethods

__all__ = ["remedy", "warn", "warn_of_huge_pages"]


def remedy(process: ProcessMethods) -> str:
    """What makes it right."""
    if process.live:
        return "run with sudo"
    return "a snapshot that was taken as root with --frames tells"


def warn(huge: int, column: str, what_to_do: str) -> None:
    """Say that the column may be wrong, if any of these pages may be in transparent huge pages."""
    if huge > 0:
        complain(
            f"{column} of {compact_size(huge)} in huge pages is taken from the page table, which "
            f"from Linux 6.15 on reports all of a huge page like its first page; {what_to_do}"
        )


def warn_of_huge_pages(process: ProcessMethods) -> None:
    """The same, of a process, whose huge pages are counted for that."""
    if process.can_scan and uss_by(process) != BY_MAP_COUNT:
        sums = process.tally(["huge", "hugetlb"]).total()
        warn((sums.huge or 0) - (sums.hugetlb or 0), "EXCLUSIVE", remedy(process))
