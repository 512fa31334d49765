"""Writes tracked each way that a kernel has: the same pages, which the workload knows.

`tests.live.test_track` has more of userfaultfd; of soft-dirty bits it is here, for the kernels that
most developers run have none.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import mappings, writer
from tests.vm.guest.dirty import PAGES, WRITTEN_SINCE

if TYPE_CHECKING:
    from tests.vm.guest.conftest import Facts
    from tests.vm.guest.dirty import Dirty

PAGE = mappings.PAGE
THIRDS = [number for number in range(PAGES) if WRITTEN_SINCE[number]]


def found(rows: pagemap.Table[pagemap.WrittenRow], start: int, pages: int = PAGES) -> list[int]:
    """The numbers of the pages from `start` on that were written."""
    return writer.found(rows, start, pages)


def check_of_another(process: pagemap.Process, dirty: Dirty, method: str) -> None:
    with pagemap.track(process, inject=method == "userfaultfd") as tracker:
        assert tracker.method == method
        for name in ("untouched", "written", "seen"):
            assert found(tracker.collect(), dirty.areas[name].start) == []
        dirty.write()
        rows = tracker.written
        for name in ("untouched", "written"):
            assert found(rows, dirty.areas[name].start) == THIRDS, name
        for name in ("seen", "later"):
            assert found(rows, dirty.areas[name].start) == [], name
        assert {row.how for row in rows if row.start == dirty.areas["written"].start} == {"tracked"}
        assert found(tracker.collect(), dirty.areas["written"].start) == THIRDS
        assert found(tracker.collect(), dirty.areas["written"].start) == []


def test_of_another_by_soft_dirty(dirty: Dirty) -> None:
    with pagemap.Process(dirty.pid) as process:
        check_of_another(process, dirty, "soft-dirty")
    assert state(dirty.pid) == "T", "it was stopped before"
    dirty.process.resume()
    with pagemap.Process(dirty.pid) as process:
        pagemap.track(process).close()
    assert state(dirty.pid) != "T"


def test_of_another_by_userfaultfd(facts: Facts, dirty: Dirty) -> None:
    with pagemap.Process(dirty.pid) as process:
        if facts.write_tracking:
            check_of_another(process, dirty, "userfaultfd")
            return
        with pytest.raises(pagemap.Unsupported, match=r"Linux 6\.7"):
            pagemap.track(process, inject=True)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_of_this_process(facts: Facts) -> None:
    """By userfaultfd where it can, else by soft-dirty."""
    start = mappings.alone(PAGES)
    with pagemap.track((start, start + PAGES * PAGE)) as tracker:
        assert tracker.method == ("userfaultfd" if facts.write_tracking else "soft-dirty")
        assert found(tracker.collect(), start) == []
        mappings.write(start, THIRDS)
        assert found(tracker.written, start) == THIRDS
        assert found(tracker.collect(), start) == THIRDS
        assert found(tracker.collect(), start) == []
    mappings.free(start, PAGES)


def test_no_write_is_lost_by_soft_dirty() -> None:
    """A child writes its pages one after another, each once, while rounds begin and end."""
    pages = 3000
    start = mappings.alone(pages)
    ready, told = os.pipe()
    go, said = os.pipe()
    child = os.fork()
    if not child:
        os.read(go, 1)
        mappings.write(start, range(pages))
        os.write(told, b"x")
        signal.pause()
    done = threading.Event()
    seen: list[int] = []
    rounds = 0
    try:
        threading.Thread(target=_wait, args=(ready, done)).start()
        with pagemap.Process(child) as process, pagemap.track(process) as tracker:
            os.write(said, b"x")
            while not done.is_set():
                seen += found(tracker.collect(), start, pages)
                rounds += 1
            seen += found(tracker.collect(), start, pages)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert rounds > 1
    assert set(seen) == set(range(pages))
    # A page is marked before its write is carried out: where the stop comes between, the write
    # goes on in the next round, and marks it again.
    assert len(seen) - pages <= rounds
    mappings.free(start, pages)


def _wait(ready: int, done: threading.Event) -> None:
    os.read(ready, 1)
    done.set()


def test_new_mappings() -> None:
    """Of a mapping that is new, all that is there counts."""
    start = mappings.reserved(64)
    with pagemap.track() as tracker:
        tracker.collect()
        mappings.map_at(start + 8 * PAGE, 16)
        mappings.write(start + 8 * PAGE, [1, 2])
        (row,) = [row for row in tracker.collect() if row.mapping == start + 8 * PAGE]
        assert (row.start, row.pages, row.how) == (start + 9 * PAGE, 2, "new")
    mappings.unmap(start, 64)
