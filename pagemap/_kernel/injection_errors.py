"""Why no userfaultfd could be made in another process, and what to do."""

from __future__ import annotations

import os
from errno import (
    EACCES,
    EAGAIN,
    EBADF,
    EBUSY,
    EINTR,
    EINVAL,
    EMFILE,
    ENOENT,
    ENOEXEC,
    ENOSYS,
    ENOTSUP,
    EPERM,
    EPROTO,
    ESRCH,
    ETIME,
    ETIMEDOUT,
)

from pagemap._errors import AccessDenied, PagemapError, Unsupported
from pagemap._native.injection import STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._kernel.folder import Folder

__all__ = ["OPERATION", "denied", "error", "error_of", "gone"]

OPERATION = "track the writes"

_FROZEN = "it did not go on: it is frozen (cgroup.freeze), or gets signals without end; thaw it"
_RESTS = (
    "it did not stop within half a second: it waits in the kernel, for a disk or, after vfork, for "
    "its child; try again"
)
_FILTERED = (
    "its system calls are filtered (seccomp), and the filter may kill it for one that is not "
    "expected; run with sudo (CAP_SYS_ADMIN, and not under a filter oneself), which suspends the "
    "filter for the moment"
)
_HANDLED = "it handles its system calls itself (Syscall User Dispatch), as Wine does"
_SEQUENCE = "it is in a restartable sequence (rseq(2)) that the kernel would not restart"
_UNREADABLE = (
    "it has memory for restartable sequences (rseq(2)) that cannot be read within half a second"
)
_CHANGED = "its vDSO was written to, as by a debugger, so that no call is made from there"
_EXECUTES = "it has been in the midst of exec for more than half a second; try again"
_FULL = (
    "it has no descriptor left (RLIMIT_NOFILE), and needs one for a moment; raise its limit, as "
    "with prlimit(1)"
)
_ABSENT = "this kernel has no userfaultfd(2): it was built without CONFIG_USERFAULTFD"
_FORBIDDEN = (
    "userfaultfd(2) is forbidden to it, by a filter of system calls (seccomp) or a security module"
)
_CLOSED = "another of its threads closed the descriptor before it could be taken; try again"
_LEADERLESS = (
    "its main thread has ended, and before Linux 6.9 descriptors are taken from that thread alone"
)
_FOREIGN = "another of its threads changes its vDSO, where it was to make a system call from"
_LOST = (
    "a thread of it did not come back within ten seconds from the system call that it was made to "
    "make; it was let go with registers of that call, and may crash"
)

# By the step at which it failed and the errno; None stands for any other.
_WHY: dict[tuple[str, int | None], tuple[type[PagemapError], str]] = {
    ("begin", ENOTSUP): (Unsupported, "this is possible on x86-64 only"),
    ("begin", None): (PagemapError, "no helper process could be started"),
    ("seize", ETIMEDOUT): (PagemapError, _EXECUTES),
    ("stop", ETIMEDOUT): (PagemapError, _RESTS),
    ("stop", EAGAIN): (PagemapError, _FROZEN),
    ("stop", EBUSY): (PagemapError, _SEQUENCE),
    ("stop", ETIME): (PagemapError, _UNREADABLE),
    ("seccomp", EPERM): (AccessDenied, _FILTERED),
    ("seccomp", EINVAL): (AccessDenied, _FILTERED),  # without CONFIG_CHECKPOINT_RESTORE
    ("dispatch", EBUSY): (Unsupported, _HANDLED),
    ("code", ENOEXEC): (Unsupported, "the thread that was stopped runs 32-bit code"),
    ("call", EMFILE): (PagemapError, _FULL),
    ("call", ENOSYS): (Unsupported, _ABSENT),
    ("call", EPERM): (AccessDenied, _FORBIDDEN),
    ("call", ETIMEDOUT): (PagemapError, _FROZEN),
    ("call", EAGAIN): (PagemapError, _FROZEN),
    ("code", EPROTO): (PagemapError, _CHANGED),
    ("call", EBUSY): (PagemapError, _SEQUENCE),
    ("call", ETIME): (PagemapError, _UNREADABLE),
    ("call", EPROTO): (PagemapError, _FOREIGN),
    ("call", None): (PagemapError, "userfaultfd(2) failed in it"),
    ("take", EBADF): (PagemapError, _CLOSED),
    ("take", EPERM): (AccessDenied, "a security module does not let its descriptors be taken"),
    ("close", EBUSY): (PagemapError, _SEQUENCE),
    ("close", ETIME): (PagemapError, _UNREADABLE),
    ("close", ETIMEDOUT): (PagemapError, _FROZEN),
    ("close", EPROTO): (PagemapError, _FOREIGN),
}


def error(
    kind: type[PagemapError], folder: Folder, code: int, why: str, operation: str = OPERATION
) -> PagemapError:
    """An error of this kind."""
    message = f"cannot {operation} of process {folder.pid}: {why}"
    return kind(message, pid=folder.pid, errno=code, operation=operation)


def denied(folder: Folder, code: int) -> PagemapError:
    """The error for a process that may not be traced."""
    tracer = _tracer(folder)
    if tracer:
        return error(
            PagemapError,
            folder,
            EBUSY,
            f"process {tracer} traces it already, as a debugger does, and it can have only one "
            "tracer; end that one",
        )
    scope = _yama()
    if scope == 3:
        why = "no process may trace another until the next boot (kernel.yama.ptrace_scope is 3)"
        return error(AccessDenied, folder, code, why)
    if scope and os.geteuid():
        return error(
            AccessDenied,
            folder,
            code,
            f"only root may trace other processes here (kernel.yama.ptrace_scope is {scope}); run "
            "with sudo (CAP_SYS_PTRACE), or have that set to 0",
        )
    return folder.error(OSError(code, os.strerror(code)), OPERATION)


def gone(folder: Folder) -> PagemapError:
    """The error for a process that ended, or another program that it was, meanwhile."""
    return folder.vanished("exited" if folder.has_ended() else "replaced itself by exec")


def error_of(folder: Folder, code: int, about: Any) -> PagemapError:
    """The error for `code`, an errno, at the step that `about` names (struct pm_injection)."""
    step = next(name for name, number in STEPS.items() if number == about.step)
    if code == EINTR:
        return error(PagemapError, folder, code, _killed(changed=bool(about.changed)))
    if code == ETIMEDOUT and about.changed:
        return error(PagemapError, folder, EBUSY, _LOST)
    leads = str(folder.pid)
    if step == "take" and code in (EBADF, ESRCH) and folder.state_of(leads) == b"Z":
        return gone(folder) if folder.has_ended() else error(Unsupported, folder, code, _LEADERLESS)
    # its files in /proc are root's from the moment on in which it has no memory any more
    if code == ESRCH or (step == "code" and code in (ENOENT, EACCES)):
        return gone(folder)
    if step == "seize" and code in (EPERM, EACCES):
        return denied(folder, code)
    if code == EMFILE and step != "call":
        return error(PagemapError, folder, code, "this process has no descriptor left itself")
    kind, why = _WHY.get((step, code)) or _WHY.get((step, None)) or (PagemapError, f"at {step}")
    if (step, code) not in _WHY and kind is PagemapError:
        why = f"{why}: {os.strerror(code)}"
    return error(kind, folder, EBUSY if code == ETIMEDOUT else code, why)


def _killed(*, changed: bool) -> str:
    if changed:
        return (
            "the helper process was killed while a thread of the target had registers of the "
            "call that it was to make; the target goes on with them, and may crash"
        )
    return (
        "the helper process was killed; the target is as it was, but may have kept a descriptor "
        "of the kind anon_inode:[userfaultfd] that does nothing"
    )


def _tracer(folder: Folder) -> int:
    for line in (folder.peek("status") or b"").split(b"\n"):
        if line.startswith(b"TracerPid:"):
            return int(line.split()[1])
    return 0


def _yama() -> int:
    """What kernel.yama.ptrace_scope is set to; 0 where there is none."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
