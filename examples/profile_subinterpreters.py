"""Interpreters of one process: which of them can sample.

All of them share one address space, so one Sampler tells of all. The main interpreter and legacy
ones, which share the GIL, may each have their own; a stream ends with the interpreter that began
it. In an isolated interpreter (of a GIL of its own) importing pagemap is an ImportError that says
so: cffi has one state for all interpreters. There the main interpreter samples for it.

Usage: python profile_subinterpreters.py
"""

from __future__ import annotations

import sys
import time

import pagemap

try:
    import _interpreters as interpreters  # since Python 3.13
except ImportError:
    import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]

MIB = 1 << 20
SAMPLE = f"""
import sys
sys.path[:0] = {sys.path!r}
import time
import pagemap
with pagemap.Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
    while not len(stream.table()):
        time.sleep(0.001)
assert stream.table()[0].rss
"""
TAKE = "block = bytearray(32 << 20)"


def create(kind: str) -> object:
    """An interpreter; before Python 3.12 all are legacy ones."""
    try:
        return interpreters.create(kind)
    except TypeError:
        return interpreters.create(isolated=kind == "isolated")


def run(one: object, script: str) -> str:
    """Run it there: what went wrong, or that it worked."""
    try:
        failed = interpreters.run_string(one, script)
    except Exception as error:  # noqa: BLE001 - RunFailedError, which has had several homes
        return str(error)
    return "works" if failed is None else str(failed.formatted)


def settle(stream: pagemap.SampleStream) -> None:
    """Wait until two more samples were taken."""
    known = len(stream.table())
    while len(stream.table()) < known + 2:
        time.sleep(0.001)


def main() -> None:
    """Try both kinds, and watch from here what another interpreter takes."""
    for kind in ("legacy", "isolated"):
        one = create(kind)
        print(f"{kind}: {run(one, SAMPLE)}")
        interpreters.destroy(one)
    one = create("isolated")
    with pagemap.Sampler(counts=["rss"]) as sampler, sampler.stream(every=0.001) as stream:
        settle(stream)
        taken = run(one, TAKE)
        settle(stream)
    rss = [row.rss or 0 for row in stream.table()]
    print(f"from main: {taken}, grew by {(max(rss) - rss[0]) // MIB} MiB")
    interpreters.destroy(one)


if __name__ == "__main__":
    main()
