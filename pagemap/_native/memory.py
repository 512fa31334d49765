"""All frames of the machine, counted in C: a step takes a stretch of one zone."""

from __future__ import annotations

from errno import ENOSPC

from pagemap._core import ffi, lib
from pagemap._native import READ_BLOCK, allocate, checked, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._native.memory_groups import FrameGroups

__all__ = [
    "MARKS",
    "ORDERS",
    "STEP",
    "FramesJob",
    "FramesPiece",
    "FramesScratch",
    "FramesSums",
    "kind_of",
]

ORDERS: int = lib.PM_MEMORY_ORDERS
KINDS: int = lib.PM_MEMORY_KINDS
MARKS = (
    "mapped",
    "active",
    "inactive",
    "unevictable",
    "locked",
    "dirty",
    "writeback",
    "swap",
    "thp",
)
"""What is counted of each kind, in the order of enum pm_memory_mark."""

STEP = 1 << 18
"""Frames of a step, 20-40 ms: no folio or aligned block that is counted is larger."""

assert len(MARKS) == lib.PM_MEMORY_MARKS
assert 1 << ORDERS - 1 == STEP
assert ffi.sizeof("struct pm_memory_block") == 8 + 4 * KINDS


def kind_of(word: int, *, ksm_told: bool) -> int:
    """What a frame is for, by its raw word: a place in FRAME_KINDS; of a folio see the C."""
    return int(lib.pm_memory_kind_of(word, ksm_told))


class FramesJob:
    """What to count: `flags` and `cgroups` are descriptors of /proc/kpageflags and kpagecgroup.

    With `groups` frames are counted by group, in the place of cgroups. `buddy_order` is the largest
    order of the allocator's blocks. With `block_order` the aligned blocks of that order are listed
    that are not free, with `least_run` the free runs of so many frames or more.
    """

    __slots__ = ("_kept", "block_order", "cgroups", "least_run", "table")

    def __init__(
        self,
        flags: int,
        *,
        cgroups: int | None = None,
        groups: FrameGroups | None = None,
        ksm_told: bool,
        buddy_order: int,
        block_order: int | None = None,
        least_run: int | None = None,
    ) -> None:
        self._kept = flags, cgroups, groups  # held for as long as C may read
        self.cgroups = cgroups is not None or groups is not None
        self.block_order, self.least_run = block_order, least_run
        self.table = ffi.new(
            "struct pm_memory_job *",
            {
                "flags_fd": flags,
                "cgroup_fd": -1 if cgroups is None else cgroups,
                "ksm_told": ksm_told,
                "buddy_order": min(buddy_order, ORDERS - 1),
                "block_order": block_order or 0,
                "least_run": least_run or 1,
                "groups": ffi.NULL if groups is None else groups.table,
                "groups_from": 0 if groups is None else groups.first,
                "groups_count": 0 if groups is None else groups.count,
            },
        )


class FramesScratch:
    """What one thread needs."""

    __slots__ = ("_job", "_kept", "slots", "table")

    def __init__(self, job: FramesJob) -> None:
        self._job = job
        self.slots = 1 << 10
        kept = {"words": allocate("uint64_t[]", READ_BLOCK)}
        sizes = {}
        if job.cgroups:
            kept["cgroups"] = allocate("uint64_t[]", READ_BLOCK)
        if job.block_order is not None:
            sizes["blocks_capacity"] = STEP >> job.block_order
            kept["blocks"] = allocate("struct pm_memory_block[]", sizes["blocks_capacity"])
        if job.least_run is not None:
            sizes["runs_capacity"] = STEP // (job.least_run + 1) + 2
            kept["runs"] = allocate("struct pm_range[]", sizes["runs_capacity"])
        self._kept: dict[str, Any] = kept
        self.table = ffi.new("struct pm_memory_scratch *", kept | sizes)

    def clear(self) -> None:
        """Empty the lists."""
        table = self.table
        table.blocks_count = table.runs_count = 0
        if self._job.cgroups:
            self._kept["slots"] = ffi.new("struct pm_memory_cgroup[]", self.slots)
            table.slots, table.slots_count, table.slots_used = self._kept["slots"], self.slots, 0

    def found_cgroups(self) -> dict[int, list[int]]:
        """The frames of each kind by the inode number of their cgroup, or by their group's."""
        if not self._job.cgroups:
            return {}
        words = view_of(self._kept["slots"], "Q").tolist()
        width = KINDS + 1
        return {
            words[at] - 1: words[at + 1 : at + width]
            for at in range(0, len(words), width)
            if words[at]
        }

    def found_blocks(self) -> list[tuple[int, list[int]]]:
        """The PFN of each listed block, and its frames of each kind."""
        if self._job.block_order is None:
            return []
        width = ffi.sizeof("struct pm_memory_block") // 4
        words = view_of(self._kept["blocks"], "I")[: width * self.table.blocks_count].tolist()
        pfns = view_of(self._kept["blocks"], "Q")[:: width // 2].tolist()
        return [
            (pfn, words[at + 2 : at + 2 + KINDS])
            for pfn, at in zip(pfns, range(0, len(words), width), strict=False)
        ]

    def found_runs(self) -> list[tuple[int, int]]:
        """The PFN and the frames of each listed run."""
        if self._job.least_run is None:
            return []
        words = view_of(self._kept["runs"], "Q")[: 2 * self.table.runs_count].tolist()
        return list(zip(words[::2], words[1::2], strict=True))


class FramesPiece:
    """The frames from `start` up to `end`, of the zone of number `zone`; at most STEP."""

    __slots__ = ("_counts", "_job", "blocks", "cgroups", "end", "runs", "start", "work", "zone")

    done = True

    def __init__(self, job: FramesJob, start: int, end: int, zone: int) -> None:
        self._job, self.start, self.end, self.zone = job, start, end, zone
        self.work = end - start
        self._counts: Any = None
        self.cgroups: dict[int, list[int]] = {}
        self.blocks: list[tuple[int, list[int]]] = []
        self.runs: list[tuple[int, int]] = []

    def run(self, scratch: FramesScratch) -> FramesPiece:
        """Count, and give this piece back."""
        while True:
            self._counts = ffi.new("struct pm_memory_sums *")
            scratch.clear()
            got = lib.pm_memory_walk(
                self._job.table, self.start, self.end, scratch.table, self._counts
            )
            if got != -ENOSPC or not self._job.cgroups or scratch.slots > STEP:
                break
            scratch.slots *= 4  # more cgroups than there were slots for: once more
        checked(got)
        self.cgroups = scratch.found_cgroups()
        self.blocks, self.runs = scratch.found_blocks(), scratch.found_runs()
        return self

    def add_to(self, sums: FramesSums) -> None:
        """Add what was counted to the sums of its zone."""
        lib.pm_memory_add(self._counts, sums.table)


class FramesSums:
    """The counts of all pieces of a zone, in frames or blocks."""

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table = ffi.new("struct pm_memory_sums *")

    def add(self, other: FramesSums) -> None:
        """Add what was counted elsewhere in the zone."""
        lib.pm_memory_add(other.table, self.table)

    def frames(self) -> list[int]:
        """The frames of each kind."""
        return list(self.table.frames)

    def marks(self) -> list[list[int]]:
        """Of each kind the frames that have each of MARKS."""
        return [list(each) for each in self.table.marks]

    def folios(self) -> list[list[int]]:
        """Of each kind the frames in folios of each order; of order 0 those that are in none."""
        table = self.table
        return [
            [table.frames[kind] - sum(table.folios[kind]), *list(table.folios[kind])[1:]]
            for kind in range(KINDS)
        ]

    def buddies(self) -> list[int]:
        """How many blocks of each order the page allocator has."""
        return list(self.table.buddies)

    def blocks(self) -> tuple[list[int], list[int], list[int], list[list[int]]]:
        """For each order the aligned blocks: all, free ones, those without a frame that stays.

        And how many have a frame of each kind that cannot be moved.
        """
        table = self.table
        return (
            list(table.blocks),
            list(table.free_blocks),
            list(table.open_blocks),
            [list(each) for each in table.blocks_with],
        )
