"""The memory of a program of asyncio, sampled from beside the loop and from within it.

The stream goes on while a task blocks the loop. `read` waits for nothing, so a task may call it;
a sample of a large process takes milliseconds, so that is done in a thread (`asyncio.to_thread`).

Usage: python profile_asyncio.py [MIB]
"""

from __future__ import annotations

import asyncio
import sys
import time

import pagemap


async def report(stream: pagemap.SampleStream, seen: list[int]) -> None:
    """Take what was sampled from time to time, as a task that writes a log would."""
    while True:
        seen += [row.rss or 0 for row in stream.read()]
        await asyncio.sleep(0.005)


async def settle(seen: list[int]) -> None:
    """Wait until the reporter has two more samples."""
    known = len(seen)
    while len(seen) < known + 2:  # noqa: ASYNC110 - the stream has no event
        await asyncio.sleep(0.001)


async def work(mib: int, stream: pagemap.SampleStream) -> int:
    """Take memory while the loop stands still: nobody but the stream's own thread goes on."""
    block = bytearray(mib << 20)
    known = len(stream.table())
    while len(stream.table()) < known + 3:
        time.sleep(0.001)  # noqa: ASYNC251 - a task that blocks is what this shows
    return len(block)


async def run(mib: int) -> None:
    """Say what was seen."""
    seen: list[int] = []
    sampler = pagemap.Sampler(counts=["rss"])
    with sampler, sampler.stream(every=0.001) as stream:
        reporter = asyncio.create_task(report(stream, seen))
        await settle(seen)
        await work(mib, stream)
        await settle(seen)
        whole = await asyncio.to_thread(sampler.sample)
        reporter.cancel()
    print(f"grew by {(max(seen) - seen[0]) >> 20} MiB; {(whole.rss or 0) >> 20} MiB at the end")


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 32))
