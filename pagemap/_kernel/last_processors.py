"""The processor that each thread of a process ran on last: a field of its stat (proc(5))."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.folder import Folder

__all__ = ["last_processors"]

_PROCESSOR = 36  # of the fields from the state on: number 39


def last_processors(folder: Folder) -> set[int]:
    """The processors of all threads that live; empty where they cannot be listed."""
    try:
        tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.fd)
    except OSError:
        return set()
    found = set()
    try:
        for thread in os.listdir(tasks):
            if (processor := _of_thread(tasks, thread)) is not None:
                found.add(processor)
    except OSError:  # it ended meanwhile
        return found
    finally:
        os.close(tasks)
    return found


def _of_thread(tasks: int, thread: str) -> int | None:
    try:
        fd = os.open(f"{thread}/stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=tasks)
        try:
            fields = os.read(fd, 4096).rpartition(b")")[2].split()
        finally:
            os.close(fd)
    except OSError:
        return None
    return int(fields[_PROCESSOR]) if len(fields) > _PROCESSOR else None
