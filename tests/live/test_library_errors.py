"""What the C library says where there is nothing to tell: numbers of errors, and their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pagemap._core import ffi, lib
from tests import workloads
from tests.held_process import BUFFER, PAGE, lines, opened, sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tests.conftest import Start

SCRATCH: int = lib.PM_SCRATCH
ALL = (1 << 9) - 1


@pytest.fixture(scope="module")
def process() -> Iterator[Any]:
    with workloads.python() as target, opened(target.pid) as process:
        yield process


def test_a_read_past_the_end_is_short(process: Any) -> None:
    about = sized("pm_capabilities")
    assert lib.pm_process_capabilities(process, about) == 0
    out = ffi.new("uint64_t[]", 8)
    assert lib.pm_process_entries(process, about.end - 3 * PAGE, 8, out) == 3
    assert lib.pm_process_entries(process, about.end, 8, out) == 0
    # up to a count that no buffer holds
    for count in (1 << 52, (1 << 59) - 1):
        assert lib.pm_process_entries(process, about.end - 3 * PAGE, count, out) == 3
        assert lib.pm_process_entries(process, (1 << 64) - PAGE, count, out) == 0
    for count in (1 << 59, (1 << 64) - 1):
        assert lib.pm_process_entries(process, about.end - 3 * PAGE, count, out) == -22  # EINVAL
    assert lib.pm_process_translate(process, about.end, out) == -61  # ENODATA


def test_errno_is_as_it_was(process: Any) -> None:
    """Failures and successes alike: a signal handler may not change it."""
    out, limit = ffi.new("uint64_t[]", 8), sized("pm_limits")
    amounts, scratch = sized("pm_amounts"), ffi.new("uint64_t[]", SCRATCH)
    cursor, buffer = ffi.new("struct pm_maps_cursor *"), ffi.new("char[]", BUFFER)
    query = sized("pm_region_query", all_of=1 << 40)
    calls: list[Callable[[], Any]] = [
        lambda: lib.pm_process_entries(process, 0, 8, out),
        lambda: lib.pm_process_entries(process, 1 << 63, 8, out),
        lambda: lib.pm_process_translate(process, 0, out),
        lambda: lib.pm_process_tally(process, 0, 1 << 47, ALL, limit, scratch, amounts),
        lambda: lib.pm_process_tally(process, 0, (1 << 64) - PAGE, 1, limit, scratch, amounts),
        lambda: lib.pm_process_regions(
            process, query, 0, PAGE, ffi.cast("struct pm_region *", scratch), 1, out
        ),
        lambda: lib.pm_maps_next(process, cursor, buffer, BUFFER, sized("pm_mapping")),
        lambda: lib.pm_frames_open(b"/nowhere", 1, ffi.new("struct pm_frames **")),
    ]
    for number, call in enumerate(calls):
        ffi.errno = 1000 + number
        call()
        assert ffi.errno == 1000 + number, number


def test_what_is_gone_says_so(start: Start) -> None:
    """Of an exited process every reading function says ESRCH, and none that all is empty."""
    target = start(workloads.python())
    address = next(row[0] for row in lines(target.pid) if row[6] == b"[stack]")
    with opened(target.pid) as process:
        target.kill()
        out, at = ffi.new("uint64_t[]", 64), ffi.new("uint64_t *", address)
        cursor, buffer = ffi.new("struct pm_maps_cursor *"), ffi.new("char[]", BUFFER)
        span, stored = ffi.new("struct pm_span *", (address, address + PAGE)), ffi.new("uint64_t *")
        runs = ffi.new("struct pm_span[]", 4)
        results = [
            lib.pm_process_check(process),
            lib.pm_process_entries(process, address, 4, out),
            lib.pm_process_entries_of(process, span, 1, out, 64, stored),
            lib.pm_process_translate(process, address, out),
            lib.pm_process_populated(process, at, address + PAGE, out, 8, runs, 4, stored),
            lib.pm_process_tally(
                process,
                0,
                1 << 47 if process.can & lib.PM_CAN_SCAN else PAGE,
                ALL,
                ffi.NULL,
                ffi.new("uint64_t[]", SCRATCH),
                sized("pm_amounts"),
            ),
            lib.pm_maps_next(process, cursor, buffer, BUFFER, sized("pm_mapping")),
        ]
        assert results == [-3] * len(results)


def test_words_for_errors() -> None:
    assert ffi.string(lib.pm_strerror(-3)) == ffi.string(lib.pm_strerror(3))
    assert b"exited" in ffi.string(lib.pm_strerror(-3))
    for error in (0, 9999, -(2**31), 2**31 - 1):
        assert ffi.string(lib.pm_strerror(error))
