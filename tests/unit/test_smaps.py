"""The kernel's sums as older kernels write them, and text that only looks like them."""

from __future__ import annotations

import re

import pytest

from pagemap._errors import PagemapError
from pagemap._kernel import smaps

# Of Linux 4.19, which has no Pss_Anon, and of 6.18, which has more.
ROLLUP = b"""\
562a1c000000-7ffd00000000 ---p 00000000 00:00 0                          [rollup]
Rss:                 884 kB
Pss:                 385 kB
Shared_Clean:        696 kB
Shared_Dirty:          0 kB
Private_Clean:       120 kB
Private_Dirty:        68 kB
Referenced:          884 kB
Anonymous:            68 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
Shared_Hugetlb:     2048 kB
Private_Hugetlb:    4096 kB
Swap:                  8 kB
SwapPss:               4 kB
Locked:              385 kB
"""

RECORD = b"""\
7f0000000000-7f0000003000 r--s 00001000 fe:00 77                         /tmp/a Rss: 9 kB
Size:                 12 kB
Rss:                   8 kB
Pss:                   4 kB
Shared_Clean:          8 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Swap:                  4 kB
VmFlags: rd mr
"""

NAMES = {b"Rss", b"Pss", b"Swap"}


def test_the_lines_that_are_asked_for() -> None:
    found = smaps.parse_rollup(ROLLUP, {b"Rss", b"Locked", b"No_Such_Line"})
    assert found == {b"Rss": 884 * 1024, b"Locked": 385 * 1024}


@pytest.mark.parametrize("data", [b"", b"no sums", b"head\nSize: 4 kB\n"])
def test_what_is_no_rollup(data: bytes) -> None:
    with pytest.raises(PagemapError, match="not a line of /proc/PID/smaps_rollup that has"):
        smaps.parse_rollup(data, NAMES)


def test_a_path_that_looks_like_a_sum() -> None:
    ((mapping, found),) = smaps.parse([RECORD], NAMES)
    assert mapping.path == "/tmp/a Rss: 9 kB"
    assert mapping.offset == 0x1000
    assert found == {b"Rss": 8192, b"Pss": 4096, b"Swap": 4096}


def test_a_mapping_in_two_blocks() -> None:
    cut = RECORD.index(b"Pss")
    assert list(smaps.parse([RECORD[:cut], RECORD[cut:] + RECORD], NAMES)) == list(
        smaps.parse([RECORD + RECORD], NAMES)
    )


def test_a_line_that_is_no_mapping() -> None:
    with pytest.raises(PagemapError, match="not a line of /proc/PID/maps: '7f0000 rw-p'"):
        list(smaps.parse([b"7f0000 rw-p\nRss: 4 kB\n"], NAMES))


@pytest.mark.parametrize(
    "line",
    [b"Rss:  x kB", b"Rss:", b"Pss: 4 MB", b"Swap: -4 kB", b"Rss: 1", b"Rss: 1%s kB" % (b"0" * 15)],
)
def test_a_malformed_line_of_smaps_is_an_error_that_names_it(line: bytes) -> None:
    head = RECORD.split(b"\n")[0] + b"\n"
    for read in (
        lambda data: smaps.parse_rollup(data, NAMES),
        lambda data: list(smaps.parse([data], NAMES)),
    ):
        with pytest.raises(PagemapError, match=re.escape(repr(line.decode()))):
            read(head + b"Rss: 4 kB\n" + line + b"\n")
