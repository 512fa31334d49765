"""A userfaultfd of another process: it is one of its memory, and that process is as before."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import pagemap
from pagemap._kernel.injection import userfaultfd_in
from tests import calls, oracle
from tests.kernel_settings import Unavailable
from tests.target import wait_until

ROUNDS = int(os.environ.get("PAGEMAP_INJECTIONS", "20"))
# include/uapi/linux/userfaultfd.h
API, WP_ASYNC = 0xC018AA3F, 1 << 15


@pytest.fixture(autouse=True)
def _need() -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("another process can be made to call on x86-64 only")


def vm_flags(pid: int, start: int) -> frozenset[str]:
    """The kernel's flags of the mapping that begins there."""
    text = Path(f"/proc/{pid}/smaps").read_bytes()
    return next(each.flags for each in oracle.parse_smaps(text) if each.start == start)


def left_behind(pid: int) -> list[str]:
    """The descriptors that it has of a userfaultfd."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it may close some meanwhile
            if os.readlink(f"/proc/{pid}/fd/{name}") == "anon_inode:[userfaultfd]":
                found.append(name)
    return found


def inject(process: pagemap.Process, times: int = 1) -> None:
    """Get one and close it, so often."""
    for _ in range(times):
        os.close(userfaultfd_in(process.folder))


@pytest.mark.parametrize("mode", calls.MODES)
def test_what_is_interrupted_goes_on(mode: str) -> None:
    """Wherever its main thread is: in registers, in calls that are restarted, between signals."""
    try:
        with calls.running(mode) as caller, pagemap.Process(caller.pid) as process:
            inject(process, ROUNDS)
            _, interrupted, wrong = caller.report()
            assert wrong == "right"
            # the one call here that signal(7) does not restart, once each time that it was in it
            assert interrupted in (range(1, ROUNDS + 1) if mode == "epoll" else [0])
            assert mode in calls.STILL or caller.goes_on()
            assert left_behind(caller.pid) == []
            process.check()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.usefixtures("need_root")
def test_one_whose_main_thread_has_ended() -> None:
    """Another one is asked, whose descriptors Linux lets others take from 6.9 on."""
    with calls.running("ended") as caller, pagemap.Process(caller.pid) as process:
        state = Path(f"/proc/{caller.pid}/task/{caller.pid}/stat")
        wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "Z")
        try:
            inject(process, ROUNDS)
        except pagemap.Unsupported as error:
            if pidfd_of_thread() or "its main thread has ended" not in str(error):
                raise
            pytest.skip("needs pidfds of threads (Linux 6.9)")
        assert caller.goes_on()
        assert caller.report().wrong == "right"
        assert left_behind(caller.pid) == []


def pidfd_of_thread() -> bool:
    """Whether this kernel has them: pidfd_open takes the flag for that."""
    try:
        os.close(os.pidfd_open(os.getpid(), os.O_EXCL))
    except OSError:
        return False
    return True


@pytest.mark.usefixtures("need_own_tracking")
def test_it_is_of_the_target() -> None:
    """Its memory can be registered with the descriptor that was made there, and no other."""
    with calls.running("poll") as caller, pagemap.Process(caller.pid) as process:
        fd = userfaultfd_in(process.folder)
        try:
            assert os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:[userfaultfd]"
            assert not os.get_inheritable(fd)
            assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
            fcntl.ioctl(fd, API, struct.pack("=3Q", 0xAA, WP_ASYNC, 0))
            heap = next(each for each in process.maps() if each.path == "[heap]")
            fcntl.ioctl(fd, 0xC020AA00, struct.pack("=4Q", heap.start, heap.size, 2, 0))
            assert "uw" in vm_flags(caller.pid, heap.start)
        finally:
            os.close(fd)
        assert "uw" not in vm_flags(caller.pid, heap.start)


SPINNING = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
print(flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    pass
"""


@pytest.mark.usefixtures("need_root")
def test_a_real_time_thread_that_does_not_rest() -> None:
    """The helper does not wait for its processor, which it would not get."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        pytest.skip("needs two processors")
    command = [sys.executable, "-c", SPINNING, str(processors[-1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as target:
        assert target.stdout is not None
        try:
            if not target.stdout.readline():
                pytest.skip("needs real-time scheduling")
            with pagemap.Process(target.pid) as process:
                inject(process)
                assert target.poll() is None
                assert left_behind(target.pid) == []
        finally:
            target.kill()
