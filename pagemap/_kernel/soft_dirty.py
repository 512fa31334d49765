"""Soft-dirty bits (CONFIG_MEM_SOFT_DIRTY): cleared for a process, set again by its writes.

There is one bit for each page, whoever reads it: clearing it takes it from other trackers too. The
file /proc/PID/clear_refs takes the number also where the kernel has no such bit
(clear_refs_write in fs/proc/task_mmu.c), so whether it has is tried, on a page of our own.
"""

from __future__ import annotations

from errno import ENOTSUP

from pagemap._errors import Unsupported
from pagemap._kernel.page_monitor import clear_refs
from pagemap._native import probes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.folder import Folder

__all__ = ["clear", "is_tracked", "require"]

_SOFT_DIRTY = b"4"  # of clear_refs, see proc(5)


def is_tracked(procfs: str = "/proc") -> bool:
    """Whether this kernel tells which pages were written."""
    try:
        return probes.soft_dirty(f"{procfs}/self/pagemap")
    except OSError:
        return False


def require(procfs: str, pid: int) -> None:
    """Raise Unsupported where this kernel does not."""
    if not is_tracked(procfs):
        raise Unsupported(
            f"cannot track writes of process {pid}: this kernel has no soft-dirty bits "
            "(CONFIG_MEM_SOFT_DIRTY); a userfaultfd that is injected into the process can do it",
            pid=pid,
            errno=ENOTSUP,
            operation="track writes by soft-dirty bits",
        )


def clear(folder: Folder) -> None:
    """Forget what was written until now. Raises the errors of a process."""
    clear_refs(folder, _SOFT_DIRTY, "clear the soft-dirty bits")
