"""Which of several threads took the memory: a stream of samples beside them.

The thread that samples needs no GIL, so it samples evenly while these compute; and its clock is
that of time.monotonic_ns, so their own notes of time fit to it.

Usage: python profile_threads.py [MIB]
"""

from __future__ import annotations

import sys
import threading
import time

import pagemap


def settle(stream: pagemap.SampleStream) -> None:
    """Wait until two more samples were taken, however busy the machine is."""
    known = len(stream.table())
    while len(stream.table()) < known + 2:
        time.sleep(0.001)


def work(mib: int, stream: pagemap.SampleStream, notes: list[tuple[int, int, int]]) -> None:
    """Take memory, and note when that began and ended, and when it was let go."""
    settle(stream)
    began = time.monotonic_ns()
    block = bytearray(mib << 20)
    ended = time.monotonic_ns()
    settle(stream)
    notes.append((began, ended, time.monotonic_ns()))
    del block


def main() -> None:
    """Run two threads, one after another, and say what each of them added."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    notes: list[tuple[int, int, int]] = []
    with pagemap.Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
        for factor in (1, 2):
            thread = threading.Thread(target=work, args=(factor * mib, stream, notes))
            thread.start()
            thread.join()
    rows = [(row.time + stream.began_ns, row.rss or 0) for row in stream.table()]
    for number, (began, ended, freed) in enumerate(notes):
        before = [rss for at, rss in rows if at < began][-1]
        after = max(rss for at, rss in rows if ended <= at < freed)
        print(f"thread {number}: {(after - before) >> 20} MiB")


if __name__ == "__main__":
    main()
