"""What the C library tells of frames, against the kernel's own files about them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from pagemap._core import ffi, lib
from tests import workloads
from tests.held_process import PAGE, words
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.conftest import Start

SCRATCH: int = lib.PM_SCRATCH
NONE = 2**64 - 1


def mapcounts(pfns: list[int]) -> list[int]:
    found = []
    with open("/proc/kpagecount", "rb", buffering=0) as file:
        for pfn in pfns:
            word = os.pread(file.fileno(), 8, pfn * 8)
            found.append(int.from_bytes(word, sys.byteorder) if word else NONE)
    return found


@pytest.fixture
def frames() -> Iterator[Any]:
    """The files of flags and of counts, open."""
    out = ffi.new("struct pm_frames **")
    if lib.pm_frames_open(ffi.NULL, lib.PM_FRAMES_FLAGS | lib.PM_FRAMES_COUNTS, out):
        pytest.skip("needs root, to read /proc/kpageflags and kpagecount")
    yield out[0]
    lib.pm_frames_close(out[0])


def test_frames(frames: Any, start: Start, need_pfns: None) -> None:
    """Of a file that three map, each of them twice, and of what each has for itself."""
    size = 256 * PAGE
    with workloads.temporary_file(b"thrice", size) as path:
        targets = [start(workloads.file_at(path, size)) for _ in range(3)]
        areas = targets[0].areas
        times = {"clean": 6, "shared": 6, "written": 1}
        wanted = [count for name in times for count in [times[name]] * areas[name].pages]
        wanted.insert(100, NONE)
        for most in (SCRATCH + 4 * len(wanted), SCRATCH + 4 * 7):
            scratch, counts = ffi.new("uint64_t[]", most), ffi.new("uint64_t[]", len(wanted))

            def look(most: int = most, scratch: Any = scratch, counts: Any = counts) -> Any:
                spans = [(areas[name].start, areas[name].end) for name in times]
                pfns = [word % 2**55 for span in spans for word in words(targets[0].pid, *span)]
                pfns.insert(100, 2**50)  # the machine has none of it
                got = lib.pm_frames_words(
                    frames, lib.PM_FRAMES_COUNTS, pfns, len(pfns), scratch, most, counts
                )
                assert got == len(pfns) - 1
                return list(counts), mapcounts(pfns)

            assert agreed(look) == wanted  # again, where the kernel moves a page


def test_what_frames_were_not_opened_for(frames: Any) -> None:
    scratch, counts = ffi.new("uint64_t[]", SCRATCH + 4), ffi.new("uint64_t *")
    missing = lib.pm_frames_words(
        frames, lib.PM_FRAMES_CGROUPS, [1], 1, scratch, SCRATCH + 4, counts
    )
    assert missing == -9  # EBADF
