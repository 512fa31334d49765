"""The kernel's sums as older kernels write them, and text that only looks like them."""

from __future__ import annotations

import re

import pytest

from pagemap._errors import PagemapError
from pagemap._kernel import smaps
from pagemap._kernel.smaps import Footprint

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


def test_a_rollup() -> None:
    kib = 884, 385, 188, 8, 4, 696, 0, 120, 68, 2048, 4096
    held = smaps.parse_rollup(ROLLUP)
    assert held == (*[size * 1024 for size in kib], None)
    assert (held.uss, held.shared) == (188 * 1024, 696 * 1024)
    assert (held.clean, held.dirty) == (816 * 1024, 68 * 1024)
    assert held.hugetlb == 6144 * 1024


@pytest.mark.parametrize("data", [b"", b"no sums", b"head\nSize: 4 kB\n"])
def test_what_is_no_rollup(data: bytes) -> None:
    with pytest.raises(PagemapError, match="not a line of /proc/PID/smaps_rollup that has"):
        smaps.parse_rollup(data)


def test_a_path_that_looks_like_a_sum() -> None:
    ((mapping, held),) = smaps.parse([RECORD])
    assert mapping.path == "/tmp/a Rss: 9 kB"
    assert mapping.offset == 0x1000
    assert held == Footprint(8192, 4096, 0, 4096, None, 8192, 0, 0, 0, *[None] * 3)


def test_swap_pss_that_one_kernel_does_not_tell() -> None:
    ((_, old),) = smaps.parse([RECORD])
    new = old._replace(swap_pss=4096)
    assert smaps.total([new, new]).swap_pss == 8192
    assert smaps.total([new, old]).swap_pss is None
    assert smaps.total([new, old]).rss == 16384


def test_the_sum_of_none() -> None:
    assert smaps.total([]) == (0,) * len(Footprint._fields)


def test_a_mapping_in_two_blocks() -> None:
    cut = RECORD.index(b"Pss")
    assert list(smaps.parse([RECORD[:cut], RECORD[cut:] + RECORD])) == list(
        smaps.parse([RECORD + RECORD])
    )


def test_a_line_that_is_no_mapping() -> None:
    with pytest.raises(PagemapError, match="not a line of /proc/PID/maps: '7f0000 rw-p'"):
        list(smaps.parse([b"7f0000 rw-p\nRss: 4 kB\n"]))


@pytest.mark.parametrize("lacking", smaps.NAMES)
def test_a_line_that_a_kernel_lacks_is_not_known_and_not_0(lacking: str) -> None:
    """Rss and Pss of qemu-user, SwapPss before Linux 4.3, hugetlb before 4.4."""
    lines = [line for line in ROLLUP.split(b"\n") if not line.startswith(lacking.encode() + b":")]
    field = re.sub("(?<!^)(?=[A-Z][a-z])", "_", lacking).lower().replace("__", "_")
    rollup = smaps.parse_rollup(b"\n".join(lines))
    ((_, held),) = smaps.parse([RECORD.split(b"\n")[0] + b"\n", b"\n".join(lines[1:])])
    for found in (rollup, held, smaps.total([smaps.parse_rollup(ROLLUP), held])):
        assert getattr(found, field) is None
        assert (found.uss is None) == (lacking in ("Private_Clean", "Private_Dirty"))
    whole = smaps.parse_rollup(ROLLUP)
    assert None not in whole[:-1]


@pytest.mark.parametrize("line", [b"Rss:  x kB", b"Rss:", b"Pss: 4 MB", b"Swap: -4 kB", b"Rss: 1"])
def test_a_malformed_line_of_smaps_is_an_error_that_names_it(line: bytes) -> None:
    head = RECORD.split(b"\n")[0] + b"\n"
    for read in (smaps.parse_rollup, lambda data: list(smaps.parse([data]))):
        with pytest.raises(PagemapError, match=re.escape(repr(line.decode()))):
            read(head + b"Rss: 4 kB\n" + line + b"\n")
