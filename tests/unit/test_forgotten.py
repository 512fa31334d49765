"""Threads and walks that are forgotten: when the interpreter ends, and in a child of fork."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A walk of which some was taken, while its threads wait for more.
PIECES = """
import os, time
from functools import partial
from pagemap._native import pipeline

# No function of ours, whose globals a thread would hold and the walk with them.
about = {"done": True, "work": pipeline.ALONE_PAGES, "run": staticmethod(time.sleep)}
piece = type("Piece", (), about)()

def walk():
    with pipeline.run(iter([piece] * 200), partial(float, 0.001), 3) as results:
        yield from results

walk = walk()
for _ in range(10):
    next(walk)
time.sleep(0.05)  # the threads wait for something to do
"""

# The same while its threads are in the middle of a step.
BUSY = PIECES.replace("0.001", "0.01").replace("0.05", "0")

# Text of maps while a thread reads on.
BLOCKS = """
import os, time
from pagemap import _native
from pagemap._kernel import maps_blocks

walk = maps_blocks.read_blocks(os.open("/proc/self/maps", os.O_RDONLY), 512)
next(walk)
next(walk)
read = _native.read_text
def slowly(*about):
    time.sleep(0.1)
    return read(*about)
_native.read_text = slowly
next(walk)
"""

# A child that fails to end would outlive the test.
FORK = """
import signal, warnings
warnings.simplefilter("ignore")  # from 3.12 on it is warned of
pid = os.fork()
if not pid:
    signal.alarm(30)
    try:
        {child}
    finally:
        os._exit(3)
assert os.waitpid(pid, 0)[1] == 0
print("done")
"""

CLOSE = "walk.close(); os._exit(0)"

GO_ON = """
        try:
            for _ in walk:
                pass
        except RuntimeError as error:
            assert "fork" in str(error), error
        os._exit(0)
"""


def done(script: str) -> bool:
    run = [sys.executable, "-c", script]
    got = subprocess.run(run, stdout=subprocess.PIPE, timeout=60, check=True)
    return got.stdout == b"done\n"


@pytest.mark.parametrize("walk", [PIECES, BUSY, BLOCKS], ids=["pieces", "busy", "blocks"])
def test_the_interpreter_ends(walk: str) -> None:
    """Threads that want the GIL then are stopped where they are: who waits for them never ends."""
    assert done(f"{walk}\nprint('done')")


@pytest.mark.parametrize("child", [CLOSE, GO_ON], ids=["closed", "gone on with"])
@pytest.mark.parametrize("walk", [PIECES, BUSY, BLOCKS], ids=["pieces", "busy", "blocks"])
def test_fork(walk: str, child: str) -> None:
    """A child has none of the threads."""
    assert done(walk + FORK.format(child=child))


def test_gone_on_with_after_its_end() -> None:
    """What nobody will do any more is an error, not waited for."""
    script = f"""{PIECES}
import atexit

def go_on():
    try:
        while True:
            next(walk)
    except RuntimeError as error:
        assert "stopped" in str(error)
        print("done")

atexit._run_exitfuncs()
go_on()
"""
    assert done(script)


def test_collected_by_its_own_thread() -> None:
    """Garbage is collected by whoever happens to; that thread cannot wait for its own end."""
    script = """
import gc, os, threading
from pagemap import _native
from pagemap._kernel import maps_blocks

gc.disable()
dropped, collected = threading.Event(), threading.Event()
caller = threading.get_ident()
first = [True]
read = _native.read_text
def collect(*about):
    if threading.get_ident() != caller and not (first and first.pop()):
        dropped.wait()
        gc.collect()
        collected.set()
    return read(*about)

_native.read_text = collect
walk = maps_blocks.read_blocks(os.open("/proc/self/maps", os.O_RDONLY), 512)
next(walk)  # by the caller
next(walk)  # by the thread, which goes on to the next
cycle = [walk]
cycle.append(cycle)
del walk, cycle
dropped.set()
os.write(1, b"done\\n" if collected.wait(30) else b"it waits for itself")
os._exit(0)
"""
    assert done(script)
