"""The rows of footprints: of processes, of their mappings, and of mapped files."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, extended, field
from pagemap._vocabulary.schema import Schema

__all__ = [
    "FOOTPRINTS",
    "MAPPING_FOOTPRINTS",
    "PATH_FOOTPRINTS",
    "FootprintRow",
    "FootprintSums",
    "MappingFootprintRow",
    "PathFootprintRow",
]


class FootprintSums(Record):
    """What memory something takes, in bytes, as `Gentle.walk` counts it.

    `source` names the lines of /proc/PID/smaps that are added up.
    """

    rss: int | None = field("bytes", "resident in memory", rank=3, source="Rss")
    anon: int | None = field("bytes", "part of rss: anonymous memory", rank=5, source="Anonymous")
    file: int | None = field(
        "bytes", "part of rss: files; for a process an estimate: rss - anon - shmem", rank=6
    )
    shmem: int | None = field(
        "bytes", "part of rss: shared memory; for a process an estimate: RssShmem", rank=7
    )
    pss: int | None = field(
        "bytes", "rss with each page divided by its number of mappings", rank=1, source="Pss"
    )
    uss: int | None = field(
        "bytes",
        "resident and mapped once: freed if the process ended",
        rank=2,
        source="Private_Clean + Private_Dirty",
    )
    swap: int | None = field("bytes", "in swap", rank=4, source="Swap")
    swap_pss: int | None = field(
        "bytes", "swap with each page divided by its number of users", source="SwapPss"
    )
    shared: int | None = field(
        "bytes", "resident and mapped more than once", rank=8, source="Shared_Clean + Shared_Dirty"
    )
    dirty: int | None = field(
        "bytes",
        "must be written out before it can be reclaimed",
        rank=9,
        source="Shared_Dirty + Private_Dirty",
    )
    clean: int | None = field(
        "bytes",
        "can be reclaimed without being written out",
        source="Shared_Clean + Private_Clean",
    )
    shared_clean: int | None = field("bytes", "shared and clean", source="Shared_Clean")
    shared_dirty: int | None = field("bytes", "shared and dirty", source="Shared_Dirty")
    private_clean: int | None = field("bytes", "mapped once and clean", source="Private_Clean")
    private_dirty: int | None = field("bytes", "mapped once and dirty", source="Private_Dirty")
    pss_dirty: int | None = field(
        "bytes", "part of pss: dirty; since Linux 6.0", source="Pss_Dirty"
    )
    thp: int | None = field(
        "bytes",
        "in transparent huge pages, mapped by PMDs",
        source="AnonHugePages + ShmemPmdMapped + FilePmdMapped",
    )
    anon_huge: int | None = field("bytes", "part of thp: anonymous memory", source="AnonHugePages")
    shmem_huge: int | None = field("bytes", "part of thp: shared memory", source="ShmemPmdMapped")
    file_huge: int | None = field("bytes", "part of thp: files", source="FilePmdMapped")
    ksm: int | None = field("bytes", "in pages merged by KSM; since Linux 6.8", source="KSM")
    hugetlb: int | None = field(
        "bytes",
        "hugetlb pages; not part of rss",
        rank=11,
        adds=False,
        source="Shared_Hugetlb + Private_Hugetlb",
    )
    shared_hugetlb: int | None = field(
        "bytes", "part of hugetlb: mapped more than once", adds=False, source="Shared_Hugetlb"
    )
    private_hugetlb: int | None = field(
        "bytes", "part of hugetlb: mapped once", source="Private_Hugetlb"
    )
    hugetlb_pss: int | None = field(
        "bytes", "hugetlb with each page divided by its number of mappings", adds=False
    )
    locked: int | None = field("bytes", "part of pss: locked in memory", source="Locked")
    lazyfree: int | None = field(
        "bytes", "lazily freed (MADV_FREE): resident until memory is short", source="LazyFree"
    )
    referenced: int | None = field("bytes", "marked as recently accessed", source="Referenced")
    size: int | None = field("bytes", "virtual size, touched or not (VSS)", source="Size")
    share: float | None = field("share", "pss as a share of all memory", rank=10)


@extended
class FootprintRow(FootprintSums):
    """What memory a process takes, in bytes; None for what is not known, or was not asked for.

    `Process.footprint` returns one, `pagemap.footprints` a table of them.
    Sums over several processes count a shared page once for each, except in `pss` and
    `hugetlb_pss`. No field includes the zero page, and only the hugetlb fields include hugetlb.
    """

    pid: int = field("", "the process", rank=0, key=True)
    sharers: tuple[int, ...] | None = field(
        "", "other processes with this address space (vfork, CLONE_VM)"
    )
    name: str | None = field("", "the command name", None, rank=2)
    user: str | None = field(
        "", "its owner: a user name, or a number without one; null where we have none for it", None
    )
    cgroup: str | None = field("", "its cgroup, as in /proc/PID/cgroup", None)
    container: str | None = field(
        "", "its container, pod, service or login session, by the name of its cgroup", None
    )
    session: str | None = field(
        "", "its session (setsid): the pid of its leader; null where that cannot be seen", None
    )
    exe: str | None = field("", "the file that it runs", None)
    cmdline: str | None = field("", "its command line", None)
    page_tables: int | None = field("bytes", "its page tables; not part of rss", None)
    oom_score: int | None = field("", "the highest is killed first when memory runs out", None)
    oom_score_adj: int | None = field("", "what was added to that: -1000 to 1000", None)
    frees: int | None = field(
        "bytes", "comes back if it ends; of a group, if all of it ends (see free-if)", None
    )
    charged: int | None = field(
        "bytes", "grouped by cgroup: what memory.stat has of anon, file and shmem, its own", None
    )


@extended
class MappingFootprintRow(FootprintSums):
    """What memory a mapping takes, in bytes; a row of `Process.footprints`, as `FootprintRow`."""

    pid: int = field("", "the process", rank=0, key=True)
    start: int = field("address", "its first address", rank=3, key=True)
    end: int = field("address", "the address past its last")
    perms: str = field("rights", "as in /proc/PID/maps", rank=12)
    name: str | None = field("", "the command name", None, rank=20)
    dev: str = field("", "the file's device", "00:00")
    inode: int = field("inode", "the file's inode, or 0", 0)
    path: str = field("", "the file, or a name in brackets", "", rank=2)
    kernel_page_size: int | None = field(
        "bytes", "the page size that the kernel uses", None, adds=False, source="KernelPageSize"
    )
    mmu_page_size: int | None = field(
        "bytes", "the page size that the processor uses", None, adds=False, source="MMUPageSize"
    )
    thp_eligible: bool | None = field(
        "", "whether it may have transparent huge pages", None, source="THPeligible"
    )
    protection_key: int | None = field(
        "", "its key, where the processor has keys", None, source="ProtectionKey"
    )
    vm_flags: str | None = field("", "the kernel's flags, in words", None, source="VmFlags")


@extended
class PathFootprintRow(FootprintSums):
    """What memory all mappings of a file take, in bytes; mappings without one are taken by name.

    A row of ``pagemap.footprints(by="path")``.
    A file is identified by device and inode: it may have several paths, and several files may have
    the same path.
    """

    processes: int = field("processes", "number of processes that map it", rank=4, adds=False)
    mappings: int = field("mappings", "number of its mappings", rank=8)
    dev: str | None = field("", "the file's device", None, key=True)
    inode: int | None = field("inode", "the file's inode", None, key=True)
    path: str = field("", "the file, or a name in brackets", "", rank=2, key=True)


FOOTPRINTS = Schema.of(FootprintRow, "pagemap.footprints", 3)
MAPPING_FOOTPRINTS = Schema.of(MappingFootprintRow, "pagemap.footprints.mappings", 3)
PATH_FOOTPRINTS = Schema.of(PathFootprintRow, "pagemap.footprints.paths", 3)
