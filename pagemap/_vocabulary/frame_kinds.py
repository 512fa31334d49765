"""What a frame of the machine is for: each frame is of exactly one of these kinds."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field

__all__ = ["FRAME_KINDS", "MOVABLE", "NOT_MANAGED", "FrameKind"]


class FrameKind(Record):
    """A kind of frames."""

    name: str = field("", "its name")
    meaning: str = field("", "what the frames are for")


FRAME_KINDS = (
    FrameKind("anon", "anonymous memory of processes"),
    FrameKind("ksm", "anonymous memory that KSM merged; in anon where the flag cannot be trusted"),
    FrameKind("swapcache", "memory with a copy in swap that no process maps"),
    FrameKind("file", "page cache of files and block devices"),
    FrameKind("shmem", "shared memory: shmem, tmpfs, memfd"),
    FrameKind("hugetlb", "hugetlb pages that processes map"),
    FrameKind("hugetlb_idle", "hugetlb pages that nobody maps, mostly free ones of the pool"),
    FrameKind("zero", "the huge zero page"),
    FrameKind("slab", "objects of the kernel (slab allocator)"),
    FrameKind("pagetables", "page tables"),
    FrameKind("offline", "given back by a balloon driver, or set offline"),
    FrameKind("poisoned", "with a hardware memory error"),
    FrameKind("free", "free, in the buddy allocator"),
    FrameKind("unnamed", "of the kernel without a flag: stacks, vmalloc, drivers, per-CPU lists"),
    FrameKind("reserved", "kept from the page allocator at boot: kernel image, firmware"),
    FrameKind("missing", "memory by the firmware, for which the kernel has no frame"),
)
"""In the order of enum pm_memory_kind in csrc/analyses/memory.cdef.h."""

MOVABLE = ("anon", "ksm", "swapcache", "file", "shmem")
"""Those that reclaim or compaction can free a block of."""

NOT_MANAGED = ("reserved", "missing")
"""Those that are not among MemTotal."""
