"""The library in signal handlers, in `__del__` and in callbacks: it never waits for itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SECONDS = float(os.environ.get("PAGEMAP_HANDLER", "0.7"))
"""Acceptance asks for 30 s of a Sampler at 1 kHz."""

BEGIN = """
import gc, io, mmap, os, signal, sys, time
import pagemap, pagemap._native.pipeline, pagemap._history.sampler

pagemap._native.pipeline.ALONE_PAGES = 1  # threads from the first piece on
"""


def run(script: str, seconds: float = 0) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120 + 3 * seconds,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout.split()


def test_nothing_is_imported_in_a_handler() -> None:
    """One that interrupted the first call of a method got modules that were half made."""
    told = run("""
pagemap.load()
imported = []
sys.addaudithook(lambda event, words: imported.append(words[0]) if event == "import" else None)

def tell(call):
    try:
        list(call() or ())
    except pagemap.PagemapError:  # who is not root may not look up frames
        pass
    except TypeError as error:
        assert "not iterable" in str(error), error

def handler(number, frame):
    with pagemap.Process("self") as process:
        (first, *_) = process.maps()
        for call in (
            process.tally, process.footprint, process.footprints, process.columns, process.huge,
            process.populated, process.regions, process.page_types,
            lambda: process.pages(first).counts(), lambda: process.virt_to_phys(first.start),
            lambda: process.columns().__arrow_c_stream__(), lambda: process.columns().about,
            lambda: pagemap.Sampler().sample(), lambda: pagemap.find(sys.executable),
            *(lambda f=f: pagemap.dump("self", "/dev/null", format=f, populated=True)
              for f in ("text", "csv", "json", "jsonl")),
            process.page_runs, lambda: pagemap.owners([1]),
            lambda: pagemap.sharing([os.getpid()], only=True),
        ):
            tell(call)

signal.signal(signal.SIGALRM, handler)
signal.raise_signal(signal.SIGALRM)
print(*imported)
""")
    assert set(told) <= {"_xxsubinterpreters"}  # which is compiled into Python


def test_a_sampler_in_a_handler_at_1_khz() -> None:
    """Scalene's way: it took a lock that its own thread held, and waited for good.

    A timer that repeats comes again before the handler has ended, so the depth is bounded too.
    """
    told = run(
        f"""
sampler = pagemap.Sampler()
taken, busy, depth, deepest = 0, 0, 0, 0

def handler(number, frame):
    global taken, busy, depth, deepest
    depth += 1
    deepest = max(deepest, depth)
    sample = sampler.sample()
    depth -= 1
    if sample.rss is None:
        busy += 1
        assert sample.partial
        assert not any(getattr(sample, name) for name in pagemap._history.sampler.COUNTS)
    else:
        taken += 1
        assert sample.rss > 0 and not sample.partial

def held():
    return int(open("/proc/self/statm").read().split()[1])

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
start = warm = time.monotonic()
before = None
while time.monotonic() < start + {SECONDS}:
    mine = sampler.sample()
    assert mine.rss is None or mine.rss > 0
    if before is None and time.monotonic() > start + {SECONDS} / 3:
        before = held()
signal.setitimer(signal.ITIMER_REAL, 0)
print(taken, busy, deepest, held() - before)
""",
        SECONDS,
    )
    taken, busy, deepest, grown = map(int, told)
    assert taken + busy > 0
    assert deepest < 50
    assert grown < 512  # pages


@pytest.mark.parametrize("look", ["sampler.sample().rss", "sampler.rss()"])
def test_a_handler_closes_the_sampler_that_it_interrupts(look: str) -> None:
    """What is under way ends first, of the process that it began with; no file is another's."""
    assert run(f"""
for round in range(100):
    sampler = pagemap.Sampler()
    others = []

    def handler(number, frame):
        sampler.close()
        others.extend(os.open("/dev/zero", os.O_RDONLY) for _ in range(round % 2 * 10))

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0003 + round * 0.00001)
    try:
        while True:
            known = {look}
            assert known is None or known > 0
    except pagemap.ClosedProcess:
        pass
    for other in others:
        os.close(other)
print("done")
""") == ["done"]


def test_a_handler_forks_in_the_midst_of_a_sample() -> None:
    """The child has the lock that its only thread holds, and gives it back."""
    assert run("""
sampler = pagemap.Sampler()
children = []

def handler(number, frame):
    child = os.fork()
    if not child:
        sampler.sample()
        raise SystemExit  # through the sample that was interrupted
    children.append(child)

signal.signal(signal.SIGALRM, handler)
for _ in range(10):
    before = len(children)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    while len(children) == before:
        sampler.sample()
for child in children:
    assert os.waitpid(child, 0)[1] == 0
print("done")
""") == ["done"]


def test_a_finalizer_takes_a_sample_within_one() -> None:
    """Garbage is collected wherever something is made, in the midst of a sample too."""
    assert run("""
os.environ["PAGEMAP_DISABLE"] = "scan"  # then a sample makes much in Python
sampler = pagemap.Sampler()
seen = set()

class Dies:
    def __init__(self):
        self.me = self
    def __del__(self):
        seen.add(sampler.sample().rss is None)

count = 1
while True not in seen:  # until one is collected in the midst of a sample
    gc.set_threshold(count)
    garbage = Dies()
    del garbage
    sampler.sample()
    count = count % 500 + 1
gc.set_threshold(700, 10, 10)
print("done")
""") == ["done"]


WALKS = {
    "populated": "for mapping, pages in process.populated(threads=2): pass",
    "tally": "list(process.tally(threads=2))",
    "dump": "pagemap.dump(process, io.BytesIO(), threads=2)",
    "maps": "process.maps()",
    "ahead": """
while len(areas) < 6000:  # so many that a thread reads the next block of their text
    areas.append(mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ * (1 + len(areas) % 2 * 2)))
assert len(process.maps()) > 6000
""",
    "regions": "list(process.regions().rows())",
    "opening": "pagemap.Process('self').close()",
    "closing": "pagemap.Process('self').maps(); pagemap.Sampler().close()",
    "forgotten": "next(process.populated(threads=2))",
    "kept": "walks.append(process.populated(threads=2)); next(walks[-1])",
    "words": """
with pagemap.FrameReader() as reader:
    reader.words("flags", range(1 << 15), threads=2)
""",
}


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_in_a_handler_that_interrupts_one(walk: str) -> None:
    """Each lock is one that a handler may find held: of pieces, of maps, of memory, at the exit."""
    if walk == "words" and not os.access("/proc/kpageflags", os.R_OK):
        pytest.skip("frames may not be read: CAP_DAC_READ_SEARCH")
    body = WALKS[walk].strip().replace("\n", "\n    ")
    assert run(f"""
process = pagemap.Process("self")
areas, walks = [], []
handled = 0

def work():
    {body}

def handler(number, frame):
    global handled
    work()
    handled += 1

work()
signal.signal(signal.SIGALRM, handler)
for round in range(40):
    before = handled
    signal.setitimer(signal.ITIMER_REAL, 0.0001 + round * 0.00007)
    while handled == before:
        work()
        del walks[:-20]
print("done")
""") == ["done"]


def test_callbacks_look_at_the_process_that_is_dumped() -> None:
    """`progress` and `select` are called in the midst of a walk."""
    assert run("""
process = pagemap.Process("self")
sampler = pagemap.Sampler()
looked = 0

def look(*about):
    global looked
    looked += 1
    if looked < 20:
        process.maps()
        sampler.sample()
        list(process.tally(["present"], threads=2))
        next(process.populated(threads=2))
        pagemap.dump(process, io.BytesIO(), threads=2, progress=look)
    return True

pagemap.dump(process, io.BytesIO(), threads=2, select=look)
pagemap.dump(process, io.BytesIO(), threads=2, progress=look)
assert looked >= 20
print("done")
""") == ["done"]
