"""Under gevent and eventlet, which put greenlets in the place of Python's threads and locks."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import workloads

if TYPE_CHECKING:
    from tests.conftest import Start

GEVENT = "from gevent import monkey; monkey.patch_all()"
EVENTLET = """
import warnings
warnings.simplefilter("ignore")  # eventlet says that it is deprecated
import eventlet
eventlet.monkey_patch()
"""

# What the README shows of the library, of memory that is known.
EXAMPLES = """
import ctypes, io, mmap

pagemap._native.pipeline.ALONE_PAGES = 1  # threads from the first piece on
PAGES = 3 << 14  # so many that a thread is waited for
memory = mmap.mmap(-1, PAGES * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(memory), mmap.PAGESIZE):
    memory[at] = 1
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
end = start + len(memory)
with pagemap.Process("self") as process:
    holds = lambda mapping: mapping.start <= start < mapping.end
    pages = process.pages((start, end))
    assert pages.counts().present >= PAGES
    assert process.read_into(bytearray(8 * 16), start) == 16
    assert process.entry(start + (end - start) // 2).present
    if process.pfns_visible:
        assert process.virt_to_phys(end - 1) > 0

    for threads in (1, 2):
        found = sum(len(p) for m, p in process.populated(threads=threads) if holds(m))
        assert found >= PAGES, found
        counted = sum(
            row.present for row in process.tally(["present", "uss"], threads=threads)
            if holds(row)
        )
        assert counted >= PAGES * mmap.PAGESIZE, counted
        file = io.BytesIO()
        rows = pagemap.dump(process, file, threads=threads, ranges=[(start, end)])
        assert rows == (end - start) // mmap.PAGESIZE
        assert file.getvalue().count(b"\\n") == rows + 1
        if huge and process.pfns_visible:
            told = [row for row in process.huge(threads=threads) if holds(row)]
            assert told[0].present >= PAGES * mmap.PAGESIZE
            assert sum(each.pages for each in process.page_types(threads=threads)) >= PAGES
    assert any(holds(region) for region in process.regions().rows())
    assert process.footprint().rss >= PAGES * mmap.PAGESIZE

    unfinished = process.populated(threads=2)
    next(unfinished)
    if huge and process.pfns_visible:
        with pagemap.FrameReader() as reader:
            for threads in (1, 2):
                words = reader.words("flags", range(1 << 18), threads=threads)
                assert len(words) == 1 << 18
                frames = reader.read(pages.pfns(), ["flags", "mapcounts"], threads=threads)
                assert frames[0].mapcount is None or frames[0].mapcount >= 0

with pagemap.Sampler() as sampler:
    assert sampler.sample().rss >= PAGES
assert pagemap.find("no process has this name") == []
print("done")
"""

IMPORT = """
import os
import pagemap, pagemap._native.pipeline, pagemap._history.sampler
huge = os.access("/proc/kpageflags", os.R_OK)
"""


def run(script: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.stdout == "done\n", ended.stderr


@pytest.mark.parametrize("order", ["patched first", "imported first"])
@pytest.mark.parametrize("patch", ["gevent", "eventlet"])
def test_all_examples_under_green_threads(patch: str, order: str) -> None:
    """dump, populated, tally and FrameReader.words waited for good, for a greenlet."""
    if importlib.util.find_spec(patch) is None:
        pytest.skip(f"{patch} is not installed")
    code = GEVENT if patch == "gevent" else EVENTLET
    first, second = (code, IMPORT) if order == "patched first" else (IMPORT, code)
    run(f"{first}\n{second}\n{EXAMPLES}")


def test_examples_from_several_greenlets(start: Start) -> None:
    """Greenlets of one thread are one owner of its locks: none waits for another."""
    if importlib.util.find_spec("gevent") is None:
        pytest.skip("gevent is not installed")
    run(f"""
{GEVENT}
{IMPORT}
import gevent
pagemap._native.pipeline.ALONE_PAGES = 1
sampler = pagemap.Sampler()
process = pagemap.Process({start(workloads.python()).pid})

def walk(number):
    seen = 0
    for mapping, pages in process.populated(threads=2):
        seen += len(pages)
        assert sampler.sample().rss > 0
        gevent.sleep(0)
    assert process.maps()
    return seen

jobs = [gevent.spawn(walk, number) for number in range(5)]
gevent.joinall(jobs, raise_error=True)
assert all(job.value > 0 for job in jobs)
print("done")
""")
