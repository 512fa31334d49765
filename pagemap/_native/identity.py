"""What a task is, and whether a process is still the one that was opened: in C, by descriptors.

`folder` is the descriptor of /proc/PID. `thread` says whose files are read: 0 those of the folder
itself, otherwise those of ``task/THREAD`` below it.
"""

from __future__ import annotations

import os
from errno import EACCES, EPERM

from pagemap._core import ffi, lib
from pagemap._native import allocate, checked
from pagemap._native.descriptors import CLOSED, Descriptor, Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Failed", "Opened", "State", "find_living", "has_ended", "image"]

IMAGE: int = lib.PM_LOOK_IMAGE
MEMORY: int = lib.PM_LOOK_MEMORY

STEP_IMAGE: int = lib.PM_STEP_IMAGE
STEP_PAGEMAP: int = lib.PM_STEP_PAGEMAP
STEP_MAPS: int = lib.PM_STEP_MAPS
STEP_STATE: int = lib.PM_STEP_STATE
STEP_ENDED: int = lib.PM_STEP_ENDED
STEP_TRIES: int = lib.PM_STEP_TRIES
"""What was done when a process could not be opened or asked."""

DENIED = (EACCES, EPERM)

_IMAGE_SIZE: int = lib.PM_TASK_IMAGE


class State:
    """The state of a task, which anybody may read. Raises OSError as the kernel gave it."""

    __slots__ = ("_read",)

    def __init__(self, folder: int, thread: int) -> None:
        self._read = ffi.new("struct pm_task_state *")
        checked(lib.pm_task_read_state(folder, thread, self._read))

    @property
    def letter(self) -> bytes:
        """As proc(5) has it: Z for a zombie."""
        return bytes((self._read.letter,))

    @property
    def start(self) -> int:
        """When it began, in clock ticks since the boot."""
        return int(self._read.start)

    @property
    def ending(self) -> bool:
        """Whether it has ended, or is about to, and has no memory any more."""
        return bool(lib.pm_task_is_ending(self._read))

    @property
    def of_kernel(self) -> bool:
        """Whether it is a thread of the kernel's own."""
        return bool(self._read.flags & lib.PM_TASK_KERNEL)


def has_ended(folder: int, thread: int) -> bool:
    """Whether the task has ended, and waits to be reaped, or is gone altogether."""
    return bool(lib.pm_task_has_ended(folder, thread))


def find_living(folder: int, thread: int) -> int:
    """A thread that lives, where `thread` has ended; 0 where it has not, or none lives."""
    found = ffi.new("int32_t *", thread)
    return int(found[0]) if lib.pm_task_find_living(folder, found) else 0


def image(folder: int, thread: int) -> tuple[bytes, int]:
    """What marks this run of exec, empty of one without memory, and the thread that told it.

    Raises OSError as the kernel gave it.
    """
    read = allocate("char[]", _IMAGE_SIZE)
    by = ffi.new("int32_t *", thread)
    size = checked(lib.pm_task_image(folder, by, _IMAGE_SIZE, read))
    return ffi.buffer(read, size)[:], int(by[0])


class Failed(OSError):
    """Why a process could not be opened or asked: what was tried, by which thread."""

    step: int = 0
    thread: int = 0
    letter: bytes = b""


def _failed(code: int, failure: Any) -> Failed:
    error = Failed(-code, os.strerror(-code))
    error.step, error.thread = failure.step, failure.thread
    error.letter = bytes((failure.letter,))
    return error


class Opened(Holder):
    """An open process: its files, which are of one address space, and what marks that.

    It holds the descriptors, so whoever calls it reads no file that has their number by then.
    `owner` is our pid where the process is known to be ourselves; with 0 that is found out. Raises
    Failed.
    """

    __slots__ = ("folder", "maps", "pagemap", "process")

    def __init__(self, pid: int, folder: int, owner: int) -> None:
        process = ffi.new("struct pm_process *")
        failure = ffi.new("struct pm_process_failure *")
        code = lib.pm_process_open_below(pid, folder, owner, process, failure)
        if code:
            raise _failed(code, failure)
        self.process: Any = process
        self.folder: int = folder
        self.pagemap: int = CLOSED
        self.maps: int = CLOSED
        if not process.kernel_thread:
            self.pagemap, self.maps = Descriptor(process.pagemap), Descriptor(process.maps)

    @property
    def kernel_thread(self) -> bool:
        """Whether it is a thread of the kernel, which has neither pagemap nor maps."""
        return bool(self.process.kernel_thread)

    @property
    def owner(self) -> int:
        """Our pid where it is ourselves, by whatever number and path it was opened; else 0."""
        return int(self.process.owner)

    @property
    def thread(self) -> int:
        """The thread whose files were opened."""
        return int(self.process.thread)

    @property
    def scans(self) -> bool:
        """Whether its pagemap knows PAGEMAP_SCAN."""
        return bool(self.process.can & lib.PM_CAN_SCAN)

    def tell_pfns(self, visible: bool) -> None:
        """Let C know whether its pagemap shows PFNs."""
        self.process.known |= lib.PM_CAN_PFNS
        if visible:
            self.process.can |= lib.PM_CAN_PFNS

    def look(self, what: int, thread: int) -> tuple[int, int]:
        """Whether it is what was opened: 0, ESRCH or ESTALE, and by which thread that was found.

        `what` is asked for: MEMORY, IMAGE. Raises Failed.
        """
        if what == MEMORY and lib.pm_process_is_there(self.process) == 1:
            return 0, thread
        failure = ffi.new("struct pm_process_failure *")
        by = ffi.new("int32_t *", thread)
        code = lib.pm_process_look(self.process, what, by, failure)
        if failure.step:
            raise _failed(code, failure)
        return -int(code), int(by[0])
