"""A process that lives, and what can be read of it."""

from __future__ import annotations

from pagemap import _native
from pagemap._methods import ProcessMethods
from pagemap._space.live_space import LiveSpace
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._space.arguments import Target

__all__ = ["Process", "virt_to_phys"]

_translate = _native.translate


class Process(LiveSpace, ProcessMethods):
    """An open process. `target` is a pid, a thread id, ``"self"``, or an object with a `.pid`.

    Use it as a context manager, or call `close()`. `procfs` is where the proc file system is
    mounted. Several threads may read through one Process, and any of them, or a signal handler,
    may close it: a call that is under way is completed, or raises ClosedProcess.

    Raises NoSuchProcess if there is none or it is a zombie, AccessDenied if the kernel forbids
    reading it (PTRACE_MODE_READ_FSCREDS: the same user and dumpable, or CAP_SYS_PTRACE with
    CAP_DAC_READ_SEARCH), Unsupported without CONFIG_PROC_PAGE_MONITOR. A kernel thread can be
    opened, and has no mappings.

    After a fork, calls in the child raise ClosedProcess if the target was the parent itself, as
    "self" or by its pid, because they would show the parent. Other targets can still be read.

    After an exec of the target every call raises TargetVanished, with one exception: the address
    space of a vforked child remains that of its parent, and `pages` and `virt_to_phys` still read
    it. `maps`, `check` and `dump` notice the exec, unless addresses are not randomised: then maps
    and pages are both of the old address space.

    `pid` and `procfs` are attributes. `pfns_visible` is False where the kernel hides PFNs: it shows
    them if the pagemap was opened with CAP_SYS_ADMIN in the initial user namespace (pagemap_open in
    fs/proc/task_mmu.c).

    >>> import pagemap
    >>> with pagemap.Process("self") as process:
    ...     stack = [mapping for mapping in process.maps() if mapping.path == "[stack]"]
    >>> len(stack)
    1
    """

    __slots__ = ()

    def virt_to_phys(self, address: int) -> int:
        """The physical address, in bytes, behind the virtual `address`.

        It is valid for one moment only: the kernel may move, swap or free the page right after.

        Raises NotMapped, NotPresent or SwappedOut when there is none, PfnsHidden without
        CAP_SYS_ADMIN, UsageError for an address of more than 64 bits, TargetVanished.
        """
        try:
            physical: int = _translate(self._pagemap, address, PAGE_SHIFT)
        except (OverflowError, TypeError):
            physical = -1  # no address, as the slow way will say
        if physical >= 0:
            return physical
        return super().virt_to_phys(address)


def virt_to_phys(target: Target, address: int) -> int:
    """The physical address, in bytes, behind the virtual `address` of `target`.

    Opens and closes the process; raises what `Process` and `Process.virt_to_phys` raise.
    """
    with Process(target) as process:
        return process.virt_to_phys(address)
