"""What `dump` says beside its rows, and its exit code."""

from __future__ import annotations

from pagemap._vocabulary.flags import ENTRY_FLAGS
from pagemap._vocabulary.names import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._cli.patterns import Patterns
    from pagemap._methods import ProcessMethods

__all__ = ["judge", "remark"]

# the columns of the text table that some kernels do not provide
_TEXT = sum(1 << flag.bit for flag in ENTRY_FLAGS if flag.name in ("soft_dirty", "file_or_shared"))


def remark(process: ProcessMethods, form: str, words: set[str], *, exclusive: bool) -> None:
    """Report what the rows cannot show."""
    from pagemap._cli.messages import complain

    if process.kernel_thread:
        complain(f"process {process.pid} is a kernel thread: it has no mappings to dump")
        return
    asked = sum(1 << flag.bit for flag in ENTRY_FLAGS if flag.name in words)
    if asked & ~process.machine.told(asked):
        return  # there will be no rows, but an error that says why
    if not process.pfns_visible:
        complain(f"PFNs of process {process.pid} are left out: {process.machine.why_hidden}")
        if "swap" in words and process.machine.swaps_in_use() is not False:
            complain(
                "some pages that match swap may not be in swap (userfaultfd markers, for example): "
                "the kernel hides which"
            )
    if exclusive:
        from pagemap._cli.exclusive import warn_of_huge_pages

        warn_of_huge_pages(process)
    if form == "text":
        untold = _TEXT & ~process.machine.told(_TEXT)
        for flag in ENTRY_FLAGS:
            if untold >> flag.bit & 1:
                complain(
                    f"{spell(flag.name)} is 0 for every page: {process.machine.why_not(flag.name)}"
                )


def judge(process: ProcessMethods, patterns: Patterns, *, some: bool, where: str) -> int:
    """The exit code of a complete dump: 1 if something that was asked for was not there."""
    from pagemap._cli.messages import complain

    if patterns.unused:
        for text in patterns.unused:
            complain(f"no mapping of process {process.pid} matches the pattern {text!r}")
        return 1
    if not some:
        complain(f"process {process.pid} has no pages {where}")
        return 1
    return 0
