"""How large the stack is that the kernel has for each thread."""

from __future__ import annotations

from pagemap._kernel import meminfo
from pagemap._kernel.regular import open_told
from pagemap._vocabulary.units import PAGE_SIZE

__all__ = ["stack_size"]

_MOST = 64 << 10


def stack_size(procfs: str = "/proc") -> int | None:
    """The bytes of one, which are a power of two (THREAD_SIZE); None where nothing tells.

    No file tells it, but /proc/meminfo tells the sum, and /proc/loadavg how many threads there are.
    """
    total = meminfo.amount("KernelStack", procfs=procfs)
    try:
        with open(f"{procfs}/loadavg", "rb", opener=open_told) as file:
            threads = int(file.read(256).split()[3].split(b"/")[1])
    except (OSError, IndexError, ValueError):
        return None
    if not total or not threads:
        return None
    size = PAGE_SIZE
    while size < _MOST and size * 3 // 2 < total // threads:
        size *= 2
    return size
