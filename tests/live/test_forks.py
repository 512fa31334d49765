"""A fork between the opening of oneself and the reading: the child's memory is another's."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import pagemap
from pagemap._core import ffi, lib
from pagemap._history import sampler
from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Start

PAGE = oracle.PAGE
PAGES = 4096


def in_a_child(work: Callable[[], None]) -> None:
    """Fork, and fail where the child does."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:  # what is raised here must not run the rest of the tests
        try:
            work()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - the parent tells
            os.write(writer, repr(error).encode())
        finally:
            os._exit(1)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    said = os.read(reader, 4096)
    os.close(reader)
    assert status == 0, said.decode()


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, PAGES * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        yield memory


@pytest.mark.parametrize("by", ["self", "pid", "object"])
def test_a_process_of_oneself_is_refused_in_the_child(by: str, memory: mmap.mmap) -> None:
    """It went on to show the parent: what the child had just written was "never touched"."""

    class Own:
        pid = os.getpid()

    target: dict[str, object] = {"self": "self", "pid": os.getpid(), "object": Own()}
    process = pagemap.Process(target[by])  # type: ignore[arg-type]
    walk = process.populated(threads=1)
    next(walk)
    start = oracle.address_of(memory)

    def child() -> None:
        memory[:PAGE] = b"x" * PAGE
        for call in (
            lambda: process.pages((start, start + PAGE)),
            lambda: process.virt_to_phys(start),
            lambda: process.entry(start),
            lambda: process.read_into(bytearray(8), start),
            process.maps,
            process.check,
            process.fileno,
            process.footprint,
            lambda: list(process.tally()),
            lambda: list(walk),
        ):
            with pytest.raises(pagemap.ClosedProcess, match=r"forked: it would show the parent"):
                call()
        assert process.closed
        process.close()
        with pagemap.Process("self") as mine:
            assert mine.entry(start).present

    in_a_child(child)
    with process:  # the parent's own goes on
        assert not process.entry(start).present
        assert process.maps()


@pytest.mark.parametrize("procfs", ["/proc", "/proc/", "/proc/self/root/proc"])
@pytest.mark.parametrize("by", ["pid", "thread"])
def test_by_whatever_number_and_path(by: str, procfs: str) -> None:
    """By the number of a thread, or by another path to proc, it went on to show the parent."""
    pid, found = os.getpid(), []
    options = ffi.new("struct pm_open_options *", {"size": ffi.sizeof("struct pm_open_options")})
    options.procfs = path = ffi.new("char[]", procfs.encode())
    assert path

    def opens() -> None:
        out = ffi.new("struct pm_process **")
        number = threading.get_native_id() if by == "thread" else pid
        found.append((pagemap.Process(number, procfs=procfs), out))
        assert lib.pm_process_open(number, options, out) == 0

    thread = threading.Thread(target=opens)
    thread.start()
    thread.join()  # its number stays a way to open: no thread lives where the test forks
    ((process, out),) = found

    def child() -> None:
        assert lib.pm_process_check(out[0]) == -errno.ECHILD
        assert lib.pm_process_entries(out[0], 0, 1, ffi.new("uint64_t *")) == -errno.ECHILD
        with pytest.raises(pagemap.ClosedProcess, match="forked"):
            process.entry(0)

    in_a_child(child)
    with process:
        assert lib.pm_process_entries(out[0], 0, 1, ffi.new("uint64_t *")) == 1
    lib.pm_process_close(out[0])


def test_a_process_of_another_goes_on_in_the_child(start: Start) -> None:
    """Of one that we started: our parent may be another user's, or outside of our namespace."""
    with pagemap.Process(start(workloads.idle()).pid) as process:
        in_a_child(process.check)
        process.check()


@pytest.mark.parametrize("by", ["self", "pid"])
def test_a_sampler_of_oneself_counts_the_child(by: str, memory: mmap.mmap) -> None:
    """Of the pid it went on to count the parent."""
    counts = ["anon"] if "anon" in sampler.COUNTS else ["anonymous"]
    with pagemap.Sampler("self" if by == "self" else os.getpid(), counts) as own:
        own.sample()

        def child() -> None:
            gc.disable()
            before = getattr(own.sample(), counts[0])
            memory[:] = b"x" * (PAGES * PAGE)
            grown = getattr(own.sample(), counts[0]) - before
            assert grown >= PAGES * PAGE // 2, grown

        in_a_child(child)


def test_a_stream_of_oneself_is_refused_in_the_child() -> None:
    """Whoever consumed it there was given the parent's pages, without a word."""
    with pagemap.Process("self") as process:
        reader = pa.RecordBatchReader.from_stream(process.columns(["address"]))

    def consume() -> None:
        with pytest.raises(OSError, match=f"is of process {os.getppid()}, which has forked"):
            reader.read_next_batch()

    in_a_child(consume)
    assert reader.read_next_batch().num_rows > 0
