"""A userfaultfd of another process: one of its threads is made to call userfaultfd(2).

The kernel gives a userfaultfd only to who asks for his own memory. So a thread of the target is
stopped (ptrace(2), SEIZE and INTERRUPT) and made to call it, by an instruction of its own vDSO; the
descriptor is taken (pidfd_getfd(2)) and closed there, and the thread goes on where it was. Nothing
is written to the target's code or memory, nor is its code read, which may be a file that its server
never sends: where the instruction is, our own vDSO tells, which is the same. A helper process does
all that (csrc/kernel/injection.c), which goes on to the end though we are killed.

Twice, for 20 to 200 microseconds each, the thread has other registers than its own. If the helper
itself is killed in that time (out of memory, or with all of its cgroup), the thread goes on with
these, and most likely the target crashes. Killed at any other moment it leaves the target as it
was, but for one descriptor more, if any.

The system call that the thread waits in goes on afterwards; those that return EINTR after a stop,
as signal(7) has them, return it once: epoll_wait, semop, sigtimedwait, sockets with a timeout.
"""

from __future__ import annotations

import os
from errno import EACCES, ENOENT, ENOTSUP, EPERM, ESRCH, ETIMEDOUT
from time import sleep

from pagemap._errors import PagemapError, Unsupported
from pagemap._kernel.injection_errors import OPERATION, denied, error, error_of, gone
from pagemap._native import injection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._kernel.folder import Folder

__all__ = ["WARNING", "call_in", "userfaultfd_in"]

WARNING = (
    "one of its threads is stopped for 0.1 to 0.5 ms and made to call userfaultfd(2); if the "
    "helper process that does this is killed at that moment, the target may crash"
)
"""The risk of `userfaultfd_in`, to be told before it is taken."""

_PATIENCE = 500_000_000  # nanoseconds that a thread may take to stop
_LOOKED_AT, _TRIED = 64, 4  # of the threads
_LOOKS = 10  # at the mappings, and attempts where the target calls exec
_UNSTOPPABLE = (b"D", b"Z", b"X")
_VDSO = [b"[vdso]\n"]  # the last field of its line of maps
_AT_SYSINFO_EHDR = 33  # include/uapi/linux/auxvec.h


def userfaultfd_in(folder: Folder) -> int:
    """A descriptor, closed on exec, of a new userfaultfd of this process, without a handshake yet.

    The caller is to close it, and to look afterwards whether the process is still the same program:
    after an exec in between, it is of the new one.

    Raises AccessDenied where it may not be traced, or its system calls are filtered (seccomp) and
    the filter cannot be suspended; Unsupported where its code, this machine or this kernel does not
    allow it; TargetVanished; PagemapError where it is traced by another, has no descriptor left, or
    does not stop.
    """
    image = folder.image()
    for turn in range(_LOOKS):
        code, about = _try(folder)
        if code == 0:
            return int(about.fd)
        if about.step != injection.STEPS["seize"] or code not in (EACCES, EPERM):
            break
        # not to be traced, or in the midst of exec, which forbids it for a moment
        if folder.image() != image:
            raise gone(folder)
        sleep(0.001 * turn)
    raise error_of(folder, code, about)


def _try(folder: Folder) -> tuple[int, Any]:
    """By one of its threads; what the last one that was tried gave."""
    call = call_in(folder)
    last = None
    for thread in _threads(folder):
        last = injection.inject(folder.fd, folder.pid, thread, call, _PATIENCE)
        code, about = last
        # a thread that has ended, or waits for a disk or for a child, is not all of the process
        if about.step > injection.STEPS["stop"] or code not in (ESRCH, ETIMEDOUT):
            break
    if last is None:
        raise gone(folder)
    return last


def call_in(folder: Folder) -> tuple[int, int]:
    """The addresses of its vDSO, by its auxiliary vector, and of an instruction there that calls.

    Raises as `userfaultfd_in` does.
    """
    own, size = _own_call(folder)
    image = folder.image()
    vector = memoryview(image).cast("Q")
    by_vector = dict(zip(vector[::2], vector[1::2], strict=True)).get(_AT_SYSINFO_EHDR)
    for turn in range(_LOOKS):
        try:
            found = _vdso(folder.open("maps"))
        except OSError as failed:
            if failed.errno in (EACCES, EPERM):
                raise denied(folder, failed.errno) from None
            raise folder.error(failed, OPERATION, "maps") from None
        if by_vector and found and found[1] == size:
            return by_vector, found[0] + own
        if folder.image() != image:
            raise gone(folder)
        sleep(0.001 * turn)  # in the midst of exec it is not there yet
    raise _no_call(folder, f"has {'another' if found else 'no'} vDSO", ENOENT)


def _own_call(folder: Folder) -> tuple[int, int]:
    """Where in our own vDSO such an instruction is, and the size of that vDSO."""
    found = _vdso(os.open("/proc/self/maps", os.O_RDONLY | os.O_CLOEXEC))
    code = ENOENT
    if found is not None:
        try:
            return injection.find_call(*found), found[1]
        except OSError as failed:
            code = failed.errno or code
    if code == ENOTSUP:
        raise _no_call(folder, f"runs on {os.uname().machine}, not on x86-64", code)
    raise _no_call(folder, "runs on a kernel without a vDSO that makes calls", code)


def _vdso(maps: int) -> tuple[int, int] | None:
    """Where it begins, and its size, by this file of mappings, which is closed."""
    with open(maps, "rb") as lines:
        found = next((line for line in lines if line.split(None, 5)[5:] == _VDSO), None)
    if found is None:
        return None
    start, end = (int(bound, 16) for bound in found.split(None, 1)[0].split(b"-"))
    return start, end - start


def _no_call(folder: Folder, why: str, code: int) -> PagemapError:
    return error(Unsupported, folder, code, f"it cannot be made to call userfaultfd(2): it {why}")


def _threads(folder: Folder) -> list[int]:
    """Some of its threads: the main one first, but last those that will not stop soon."""
    try:
        tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.fd)
        try:
            threads = [int(name) for name in os.listdir(tasks)]
        finally:
            os.close(tasks)
    except OSError as failed:
        raise folder.error(failed, OPERATION) from None
    threads.sort(key=lambda thread: thread != folder.pid)
    del threads[_LOOKED_AT:]
    threads.sort(key=lambda thread: folder.state_of(str(thread)) in _UNSTOPPABLE)
    return threads[:_TRIED] or [folder.pid]
