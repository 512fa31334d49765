"""The C library against the kernel's own files, of one process that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pagemap._core import ffi, lib
from tests import workloads
from tests.held_process import BUFFER, PAGE, lines, mappings, neighbours, opened, sized, words
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.conftest import Start

SCRATCH: int = lib.PM_SCRATCH
PRESENT, SWAPPED, FILE = 63, 62, 61
ALL = (1 << 9) - 1


@pytest.fixture(scope="module")
def target() -> Iterator[workloads.Target]:
    """Files that strangers do not map, a heap, a stack, small mappings, and holes."""
    with workloads.many(700) as target:
        target.stop()
        yield target


@pytest.fixture(scope="module")
def process(target: workloads.Target) -> Iterator[Any]:
    with opened(target.pid) as process:
        yield process


def test_mappings_are_the_lines_of_maps(target: workloads.Target, process: Any) -> None:
    for way in (0, 2):
        found = mappings(process, way=way)
        assert [row[:7] for row in found] == lines(target.pid)
        kinds = {row[6]: row[7] for row in found}
        assert kinds[b"[heap]"] == lib.PM_MAPPING_HEAP
        assert kinds[b"[stack]"] == lib.PM_MAPPING_STACK
        assert kinds[b"[vdso]"] == lib.PM_MAPPING_SPECIAL
        assert kinds[b""] == lib.PM_MAPPING_ANONYMOUS
        assert lib.PM_MAPPING_FILE in kinds.values()


def test_a_newline_in_a_path_and_shared_memory(start: Start) -> None:
    """Both ways tell the path as maps does, and memory without a file system by its device."""
    odd, shared = start(workloads.odd_path()), start(workloads.shared())
    for target in (odd, shared):
        target.stop()
        with opened(target.pid) as process:
            ways = [mappings(process, way=way) for way in (0, 2)]
            assert ways[0] == ways[1]
            assert [row[:7] for row in ways[0]] == lines(target.pid)
            shmem = [row for row in ways[0] if row[7] == lib.PM_MAPPING_SHMEM]
        assert bool(shmem) == (target is shared)


def test_many_mappings_and_two_cursors_at_once(start: Start) -> None:
    target = start(workloads.many(3000))
    target.stop()
    with opened(target.pid) as process:
        truth = lines(target.pid)
        assert len(truth) > 3000
        for way in (0, 2):
            assert [row[:7] for row in mappings(process, way=way)] == truth
        # by turns, so each read begins where the file does not stand
        cursors = [ffi.new("struct pm_maps_cursor *") for _ in range(2)]
        buffers = [ffi.new("char[]", BUFFER) for _ in range(2)]
        for cursor in cursors:
            cursor.state[1] = 2
        out = sized("pm_mapping")
        for row in truth[:500]:
            for cursor, buffer in zip(cursors, buffers, strict=True):
                assert lib.pm_maps_next(process, cursor, buffer, BUFFER, out) == 1
                assert (out.start, out.end) == row[:2]


def test_entries(target: workloads.Target, process: Any) -> None:
    spans = [row[:2] for row in lines(target.pid)]
    assert len(spans) > 64
    count = sum(end - start for start, end in spans) // PAGE
    out, stored = ffi.new("uint64_t[]", count), ffi.new("uint64_t[]", len(spans))
    # the last first: no order is asked for
    given = ffi.new("struct pm_span[]", spans[::-1])

    def look() -> tuple[object, object]:
        assert lib.pm_process_entries_of(process, given, len(spans), out, count, stored) == count
        truth = [words(target.pid, *span) for span in spans[::-1]]
        assert list(stored) == [len(each) for each in truth]
        return list(out), [word for each in truth for word in each]

    agreed(look)  # again, where the kernel moves a page

    def look_at_one() -> tuple[object, object]:
        start, end = spans[0]
        pages = (end - start) // PAGE
        assert lib.pm_process_entries(process, start, pages, out) == pages
        return list(out)[:pages], words(target.pid, start, end)

    agreed(look_at_one)
    # nothing is read where it does not fit
    out[0] = 77
    few = lib.pm_process_entries_of(process, given, len(spans), out, count - 1, stored)
    assert (few, out[0]) == (-28, 77)  # ENOSPC


def test_translate(target: workloads.Target, process: Any, pfns_visible: bool) -> None:
    out = ffi.new("uint64_t *")
    tried = set()
    for start, end, *_ in lines(target.pid):
        for page, word in enumerate(words(target.pid, start, min(end, start + 8 * PAGE))):
            got = lib.pm_process_translate(process, start + page * PAGE + 5, out)
            tried.add(got)
            if not word >> PRESENT:
                assert got == -6  # ENXIO
            elif not pfns_visible:
                assert got == -1  # EPERM
            elif word % 2**55:
                assert (got, out[0]) == (0, word % 2**55 * PAGE + 5)
    assert len(tried) == 2


def test_populated(target: workloads.Target, process: Any) -> None:
    """All that is there, whatever the capacities, and nothing else."""
    rows = lines(target.pid)
    if not process.can & lib.PM_CAN_SCAN:  # each page of the terabytes of holes would be read
        rows = neighbours(rows)
    first, top = rows[0][0], rows[-1][1]

    def truth() -> dict[int, int]:
        return {
            start + page * PAGE: word
            for start, end, *_ in rows
            for page, word in enumerate(words(target.pid, start, end))
            if word >> SWAPPED
        }

    assert len(truth()) > 500

    def found(capacity: int, runs_capacity: int) -> dict[int, int]:
        entries = ffi.new("uint64_t[]", capacity)
        runs, stored = ffi.new("struct pm_span[]", runs_capacity), ffi.new("uint64_t *")
        at, calls = ffi.new("uint64_t *", first), 0
        result: dict[int, int] = {}
        while at[0] < top:
            got = lib.pm_process_populated(
                process, at, top, entries, capacity, runs, runs_capacity, stored
            )
            assert 0 <= got <= capacity
            assert stored[0] <= runs_capacity
            calls += 1
            addresses = [
                address
                for run in runs[0 : stored[0]]
                for address in range(run.start, run.end, PAGE)
            ]
            assert len(addresses) == got
            result.update(zip(addresses, entries[0:got], strict=True))
        assert calls == 1 or capacity < 2000
        return result

    for capacities in ((1 << 16, 1 << 12), (37, 1000), (1000, 3)):
        agreed(lambda each=capacities: (found(*each), truth()))  # type: ignore[misc]


def test_regions(target: workloads.Target, process: Any) -> None:
    if not process.can & lib.PM_CAN_SCAN:
        pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
    query = sized("pm_region_query", all_of=lib.PM_IS_PRESENT, returned=lib.PM_IS_FILE)
    rows = lines(target.pid)
    out, at = ffi.new("struct pm_region[]", 5), ffi.new("uint64_t *", rows[0][0])
    found = {}
    while at[0] < rows[-1][1]:
        got = lib.pm_process_regions(process, query, at[0], rows[-1][1], out, 5, at)
        assert 0 <= got <= 5
        for region in out[0:got]:
            for address in range(region.start, region.end, PAGE):
                found[address] = bool(region.categories & lib.PM_IS_FILE)
    truth = {}
    for start, end, *_ in rows:
        for page, word in enumerate(words(target.pid, start, end)):
            if word >> PRESENT:
                truth[start + page * PAGE] = bool(word >> FILE & 1)
    assert found == truth


def tally(process: Any, start: int, end: int, wanted: int = ALL, limits: Any = ffi.NULL) -> Any:
    out = sized("pm_amounts")
    got = lib.pm_process_tally(
        process, start, end, wanted, limits, ffi.new("uint64_t[]", SCRATCH), out
    )
    assert got == 0
    return out


def smaps(pid: int) -> dict[str, int]:
    found: dict[str, int] = {}
    with open(f"/proc/{pid}/smaps", "rb") as file:
        for line in file:
            name, *values = line.split()
            if name.endswith(b":") and values[-1:] == [b"kB"]:
                key = name.decode().rstrip(":")
                found[key] = found.get(key, 0) + int(values[0]) * 1024
    return found


def test_amounts(target: workloads.Target, process: Any) -> None:
    if not process.can & lib.PM_CAN_SCAN:
        pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
    out = tally(process, 0, 1 << 47)
    truth = smaps(target.pid)
    assert out.rss == truth["Rss"]
    assert out.anon == truth["Anonymous"]
    assert out.file_or_shared == out.rss - out.anon
    assert out.present == out.rss + out.zero
    assert (out.hugetlb, out.partial, out.resume) == (0, 0, 1 << 47)
    assert out.known & lib.PM_AMOUNT_RSS
    # by parts, and each amount for itself, it is the same
    parts = [tally(process, *row[:2]) for row in lines(target.pid)]
    for name in ("rss", "anon", "file_or_shared", "present", "zero"):
        assert sum(getattr(part, name) for part in parts) == getattr(out, name)
        alone = tally(process, 0, 1 << 47, getattr(lib, f"PM_AMOUNT_{name.upper()}"))
        assert getattr(alone, name) == getattr(out, name)


def test_limits_stop_and_go_on(process: Any) -> None:
    if not process.can & lib.PM_CAN_SCAN:
        pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
    whole = tally(process, 0, 1 << 47, lib.PM_AMOUNT_PRESENT)
    limits = sized("pm_limits", max_pages=100)
    at = found = calls = 0
    while at < 1 << 47:
        part = tally(process, at, 1 << 47, lib.PM_AMOUNT_PRESENT, limits)
        assert part.present <= 100 * PAGE
        assert part.resume > at
        assert part.partial == (part.resume < 1 << 47)
        at, found, calls = part.resume, found + part.present, calls + 1
    assert found == whole.present
    assert calls >= whole.present // (100 * PAGE)


def test_hugetlb_is_no_rss(start: Start) -> None:
    target = start(workloads.hugetlb(2))
    target.stop()
    with opened(target.pid) as process:
        if not process.can & lib.PM_CAN_SCAN:
            pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
        out, truth = tally(process, 0, 1 << 47), smaps(target.pid)
        rows = mappings(process)
    assert out.hugetlb == truth["Private_Hugetlb"] + truth["Shared_Hugetlb"] > 0
    assert out.rss == truth["Rss"]
    assert out.huge >= out.hugetlb
    assert [row for row in rows if row[7] == lib.PM_MAPPING_HUGETLB]
