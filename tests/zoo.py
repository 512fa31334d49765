"""One process of each kind of mapping that the kernel counts in a way of its own.

`ZOO` holds a maker for each, as `tests.workloads.KINDS` does for what most tests need: small
enough that each page of all of them can be judged in Python. See tests/live/test_matrix.py.
"""

from __future__ import annotations

import contextlib
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests import everyone, workloads
from tests.kernel_settings import huge_pages, transparent_huge_pages, zram_swap
from tests.target import wait_until
from tests.workloads import MIB, Unavailable, own_target, smaps_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.target import Target

__all__ = ["ZOO"]

KIB = 1024
PAGE = os.sysconf("SC_PAGESIZE")


@contextlib.contextmanager
def forked_thp(deed: bytes, count: int = 3) -> Iterator[Target]:
    """Huge pages that were forked; the child `writes` the first page of each, or `keeps` only it.

    Where it writes, the other pages of each are both processes'; where it keeps the first, they
    are the parent's alone.
    """
    with contextlib.ExitStack() as stack:
        with transparent_huge_pages() as huge:
            target = stack.enter_context(own_target("forked_thp", count * huge, huge, deed))
        if smaps_number(target.pid, "AnonHugePages") < count * huge:
            raise Unavailable("THP: memory is too fragmented for huge pages")
        yield target


@contextlib.contextmanager
def zero_huge(count: int = 2) -> Iterator[Target]:
    """The huge page of zeros."""
    with contextlib.ExitStack() as stack:
        with transparent_huge_pages() as huge:
            target = stack.enter_context(own_target("zero_huge", count * huge, huge))
        yield target


def _hugetlb_size() -> int:
    found = re.search(r"Hugepagesize:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    if found is None:
        raise Unavailable("hugetlb: the kernel has no CONFIG_HUGETLBFS")
    return int(found[1]) * KIB


@contextlib.contextmanager
def hugetlb_shared() -> Iterator[Target]:
    """Shared hugetlb pages that a child touched too."""
    size = _hugetlb_size()
    with huge_pages(2), own_target("hugetlb_shared", 2 * size) as target:
        yield target


@contextlib.contextmanager
def hugetlb_untouched() -> Iterator[Target]:
    """Private hugetlb: eight pages reserved, one written."""
    size = _hugetlb_size()
    with huge_pages(1), own_target("hugetlb_untouched", 8 * size, size) as target:
        yield target


@contextlib.contextmanager
def hugetlb_protected() -> Iterator[Target]:
    """Private hugetlb under userfaultfd: one page protected, one before its first use, one open."""
    size = _hugetlb_size()
    with huge_pages(2), own_target("hugetlb_protected", 3 * size, size) as target:
        yield target


@contextlib.contextmanager
def swapped_shmem(size: int = 2 * MIB) -> Iterator[Target]:
    """A memfd whose second half was pushed out: its entries say nothing of it."""
    with zram_swap(16 * MIB), own_target("swapped_shmem", size) as target:
        if smaps_number(target.pid, "Swap") == 0:
            raise Unavailable("swap: the kernel pushed nothing out (MADV_PAGEOUT)")
        yield target


@contextlib.contextmanager
def swap_cache(size: int = MIB) -> Iterator[Target]:
    """Pages that were pushed out, and read again while a child still refers to their slots."""
    with zram_swap(16 * MIB), own_target("swap_cache", size) as target:
        (child,) = target.children
        if smaps_number(child, "Swap") == 0:
            raise Unavailable("swap: the kernel pushed nothing out (MADV_PAGEOUT)")
        yield target


@contextlib.contextmanager
def swapped_back(size: int = MIB) -> Iterator[Target]:
    """Pages that were pushed out, and read again: the slots are free, and the pages clean."""
    with zram_swap(16 * MIB), own_target("swapped_back", size) as target:
        yield target


def ksm_two(size: int = 512 * KIB) -> AbstractContextManager[Target]:
    """Equal pages, merged across two processes."""
    return workloads.merged("ksm_two", size)


@contextlib.contextmanager
def vfork_child() -> Iterator[Target]:
    """A child of vfork that has yet to exec: one address space, two processes."""
    with workloads.dense(512 * KIB) as target:
        target.children.append(target.ask("v"))
        yield target


@contextlib.contextmanager
def exited_leader() -> Iterator[Target]:
    """The main thread has ended and is a zombie; another one lives."""
    with workloads.dense(512 * KIB) as target:
        target.ask("t")
        target.tell("l")
        wait_until(lambda: everyone.status(target.pid, "State").startswith("Z"))
        yield target


ZOO: dict[str, Callable[[], AbstractContextManager[Target]]] = {
    "small": partial(workloads.dense, 512 * KIB),
    "sparse": partial(workloads.sparse, 64 * MIB, MIB),
    "many": partial(workloads.many, 200),
    "file": partial(workloads.file, 256 * KIB),
    "deleted": workloads.deleted,
    "shared": partial(workloads.shared, 512 * KIB),
    "sysv": partial(own_target, "sysv", 256 * KIB),
    "forked": partial(own_target, "forked", 512 * KIB),
    "thp": partial(workloads.thp, 4 * MIB),
    "thp child writes": partial(forked_thp, b"writes"),
    "thp child keeps": partial(forked_thp, b"keeps"),
    "folios 64 kB": partial(workloads.folios, 64 * KIB, 256 * KIB),
    "folios PMD": partial(workloads.folios, 2 * MIB, 2 * MIB),
    "hugetlb": workloads.hugetlb,
    "hugetlb shared": hugetlb_shared,
    "hugetlb untouched": hugetlb_untouched,
    "hugetlb protected": hugetlb_protected,
    "zero": workloads.zero,
    "zero huge": zero_huge,
    "guard": workloads.guard,
    "uffd-wp": workloads.uffd_wp,
    "markers": partial(own_target, "markers", 4 * MIB),
    "swapped": partial(workloads.swapped, MIB),
    "swapped shmem": swapped_shmem,
    "swap cache": swap_cache,
    "swapped back": swapped_back,
    "ksm": partial(workloads.ksm, 512 * KIB),
    "ksm two": ksm_two,
    "vvar": partial(own_target, "vvar"),
    "perf ring": partial(own_target, "perf_ring", 4 * PAGE),
    "PROT_NONE": partial(own_target, "unreadable", 256 * KIB),
    "untouched": workloads.untouchable,
    "mlock": partial(own_target, "locked", 32 * KIB),
    "lazyfree": partial(own_target, "lazyfree", 512 * KIB, 0),
    "lazyfree rewritten": partial(own_target, "lazyfree", 512 * KIB, 256 * KIB),
    "droppable": partial(own_target, "droppable", 256 * KIB),
    "vfork": vfork_child,
    "CLONE_VM": partial(own_target, "clone_vm", 256 * KIB),
    "exited leader": exited_leader,
    "heap and stack": partial(own_target, "heap_and_stack", 256 * KIB),
    "bash": workloads.bash,
}
