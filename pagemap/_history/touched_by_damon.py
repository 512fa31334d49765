"""What is touched in a window, by DAMON: which regions of what is resident it sees accessed."""

from __future__ import annotations

import os
from itertools import pairwise

from pagemap._errors import PagemapError, TargetVanished, Unsupported
from pagemap._history.intervals import merged, size, without
from pagemap._history.resident import Resident
from pagemap._history.window import Look
from pagemap._kernel import damon
from pagemap._vocabulary.units import PAGE_SIZE, format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._history.intervals import Ranges
    from pagemap._history.window import Window
    from pagemap._space.address_space import AddressSpace

__all__ = ["looks"]

METHOD = "damon"
_AGGREGATIONS = (0.1, 1.0)  # seconds: so long it may take until an interrupt is heeded
_BEFORE = 2  # aggregations, until accesses are first read
_SAMPLES = 20  # of an aggregation
# Each region costs two looks at a page table for every sample. They must take much less than the
# time between samples: an aggregation that takes twice its time is told of as empty
# (damos_sysfs_upd_timeout in mm/damon/sysfs-schemes.c of Linux 6.12).
_REGIONS = 10_000  # a second


def looks(
    space: AddressSpace, window: Window, *, regions: bool, sysfs: str
) -> Iterator[Look | None]:
    """None when DAMON is on, then what was found at the end.

    When the process exits earlier: what was found until then, and its TargetVanished.
    """
    damon.require(sysfs)
    if int(os.readlink(f"{space.procfs}/self")) != os.getpid():
        raise Unsupported(
            f"DAMON takes a number of this PID namespace, and {space.procfs} is of another one",
            pid=space.pid,
            operation="find the working set",
        )
    before = Resident(space)
    least, most = _AGGREGATIONS
    aggregation = min(max(window.idle[0] / _BEFORE, least), most)
    monitored = grid(before.ranges, round(_REGIONS * aggregation / _SAMPLES))
    with damon.Damon(
        space.folder.task,
        monitored,
        sample=aggregation / _SAMPLES,
        aggregation=aggregation,
        sysfs=sysfs,
    ) as monitor:
        space.check()  # it is this process whose number DAMON was given
        window.begin()
        yield None
        yield from _watched(space, window, monitor, before, monitored, regions=regions)


def _watched(
    space: AddressSpace,
    window: Window,
    monitor: damon.Damon,
    before: Resident,
    monitored: Ranges,
    *,
    regions: bool,
) -> Iterator[Look]:
    found: list[Ranges] = []
    touched: Ranges = []
    rounds = 0
    last: Resident | None = None

    def look() -> Look:
        assert last is not None
        largest = max(end - start for start, end in monitored)
        precision = (
            f"sampled, by regions of up to {format_size(largest)}: a region counts as touched as a "
            "whole when an access to the one page of it was seen that a sample looked at; what is "
            "touched rarely, or stays in a TLB, may be missed; DAMON clears the accessed marks of "
            "pages, which disturbs whoever else reads them"
        )
        about = window.about(METHOD, precision, regions=len(monitored), aggregations=rounds)
        return Look(list(last.rows(window, found, METHOD, regions=regions)), about)

    for moment in window.idle:
        try:
            while window.passed() < moment:
                touched = merged([*touched, *_accessed(space, monitor)])
                rounds += 1
            now = Resident(space)
        except TargetVanished:
            if last is not None:
                yield look()
            raise
        window.note()
        last = now
        # what was not there at the beginning came by an access, which DAMON may not have seen
        found.append(merged([*touched, *without(now.ranges, before.ranges)]))
    yield look()


def _accessed(space: AddressSpace, monitor: damon.Damon) -> Ranges:
    space.check()
    try:
        return monitor.accessed()
    except PagemapError:
        space.check()  # that it has exited is the better reason
        raise


def grid(resident: Ranges, most: int) -> Ranges:
    """What is resident in about equal regions, `most` of them at most, none less than a page.

    Where there are more ranges, those with the least gaps between them are joined.

    >>> [(start // PAGE_SIZE, end // PAGE_SIZE) for start, end in grid([(0, 9 * PAGE_SIZE)], 4)]
    [(0, 3), (3, 6), (6, 9)]
    """
    ranges = _joined(resident, max(most // 2, 1))
    pages = size(ranges) // PAGE_SIZE
    least = -(-pages // max(most - len(ranges), 1))
    found: Ranges = []
    for start, end in ranges:
        count = (end - start) // PAGE_SIZE
        pieces = -(-count // least)
        bounds = [start + count * each // pieces * PAGE_SIZE for each in range(pieces + 1)]
        found += pairwise(bounds)
    return found


def _joined(ranges: Ranges, most: int) -> Ranges:
    if len(ranges) <= most:
        return ranges
    gaps = sorted(
        range(1, len(ranges)), key=lambda each: ranges[each][0] - ranges[each - 1][1], reverse=True
    )
    kept = sorted(gaps[: most - 1])
    firsts, lasts = [0, *kept], [*kept, len(ranges)]
    return [
        (ranges[first][0], ranges[last - 1][1]) for first, last in zip(firsts, lasts, strict=True)
    ]
