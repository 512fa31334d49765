"""Whether a process lives: its main thread may have ended before others.

What is read here anybody may read, of any process. A task's folder is /proc/PID, or /proc/TID for
one that is no main thread.
"""

from __future__ import annotations

import os

__all__ = ["has_ended", "is_kernel_thread", "living_thread", "why_ended"]

_PF_KTHREAD = 0x00200000  # in the flags of /proc/PID/stat; include/linux/sched.h


def has_ended(folder: str) -> bool:
    """Whether the task has ended, and waits to be reaped, or is gone altogether."""
    return _fields(folder)[:1] in ([], [b"Z"], [b"X"])


def is_kernel_thread(folder: str) -> bool:
    """Whether the task is a kernel's own, and there."""
    flags = _fields(folder)[6:7]
    return bool(flags) and bool(int(flags[0]) & _PF_KTHREAD)


def _fields(folder: str) -> list[bytes]:
    """The fields of stat from the letter of its state on; none of a task that is gone."""
    try:
        fd = os.open(f"{folder}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            stat = os.read(fd, 4096)
        finally:
            os.close(fd)
    except OSError:
        return []
    # The name stands in parentheses and may hold any of both; the state is the letter after the
    # last.
    return stat.rpartition(b")")[2].split()


def living_thread(folder: str) -> int | None:
    """The least id of a thread that lives, of a process whose main thread has ended; else None.

    Such a process (of pthread_exit in main) looks like a zombie. Its memory is there all the same,
    but the kernel shows it below /proc/TID of a living thread alone: exit_mm in kernel/exit.c
    takes it from the one that ended.
    """
    try:
        threads = sorted(map(int, os.listdir(f"{folder}/task")))
    except OSError:
        return None
    return next((each for each in threads if not has_ended(f"{folder}/task/{each}")), None)


def why_ended(folder: str) -> str:
    """Why there is no memory in the folder of a task that has ended, after ``process PID``."""
    thread = living_thread(folder)
    if thread is None:
        return (
            "is a zombie: it has ended, and its parent has not taken note; it has no memory to read"
        )
    return f"has no memory to read: its main thread has ended; thread {thread} lives: give that id"
