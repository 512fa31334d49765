"""What tests of samples have in common: the ways of counting, and a target that rests."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import workloads

if TYPE_CHECKING:
    from pagemap._history.sampler import Sample
    from tests.conftest import Start
    from tests.workloads import Target

MIB = 1 << 20


def lag() -> int:
    """By how many bytes statm may differ from smaps: before Linux 6.17 each processor keeps some.

    Of each of its three counters, up to 32 pages or twice the number of processors
    (percpu_counter_batch in lib/percpu_counter.c). Before 6.2 each thread keeps those of its last
    64 faults (check_sync_rss_stat in mm/memory.c), of which each may map 16 pages of a file.
    """
    release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    processors = os.cpu_count() or 1
    if release >= (6, 17):
        return 0
    pages = 3 * max(64, 2 * processors) * processors if release >= (6, 2) else 65 * 16
    return pages * os.sysconf("SC_PAGE_SIZE")


def queries_maps() -> bool:
    """Whether the kernel has PROCMAP_QUERY (Linux 6.11): it finds a size of 0 wrong, if so."""
    # _IOWR('f', 17, struct procmap_query), of 104 bytes; include/uapi/linux/fs.h
    with open("/proc/self/maps", "rb") as file, pytest.raises(OSError, match="Errno") as refused:
        fcntl.ioctl(file, 0xC0686611, bytes(104))
    return refused.value.errno != errno.ENOTTY


@pytest.fixture(name="way", params=["scan", "entries"])
def way_of_counting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With PAGEMAP_SCAN, and without."""
    way: str = request.param
    if way == "entries":
        monkeypatch.setenv("PAGEMAP_DISABLE", "scan")
    else:
        monkeypatch.delenv("PAGEMAP_DISABLE", raising=False)
        with pagemap.Process("self") as process:
            if not process.can_scan:
                pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
    return way


@pytest.fixture(name="dense")
def made_dense(start: Start) -> Target:
    target = start(workloads.dense(64 * MIB))
    target.stop()
    return target


def steady(sample: Sample) -> Sample:
    """Without what other processes change: which pages of libraries are mapped here alone."""
    return sample._replace(uss=None)
