"""A run of memray beside our Sampler: what was allocated, and what of it was there.

memray notes each allocation, and now and then VmRSS. Memory that is allocated and not written to is
not resident; memory that is freed may stay so. The stream shows that, also what is in swap, of
hugetlb, or of the kernel's page of zeros, at even times.

Usage: python beside_memray.py [MIB]
"""

from __future__ import annotations

import mmap
import sys
import tempfile
import time
from pathlib import Path

import memray

import pagemap

MIB = 1 << 20
MEMRAY_MS = 5  # between two looks of memray's at VmRSS


def settle(stream: pagemap.SampleStream) -> None:
    """Wait until two more samples were taken, and until memray, too, has had time to look."""
    known = len(stream.table())
    time.sleep(20 * MEMRAY_MS / 1000)
    while len(stream.table()) < known + 2:
        time.sleep(0.001)


def work(mib: int, stream: pagemap.SampleStream) -> None:
    """Allocate, read half of it, and write a quarter."""
    with mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, mib * MIB // 2, mmap.PAGESIZE):
            assert not memory[at]
        settle(stream)
        for at in range(0, mib * MIB // 4, mmap.PAGESIZE):
            memory[at] = 1
        settle(stream)


def main() -> None:
    """Compare."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "memray.bin"
        counts = ["rss", "present", "zero"]
        with pagemap.Sampler(counts=counts) as sampler, sampler.stream(every=0.002) as stream:
            settle(stream)
            with memray.Tracker(results, native_traces=False, memory_interval_ms=MEMRAY_MS):
                work(mib, stream)
        with memray.FileReader(results) as reader:
            allocated = reader.metadata.peak_memory
            memray_rss = [each.rss for each in reader.get_memory_snapshots()]
    table = stream.table()
    rss = [row.rss or 0 for row in table]
    zero = [row.zero for row in table if row.zero is not None]
    print(f"allocated at the peak, by memray: {allocated // MIB} MiB")
    print(f"rss at the peak, by memray: {max(memray_rss) // MIB} MiB")
    print(f"rss at the peak, by pagemap: {max(rss) // MIB} MiB, {len(table)} samples")
    print(f"grew by {(max(rss) - rss[0]) // MIB} MiB")
    if zero:
        print(f"read and never written: {(max(zero) - zero[0]) // MIB} MiB")


if __name__ == "__main__":
    main()
