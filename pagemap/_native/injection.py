"""A userfaultfd of another process, made by one of its threads."""

from __future__ import annotations

from pagemap._core import ffi, lib
from pagemap._native import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["STEPS", "find_call", "inject"]

STEPS: dict[str, int] = {
    "begin": lib.PM_INJECTION_BEGIN,
    "seize": lib.PM_INJECTION_SEIZE,
    "identity": lib.PM_INJECTION_IDENTITY,
    "stop": lib.PM_INJECTION_STOP,
    "seccomp": lib.PM_INJECTION_SECCOMP,
    "dispatch": lib.PM_INJECTION_DISPATCH,
    "code": lib.PM_INJECTION_CODE,
    "call": lib.PM_INJECTION_CALL,
    "take": lib.PM_INJECTION_TAKE,
    "close": lib.PM_INJECTION_CLOSE,
    "detach": lib.PM_INJECTION_DETACH,
    "done": lib.PM_INJECTION_DONE,
}
"""The number of each step that `inject` may have come to."""


def find_call(start: int, size: int) -> int:
    """Where in so much code of this process an instruction is that makes a system call.

    Raises OSError: ENOENT where none is, ENOTSUP on a machine whose code is not known here.
    """
    return checked(lib.pm_find_call(ffi.cast("uint8_t *", start), size))


def inject(
    folder: int, pid: int, thread: int, call: tuple[int, int], patience: int
) -> tuple[int, Any]:
    """Make one by this thread: 0 or the errno, and a struct pm_injection, which says what was done.

    `folder` is a descriptor of /proc/PID, `call` the addresses of its vDSO and of such an
    instruction in it, `patience` how many nanoseconds to wait for the thread to stop.
    """
    about = ffi.new("struct pm_injection *")
    about.folder = folder
    about.pid = pid
    about.thread = thread
    about.vdso, about.call_at = call
    about.patience = patience
    return -int(lib.pm_inject_userfaultfd(about)), about
