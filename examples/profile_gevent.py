"""The memory of a program of gevent: greenlets, and a thread of C that is none of them.

gevent puts greenlets in the place of Python's threads. The thread of `Sampler.stream` is not one of
those, so it samples whichever greenlet runs, and blocks none.

Usage: python profile_gevent.py [MIB]
"""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()

import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

import pagemap  # noqa: E402


def settle(stream: pagemap.SampleStream) -> None:
    """Wait until two more samples were taken, and let other greenlets run meanwhile."""
    known = len(stream.table())
    while len(stream.table()) < known + 2:
        time.sleep(0.001)  # gevent's own


def work(mib: int, stream: pagemap.SampleStream) -> bytearray:
    """Take memory, which the greenlet then has as its value."""
    block = bytearray(mib << 20)
    settle(stream)
    return block


def main() -> None:
    """Run greenlets at once, and say what they took together."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    with pagemap.Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
        settle(stream)
        jobs = [gevent.spawn(work, mib, stream) for _ in range(2)]
        gevent.joinall(jobs, raise_error=True)
        settle(stream)
    rss = [row.rss or 0 for row in stream.table()]
    print(f"grew by {(max(rss) - rss[0]) >> 20} MiB")


if __name__ == "__main__":
    main()
