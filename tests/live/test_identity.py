"""Which process is open, and whether it still is that: as C says it, and as `Process` does."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from errno import ECHILD, EINVAL, ENXIO, EPERM, ESRCH, ESTALE
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._core import ffi, lib
from tests import everyone, workloads
from tests.held_process import PAGE, opened, sized
from tests.live.as_nobody import as_nobody
from tests.live.test_errors import kernel_thread
from tests.live.test_forks import in_a_child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.conftest import Start

# Its children in the tests of reuse: how many rounds, and how often a number is asked for.
ROUNDS = 40
TRIES = 50


class Both:
    """A process that is open twice, and what both say of it."""

    def __init__(self, process: Any, other: pagemap.Process) -> None:
        self.process = process
        self.other = other

    def check(self) -> int:
        """0 or an errno, by C; `Process` says the same."""
        code = -int(lib.pm_process_check(self.process))
        said = 0
        try:
            self.other.check()
        except pagemap.TargetVanished as error:
            said = ESTALE if "exec" in str(error) else ESRCH
        assert code == said
        return code


@contextlib.contextmanager
def both(pid: int) -> Iterator[Both]:
    with opened(pid) as process, pagemap.Process(pid) as other:
        yield Both(process, other)


def code_of_opening(pid: int, *, pidfd: int | None = None, procfs: bytes | None = None) -> int:
    """0 or an errno; what was opened is closed."""
    out = ffi.new("struct pm_process **")
    options = sized("pm_open_options")
    kept = ffi.new("char[]", procfs) if procfs is not None else ffi.NULL
    options.procfs = kept
    if pidfd is not None:
        options.flags, options.pidfd = lib.PM_OPEN_PIDFD, pidfd
    code = -int(lib.pm_process_open(pid, options, out))
    if not code:
        lib.pm_process_close(out[0])
    return code


def entries(process: Any, address: int, count: int) -> tuple[int, list[int]]:
    out = ffi.new("uint64_t[]", count)
    got = int(lib.pm_process_entries(process, address, count, out))
    return got, list(out)[: max(got, 0)]


@pytest.mark.parametrize(("letter", "code"), [("x", ESRCH), ("e", ESTALE)], ids=["exit", "exec"])
def test_exit_and_exec(start: Start, letter: str, code: int) -> None:
    target = start(workloads.dense(16 * PAGE))
    with both(target.pid) as process:
        assert process.check() == 0
        target.tell(letter)
        if letter == "e":
            target.wait_ready()
        else:
            target.kill()
        assert process.check() == code
        assert entries(process.process, target.first.start, 16)[0] == -code
    with both(os.getpid()) as process:
        assert process.check() == 0


def test_a_child_of_vfork(start: Start) -> None:
    """Its memory is its parent's, and stays when it calls exec; so does its parent."""
    target = start(workloads.dense(16 * PAGE))
    child = target.ask("v")
    with both(child) as process, both(target.pid) as parent:
        assert (process.check(), parent.check()) == (0, 0)
        target.tell("e")
        target.wait_ready()
        assert (process.check(), parent.check()) == (ESTALE, 0)
        os.kill(child, signal.SIGKILL)
        workloads.wait_until(lambda: everyone.status(child, "State").startswith("Z"))
        assert (process.check(), parent.check()) == (ESRCH, 0)


def test_a_process_whose_main_thread_has_ended(start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    target.ask("t")
    with both(target.pid) as before:
        target.tell("l")
        workloads.wait_until(lambda: everyone.status(target.pid, "State").startswith("Z"))
        assert before.check() == 0
        with both(target.pid) as process:
            assert process.check() == 0
            got, found = entries(process.process, target.first.start, 4)
            assert got == 4
            assert all(word >> 63 for word in found)
            target.kill()
            assert (before.check(), process.check()) == (ESRCH, ESRCH)


def test_zombies_and_those_that_never_were(start: Start) -> None:
    target = start(workloads.idle())
    zombie = target.ask("z")
    workloads.wait_until(lambda: everyone.status(zombie, "State").startswith("Z"))
    for pid in (zombie, 2**31 - 1):
        assert code_of_opening(pid) == ESRCH
        with pytest.raises(pagemap.NoSuchProcess):
            pagemap.Process(pid)
    assert code_of_opening(target.pid, procfs=b"/nowhere") == EINVAL
    assert code_of_opening(target.pid, procfs=b"/tmp") == EINVAL
    with pytest.raises(pagemap.Unsupported):
        pagemap.Process(target.pid, procfs="/nowhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: kernel threads are root's")
def test_a_kernel_thread() -> None:
    with both(kernel_thread()) as process:
        assert process.check() == 0
        assert lib.pm_process_fileno(process.process) == -ENXIO
        assert entries(process.process, 0, 1)[0] == -ENXIO
        assert process.other.kernel_thread


def test_rights_that_are_dropped(start: Start, need_root: None) -> None:
    """What was opened is read on; and it is not taken for another process."""
    target = start(workloads.dense(4 * PAGE))
    with both(target.pid) as process:

        def look() -> tuple[int, int, int]:
            code = process.check()
            return code, entries(process.process, target.first.start, 4)[0], denied(target.pid)

        assert as_nobody(look) == (0, 4, 13)  # EACCES


def denied(pid: int) -> int:
    """Why a process cannot be opened."""
    return code_of_opening(pid)


def test_a_child_of_fork_is_refused(start: Start) -> None:
    target = start(workloads.idle())
    with opened(os.getpid()) as ours, opened(target.pid) as another:

        def child() -> None:
            assert lib.pm_process_check(ours) == -ECHILD
            assert lib.pm_process_fileno(ours) == -ECHILD
            assert entries(ours, 0, 1)[0] == -ECHILD
            assert lib.pm_process_check(another) == 0
            with opened(os.getpid()) as mine:
                assert lib.pm_process_check(mine) == 0

        in_a_child(child)
        assert lib.pm_process_check(ours) == 0
        assert entries(ours, 0, 1)[0] == 1


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this Python has no os.pidfd_open")
def test_the_process_of_a_pidfd(start: Start) -> None:
    target, other = start(workloads.idle()), start(workloads.idle())
    try:
        pidfd = os.pidfd_open(target.pid)
    except OSError as error:
        pytest.skip(f"pidfd_open: {error.strerror}")
    try:
        assert code_of_opening(target.pid, pidfd=pidfd) == 0
        assert code_of_opening(other.pid, pidfd=pidfd) == ESRCH
        assert code_of_opening(target.pid, pidfd=0) == 9  # EBADF
        target.kill()
        assert code_of_opening(target.pid, pidfd=pidfd) == ESRCH
        assert code_of_opening(1, pidfd=pidfd) in (ESRCH, EPERM)
    finally:
        os.close(pidfd)


def with_number(pid: int) -> subprocess.Popen[bytes] | None:
    """Another process of this number, or None where somebody else was given it."""
    pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
    made = subprocess.Popen(["sleep", "60"])
    if made.pid == pid:
        return made
    made.kill()
    made.wait()
    return None


def test_numbers_that_are_used_again(need_root: None) -> None:
    """What was opened is never the next process of its number."""
    rounds = tries = 0
    while rounds < ROUNDS and tries < ROUNDS * TRIES:
        with subprocess.Popen(["sleep", "60"]) as old, contextlib.ExitStack() as stack:
            # a child of vfork has our memory until its exec is done, and we do not end
            while pathlib.Path(f"/proc/{old.pid}/comm").read_text() != "sleep\n":
                time.sleep(0.001)
            process = stack.enter_context(both(old.pid))
            pidfd = os.pidfd_open(old.pid)
            stack.callback(os.close, pidfd)
            assert code_of_opening(old.pid, pidfd=pidfd) == 0
            assert process.check() == 0
            old.kill()
            old.wait()
            new = None
            while new is None and tries < ROUNDS * TRIES:
                tries += 1
                try:
                    new = with_number(old.pid)
                except OSError as error:
                    pytest.skip(f"cannot steer pids: ns_last_pid: {error.strerror}")
            if new is None:
                break
            stack.callback(new.wait)
            stack.callback(new.kill)
            assert process.check() == ESRCH
            assert entries(process.process, 0, 1)[0] == -ESRCH
            assert code_of_opening(old.pid) == 0  # a bare number is what it is
            assert code_of_opening(old.pid, pidfd=pidfd) == ESRCH
            rounds += 1
    if rounds < ROUNDS:
        pytest.skip("the kernel never gave the pid again")
