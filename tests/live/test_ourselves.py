"""Whether a target is this very process: the kernel tells, not the number nor the path of proc."""

from __future__ import annotations

import mmap
import os
import threading
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests.live.test_forks import in_a_child
from tests.live.test_track import memory, pages_of, write
from tests.unit import fake_proc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAME = "/proc/self/.."  # proc, by another path
PAGE = mmap.PAGESIZE


@pytest.fixture
def thread() -> Iterator[int]:
    """A thread of ours, which waits."""
    ready, done = threading.Event(), threading.Event()

    def wait() -> None:
        ready.set()
        done.wait()

    other = threading.Thread(target=wait)
    other.start()
    ready.wait()
    yield other.native_id or 0
    done.set()
    other.join()


@pytest.mark.usefixtures("need_own_tracking")
@pytest.mark.parametrize("by", ["a path", "a thread"])
def test_it_is_tracked_as_ourselves(by: str, thread: int) -> None:
    """By soft-dirty bits it would have been stopped, by itself."""
    pid, procfs = (os.getpid(), SAME) if by == "a path" else (thread, "/proc")
    with memory(8) as area, pagemap.Process(pid, procfs=procfs) as process:
        with pagemap.track(process) as tracker:
            write(area, [2, 5])
        assert tracker.written.about["method"] == "userfaultfd"
        assert pages_of(tracker.written, area) == [2, 5]


def test_faults_are_measured_as_ourselves(thread: int) -> None:
    with mmap.mmap(-1, 64 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        with pagemap.measure(thread) as measured:
            for page in range(64):
                area[page * PAGE] = 1
        assert measured.table.about["minor_faults"] is not None


def test_a_sampler_in_a_child() -> None:
    """It went on to count the parent."""
    with (
        mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area,
        pagemap.Sampler(os.getpid(), ["anon"], procfs=SAME) as sampler,
    ):
        before = sampler.sample().anon or 0

        def count() -> None:
            area.write(b"x" * len(area))
            assert (sampler.sample().anon or 0) > before + (48 << 20)

        in_a_child(count)


def test_what_calls_itself_proc_is_not_asked(tmp_path: Path) -> None:
    """A copy's "self" may lead to ourselves, whatever its process is."""
    procfs = fake_proc.make(tmp_path, pid=os.getpid(), maps=fake_proc.line(1, 2))
    (tmp_path / "self").symlink_to("/proc/self")
    with pagemap.Process(os.getpid(), procfs=procfs) as process:
        in_a_child(process.check)
