"""What is kept of a process beside its entries, so that a snapshot says what the process did."""

from __future__ import annotations

import json
import mmap
import os

import pytest

import pagemap
from pagemap._analyses.saved_facts import facts_of

PAGE = mmap.PAGESIZE
SHMEM, NO_FILE = 2, 5  # enum pm_backing of csrc/analyses/tally.cdef.h


def test_what_backs_a_device_is_kept() -> None:
    fd = os.memfd_create("kept")
    os.ftruncate(fd, PAGE)
    with mmap.mmap(fd, PAGE) as shared, pagemap.Process("self") as process:
        shared[0] = 1
        facts = facts_of(process, b"".join(process.maps_blocks()))
        device = next(each.dev for each in process.maps() if "memfd:kept" in each.path)
    os.close(fd)
    assert json.loads(json.dumps(facts)) == facts
    devices = facts["devices"]
    assert isinstance(devices, dict)
    assert devices[device] == SHMEM
    assert devices["00:00"] == NO_FILE
    with open("/proc/swaps", encoding="ascii") as file:
        used = any(int(line.split()[-2]) for line in file.readlines()[1:])
    if not used:
        assert facts["shmem_swap"] == {}


def test_a_process_of_a_snapshot_is_none_that_runs() -> None:
    """Its pid may be another's by now, which no call may show in its place."""

    class Kept:
        live = False
        pid = os.getpid()

    for call in (pagemap.Process, pagemap.Sampler, lambda it: pagemap.virt_to_phys(it, 0)):
        with pytest.raises(pagemap.UsageError, match="of a snapshot"):
            call(Kept())
