"""A process that samples itself, for test_sampler.py.

Usage: python sampled.py MIB, then one request a line on standard input, each answered by numbers:

    sample COUNTS    one sample: seconds, resident pages, swapped pages
    flat SAMPLES     so many samples, all kept by nobody: resident bytes before and after
    busy RATE        a fixed piece of Python, RATE samples a second beside it: seconds, samples

COUNTS are names with commas between, or `all`. Of MIB, base pages are written, before the first
answer: the page size.
"""

from __future__ import annotations

import mmap
import re
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pagemap import Sampler

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 1 << 20
WARM_UP = 1000
BUSY_ROUNDS = 40_000_000  # about half a second


def hold(size: int) -> mmap.mmap:
    """Resident base pages, all written."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    memory[:: mmap.PAGESIZE] = b"x" * (size // mmap.PAGESIZE)
    return memory


def resident() -> int:
    """Resident bytes, exact: statm is not, where several cores count."""
    found = re.search(
        r"^Rss:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE
    )
    assert found is not None
    return int(found[1]) * 1024


def timed_sample(sampler: Sampler) -> tuple[float, int, int]:
    """One sample, and what it took."""
    started = time.perf_counter()
    sample = sampler.sample()
    took = time.perf_counter() - started
    assert sample.rss is not None
    assert sample.swap is not None
    assert not sample.partial
    return took, sample.rss // mmap.PAGESIZE, sample.swap // mmap.PAGESIZE


def flat(sampler: Sampler, samples: int) -> tuple[int, int]:
    """Resident bytes after the first samples, and after all of them."""
    for _ in range(WARM_UP):
        sampler.sample()
    before = resident()
    for _ in range(samples - WARM_UP):
        sampler.sample()
    return before, resident()


def busy(sampler: Sampler, rate: int) -> tuple[float, int]:
    """Count upwards while another thread samples, from the first to the last number."""
    ended = threading.Event()
    taken = 0

    def take_samples() -> None:
        nonlocal taken
        due = time.monotonic()
        while not ended.wait(max(0.0, due - time.monotonic())):
            sampler.sample()
            taken += 1
            due += 1 / rate

    thread = threading.Thread(target=take_samples)
    if rate:
        thread.start()
    number = 0
    started = time.perf_counter()
    while number < BUSY_ROUNDS:
        number += 1
    took = time.perf_counter() - started
    counted = taken
    ended.set()
    if rate:
        thread.join()
    return took, counted


def main() -> None:
    """Answer requests until there are no more."""
    memory = hold(int(sys.argv[1]) * MIB)
    samplers = {"all": Sampler()}
    print(mmap.PAGESIZE, flush=True)
    for line in sys.stdin:
        request, argument = line.split()
        answer: Sequence[float]
        if request == "sample":
            if argument not in samplers:
                samplers[argument] = Sampler(counts=argument.split(","))
            answer = timed_sample(samplers[argument])
        elif request == "flat":
            answer = flat(samplers["all"], int(argument))
        else:
            answer = busy(samplers["all"], int(argument))
        print(*answer, flush=True)
    memory.close()


if __name__ == "__main__":
    main()
