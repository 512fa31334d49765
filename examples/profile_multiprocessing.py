"""The memory of workers, by each start method of multiprocessing.

Each worker samples itself: a stream belongs to the process that began it, so after a fork the child
makes its own (the one that it inherited says ClosedProcess). The parent may sample its workers too,
by pid: with rights to read them, which it has of its children unless they change their user.

Usage: python profile_multiprocessing.py [METHOD ...]
"""

from __future__ import annotations

import multiprocessing
import sys
from typing import TYPE_CHECKING

import pagemap

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MIB = 1 << 20
inherited: list[pagemap.SampleStream] = []


def work(mib: int, answers: Connection) -> None:
    """Take memory, tell how much was seen to grow, and wait."""
    state = "none"
    if inherited:
        try:
            inherited[0].read()
        except pagemap.ClosedProcess:
            state = "closed"
    with pagemap.Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
        while not (before := [row.rss or 0 for row in stream.read()]):
            pass
        block = bytearray(mib * MIB)
        known = len(stream.table())
        while len(stream.table()) <= known + 1:
            pass
        after = stream.read()[-1].rss or 0
        answers.send(((after - before[-1]) // MIB, state))
        answers.recv()  # until the parent has looked, too
    del block


def main() -> None:
    """Start a worker by each method, and compare what both sides saw."""
    with pagemap.Sampler(counts=["rss"]) as sampler:
        inherited.append(sampler.stream(every=0.01))
    for method in sys.argv[1:] or ["fork", "forkserver", "spawn"]:
        multiprocessing.set_start_method(method, force=True)
        ours, theirs = multiprocessing.Pipe()
        worker = multiprocessing.Process(target=work, args=(32, theirs))
        worker.start()
        grown, state = ours.recv()
        assert worker.pid is not None
        with pagemap.Sampler(worker.pid, counts=["rss"]) as other:
            seen = (other.sample().rss or 0) // MIB
        ours.send("enough")
        worker.join()
        enough = "yes" if seen >= grown else "no"
        print(f"{method}: grew by {grown} MiB, seen from outside: {enough}, inherited: {state}")


if __name__ == "__main__":
    main()
