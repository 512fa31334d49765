"""The flags of a mapping, as the line VmFlags of smaps has them: two letters, a word, a meaning.

The kernel spells them in show_smap_vma_flags (fs/proc/task_mmu.c) and describes them in
Documentation/filesystems/proc.rst. Those that later kernels add keep their letters.
"""

from __future__ import annotations

__all__ = ["VM_FLAGS", "in_words"]

VM_FLAGS: dict[str, tuple[str, str]] = {
    "rd": ("read", "may be read now"),
    "wr": ("write", "may be written now"),
    "ex": ("execute", "may be executed now"),
    "sh": ("shared", "writes are seen by all who map it"),
    "mr": ("may-read", "mprotect may allow reading"),
    "mw": ("may-write", "mprotect may allow writing"),
    "me": ("may-execute", "mprotect may allow executing"),
    "ms": ("may-share", "may become shared"),
    "gd": ("grows-down", "a stack, which grows downwards"),
    "pf": ("pfn-map", "frames without a struct page (VM_PFNMAP)"),
    "dw": ("deny-write", "its file cannot be written; until Linux 5.15"),
    "lo": ("locked", "locked in memory (mlock)"),
    "lf": ("lock-on-fault", "locked in memory once touched (MLOCK_ONFAULT)"),
    "io": ("io", "registers or memory of a device"),
    "sr": ("sequential", "read in order (MADV_SEQUENTIAL)"),
    "rr": ("random", "read in no order (MADV_RANDOM)"),
    "dc": ("dont-fork", "a child does not get it (MADV_DONTFORK)"),
    "de": ("dont-expand", "mremap cannot make it larger"),
    "ac": ("accounted", "counts towards the commit limit"),
    "nr": ("no-reserve", "no swap is reserved (MAP_NORESERVE)"),
    "ht": ("hugetlb", "hugetlb pages"),
    "sf": ("sync-fault", "faults write file metadata out (MAP_SYNC)"),
    "ar": ("arch", "a meaning of the processor's own"),
    "wf": ("wipe-on-fork", "a child gets zeros (MADV_WIPEONFORK)"),
    "dd": ("dont-dump", "left out of core dumps (MADV_DONTDUMP)"),
    "sd": ("soft-dirty", "all of it counts as written since clear_refs"),
    "mm": ("mixed-map", "frames with and without a struct page"),
    "hg": ("hugepage", "huge pages wanted (MADV_HUGEPAGE)"),
    "nh": ("no-hugepage", "no huge pages (MADV_NOHUGEPAGE)"),
    "mg": ("mergeable", "KSM may merge its pages (MADV_MERGEABLE)"),
    "mp": ("mpx", "bounds tables of MPX; until Linux 5.5"),
    "bt": ("bti", "branch targets are guarded (arm64 BTI)"),
    "mt": ("mte", "memory tags may be used (arm64 MTE)"),
    "um": ("uffd-missing", "userfaultfd gets faults of missing pages"),
    "uw": ("uffd-wp", "userfaultfd may write-protect it"),
    "ui": ("uffd-minor", "userfaultfd gets minor faults"),
    "ss": ("shadow-stack", "a shadow stack of return addresses"),
    "sl": ("sealed", "cannot be changed or unmapped (mseal)"),
    "dp": ("droppable", "dropped when memory is short (MAP_DROPPABLE)"),
    "gu": ("maybe-guard", "may have guard regions"),
}
"""For the two letters of each flag its word and its meaning."""


def in_words(letters: str) -> str:
    """The flags of a line with blanks between, in its order; an unknown one as it stands."""
    return " ".join(VM_FLAGS[each][0] if each in VM_FLAGS else each for each in letters.split())
