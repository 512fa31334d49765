"""What bad targets, addresses and buffers get from the library."""

from __future__ import annotations

import io
import os
import pickle
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Start

PAGE = oracle.PAGE
PAST_USER_SPACE = 0xFFFFFFFFFF600000 if PAGE == 4096 else 2**64 - PAGE


def unused_pid() -> int:
    """A pid above all that the kernel hands out."""
    return int(Path("/proc/sys/kernel/pid_max").read_text()) + 1


def kernel_thread() -> int:
    """The pid of a kernel thread, by its lack of a command line and its flags in stat."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[6]) & 0x200000:
                return int(entry.name)
    pytest.skip("no kernel thread is visible: a PID namespace hides them")


def test_address_in_no_mapping(start: Start) -> None:
    target = start(workloads.idle())
    with pagemap.Process(target.pid) as process:
        for address in (0, 8, PAST_USER_SPACE, 2**64 - 1):
            with pytest.raises(pagemap.NotMapped) as caught:
                process.virt_to_phys(address)
            assert caught.value.address == address
            assert caught.value.pid == target.pid
            assert hex(address) in str(caught.value)


def test_address_without_a_page(start: Start) -> None:
    target = start(workloads.untouchable())
    with pytest.raises(pagemap.NotPresent) as caught:
        pagemap.virt_to_phys(target.pid, target.first.start + 17)
    assert caught.value.address == target.first.start + 17


@pytest.mark.parametrize("address", [-1, 2**64, 2**64 + 5, -(2**70)])
def test_no_address_at_all(address: int, start: Start) -> None:
    target = start(workloads.idle())
    with pagemap.Process(target.pid) as process:
        with pytest.raises(pagemap.UsageError):
            process.virt_to_phys(address)
        with pytest.raises(pagemap.UsageError):
            process.entry(address)


NO_RANGES = [(8192, 8192), (8192, 4096), (8193, 8193), (-4096, 4096), (0, 2**64 + 1)]


@pytest.mark.parametrize("where", NO_RANGES)
def test_pages_of_no_range_at_all(where: tuple[int, int]) -> None:
    with pagemap.Process("self") as process:
        with pytest.raises(pagemap.UsageError):
            process.pages(where)
        with pytest.raises(pagemap.UsageError):
            process.pages_of([(0, 4096), where])


@pytest.mark.parametrize("where", NO_RANGES)
def test_dump_of_no_range_at_all(where: tuple[int, int]) -> None:
    with pytest.raises(pagemap.UsageError):
        pagemap.dump("self", io.BytesIO(), ranges=[where])


def test_the_end_of_the_address_space(start: Start) -> None:
    target = start(workloads.idle())
    with pagemap.Process(target.pid) as process:
        assert len(process.pages((2**64 - 2 * PAGE, 2**64))) == 0
        buffer = array("Q", [7] * 4)
        assert process.read_into(buffer, 2**64 - 2 * PAGE) == 0
        assert list(buffer) == [7] * 4


@pytest.mark.parametrize("pid", [0, -1, 2**31, 2**70])
def test_no_pid_at_all(pid: int) -> None:
    with pytest.raises(pagemap.NoSuchProcess):
        pagemap.Process(pid)


def test_no_such_process() -> None:
    with pytest.raises(pagemap.NoSuchProcess) as caught:
        pagemap.Process(unused_pid())
    assert caught.value.pid == unused_pid()
    assert isinstance(caught.value, ProcessLookupError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.pid, str(again)) == (
        type(caught.value),
        caught.value.pid,
        str(caught.value),
    )


def test_zombie(start: Start) -> None:
    target = start(workloads.idle())
    zombie = target.ask("z")
    workloads.wait_until(lambda: b") Z " in Path(f"/proc/{zombie}/stat").read_bytes())
    with pytest.raises(pagemap.NoSuchProcess, match="zombie"):
        pagemap.Process(zombie)


def test_a_main_thread_that_ended_before_another(start: Start) -> None:
    """To the eye a zombie; but it has its memory, which all read through a thread that lives.

    `footprint` alone found that thread; the library and all other commands refused.
    """
    target = start(workloads.dense(16 * PAGE))
    path = os.readlink(f"/proc/{target.pid}/exe")
    thread = target.ask("t")
    target.tell("l")
    workloads.wait_until(lambda: b") Z " in Path(f"/proc/{target.pid}/stat").read_bytes())
    for finding in pagemap.doctor(target.pid).top(2):
        assert finding.ok
    for name in (path, os.path.basename(path)):
        found = pagemap.find(name)
        assert target.pid in found
        assert thread not in found
    area = target.first
    for pid in (target.pid, thread):
        with pagemap.Process(pid) as process:
            assert process.pages((area.start, area.end)).counts().present == 16
            assert [m.end for m in process.maps()] == [m.end for m in oracle.maps(thread)]
            assert process.footprint().rss == oracle.smaps_rollup(thread)["Rss"]
            process.check()
        with pagemap.Sampler(pid, ["rss"]) as sampler:
            assert sampler.sample().rss


def test_kernel_thread() -> None:
    if os.geteuid() != 0:
        pytest.skip("kernel threads are root's: needs root")
    file = io.BytesIO()
    with pagemap.Process(kernel_thread()) as process:
        assert process.kernel_thread
        assert not len(process.maps())
        assert pagemap.dump(process, file) == 0
        with pytest.raises(pagemap.NotMapped):
            process.virt_to_phys(4096)
    assert file.getvalue() == b"addr pfn soft-dirty file/shared swapped present library\n"


def test_thread_id(start: Start) -> None:
    """Any thread stands for its process: they share the page table."""
    target = start(workloads.dense(16 * PAGE))
    thread = target.ask("t")
    area = target.first
    with pagemap.Process(thread) as one, pagemap.Process(target.pid) as other:
        assert list(one.maps()) == list(other.maps())
        where = (area.start, area.end)
        assert list(one.pages(where).entries) == list(other.pages(where).entries)


def test_closed_process(start: Start) -> None:
    target = start(workloads.idle())
    area = target.first
    process = pagemap.Process(target.pid)
    process.close()
    process.close()
    assert process.closed
    calls: list[Callable[[], object]] = [
        process.maps,
        process.check,
        process.fileno,
        lambda: process.pages((area.start, area.end)),
        lambda: process.read_into(array("Q", [0]), area.start),
        lambda: process.virt_to_phys(area.start),
        lambda: process.entry(area.start),
        process.__enter__,
        lambda: pagemap.dump(process, 1),
    ]
    for call in calls:
        with pytest.raises(pagemap.ClosedProcess):
            call()


BAD_BUFFERS: dict[str, tuple[Any, type[Exception]]] = {
    "read-only": (bytes(16), BufferError),
    "read-only view": (memoryview(bytearray(16)).toreadonly(), BufferError),
    "odd length": (bytearray(15), ValueError),
    "empty": (bytearray(), ValueError),
    "item size 4": (array("I", [0] * 4), ValueError),
    "floats": (array("d", [0.0] * 4), ValueError),
    "in steps": (memoryview(bytearray(64))[::2], BufferError),
    "not aligned": (memoryview(bytearray(65))[1:], ValueError),
    "no buffer": ([0, 0], TypeError),
}


@pytest.mark.parametrize("case", BAD_BUFFERS)
def test_bad_buffers(case: str) -> None:
    buffer, error = BAD_BUFFERS[case]
    before = bytes(buffer)
    with pagemap.Process("self") as process, pytest.raises(error):
        process.read_into(buffer, 0)
    assert bytes(buffer) == before


def test_buffers_and_starts_that_do_not_fit() -> None:
    with pagemap.Process("self") as process:
        with pytest.raises(ValueError, match=r"from 1 to 4, .* not 5"):
            process.read_into(array("Q", [0] * 4), 0, count=5)
        with pytest.raises(ValueError, match="not the address of a page"):
            process.read_into(array("Q", [0] * 4), 8)
        for count in (0, -1):
            with pytest.raises(ValueError, match="from 1 to 4"):
                process.read_into(array("Q", [0] * 4), 0, count=count)
        for buffer in (bytearray(64), array("Q", [0] * 8), memoryview(bytearray(128))[64:]):
            assert process.read_into(buffer, 0) == 8


def test_pages_of_more_than_there_is_memory() -> None:
    with pagemap.Process("self") as process, pytest.raises(MemoryError):
        process.pages((0, 2**64))
