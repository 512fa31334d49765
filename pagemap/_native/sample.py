"""Samples of a whole process, taken in C: how they are counted, and one after another."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked
from pagemap._native.descriptors import CLOSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

__all__ = ["AMOUNTS", "Sample", "SampleJob"]

AMOUNTS = (*("rss", "swap", "anon", "file_or_shared", "huge", "uss", "present", "zero", "hugetlb"),)
"""The amounts, in the order of enum pm_sample_amount."""

SCRATCH: int = lib.PM_SAMPLE_SCRATCH

assert len(AMOUNTS) == lib.PM_SAMPLE_AMOUNTS


class SampleJob:
    """How to count `wanted` amounts of a target; all descriptors are of it, CLOSED where not had.

    `maps` is where its maps are below `folder`. `kinds` says what the types of swap entries are
    (`pagemap._kernel.swap_types.kinds`); it is empty where they are hidden. `guards` says whether a
    scan knows guard regions. `mapcounts` and `flags` are /proc/kpagecount and kpageflags.
    """

    __slots__ = ("devices", "kept", "table")

    def __init__(
        self,
        wanted: Collection[str],
        *,
        pagemap: int,
        folder: int,
        maps: str,
        status: int = CLOSED,
        rollup: int = CLOSED,
        mapcounts: int = CLOSED,
        flags: int = CLOSED,
        kinds: bytes,
        page_shift: int,
        end: int,
        use_scan: bool,
        guards: bool,
    ) -> None:
        types = ffi.from_buffer("uint8_t[]", kinds or bytes(lib.PM_TYPES_OF_SWAP))
        self.devices: list[tuple[int, int]] | None = None  # those of hugetlb, where they were told
        # the table has their addresses and numbers alone
        self.kept: list[object] = [types, pagemap, folder, status, rollup, mapcounts, flags]
        self.table = table = ffi.new(
            "struct pm_sample_job *",
            {
                "tally": {
                    "source": {"fd": pagemap, "page_shift": page_shift, "use_scan": use_scan},
                    "kinds": types,
                    "mapcounts": mapcounts,
                    "flags": flags,
                    "end": end,
                },
                "folder": folder,
                "maps": maps.encode(),
                "status": status,
                "rollup": rollup,
                "guards": guards,
            },
        )
        lib.pm_sample_plan(table, sum(1 << AMOUNTS.index(name) for name in wanted))

    @property
    def wanted(self) -> list[str]:
        """Those of the amounts that are counted."""
        return [name for number, name in enumerate(AMOUNTS) if self.table.wanted >> number & 1]

    def with_hugetlb(self, devices: list[tuple[int, int]]) -> SampleJob:
        """The same, which knows that these devices are of hugetlb, for a kernel that does not."""
        job = SampleJob.__new__(SampleJob)
        job.devices = devices
        table = ffi.new("uint64_t[]", [major << 32 | minor for major, minor in devices] or [0])
        job.kept = [*self.kept, table]
        job.table = ffi.new("struct pm_sample_job *", self.table[0])
        job.table.devices, job.table.devices_count = table, len(devices)
        return job


class Sample:
    """Memory for one sample after another."""

    __slots__ = ("_out", "_part", "_scratch")

    def __init__(self) -> None:
        self._scratch = allocate("uint64_t[]", SCRATCH)
        self._part = ffi.new("struct pm_sample_part *")
        self._out = ffi.new("struct pm_sample *")

    def take(
        self, job: SampleJob, first: int, max_pages: int, max_ns: int, *, swap_used: bool
    ) -> Any:
        """Count from address `first` on: a struct pm_sample, which the next call overwrites."""
        part, out = self._part, self._out
        part.first, part.swap_used = first, swap_used
        part.max_pages, part.max_ns = max_pages, max_ns
        checked(lib.pm_sample_take(job.table, part, self._scratch, out))
        return out
