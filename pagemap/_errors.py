"""The errors that pagemap raises.

::

    PagemapError                              the base: catch this for all
     ├─ NoSuchProcess    ProcessLookupError   no process, a zombie, a name that fits nothing
     ├─ NoSuchFile       FileNotFoundError    no such file, or no directory for a new one
     ├─ AccessDenied     PermissionError      the kernel forbids it; names the capability
     │   └─ PfnsHidden                        readable, but without physical addresses
     ├─ TargetVanished   ProcessLookupError   exited or called exec; what was read stands
     ├─ AddressError     LookupError          the address has no physical address:
     │   ├─ NotMapped                           in no mapping
     │   ├─ NotPresent                          mapped, but no page behind it
     │   └─ SwappedOut                          the page lies in swap
     ├─ Unsupported      NotImplementedError  this kernel lacks it
     ├─ UsageError       ValueError           malformed address, range, pattern or name
     └─ ClosedProcess    ValueError           the Process was closed

Every error carries ``pid``, ``errno``, ``operation`` and ``path``, each None where it does not
apply, and survives pickling (so it crosses process pools).
"""

from __future__ import annotations

import errno as _errno
import os as _os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AccessDenied",
    "AddressError",
    "ClosedProcess",
    "NoSuchFile",
    "NoSuchProcess",
    "NotMapped",
    "NotPresent",
    "PagemapError",
    "PfnsHidden",
    "SwappedOut",
    "TargetVanished",
    "Unsupported",
    "UsageError",
    "from_file_error",
    "from_os_error",
    "kind_of_file_error",
    "no_proc",
    "not_opened",
    "remedy_for_others",
]


class PagemapError(Exception):
    """The base of every error here; the message says what failed, on what, why, and what to do.

    `pid`, `errno` (the kernel's number), `operation` (what was tried) and `path` are None where
    they do not apply.

    >>> import pagemap
    >>> try:
    ...     process = pagemap.Process(0)
    ... except pagemap.PagemapError as error:
    ...     error.pid, str(error)
    (0, 'there is no process 0: a pid is above 0')
    """

    pid: int | None = None
    errno: int | None = None
    operation: str | None = None
    path: str | None = None

    def __init__(
        self,
        message: str,
        *,
        pid: int | None = None,
        errno: int | None = None,
        operation: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.pid = pid
        self.errno = errno
        self.operation = operation
        self.path = path

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Callable[..., PagemapError], tuple[object, ...]]:
        # OSError and Exception rebuild from args alone, which would lose the keywords.
        state = dict(self.__dict__, errno=self.errno)
        return _rebuild, (type(self), state)


def _rebuild(kind: type[PagemapError], state: dict[str, object]) -> PagemapError:
    error = kind.__new__(kind, state["message"])
    Exception.__init__(error, state["message"])
    for name, value in state.items():
        setattr(error, name, value)
    return error


class NoSuchProcess(PagemapError, ProcessLookupError):
    """There is no such process, or it has ended and waits to be reaped."""


class NoSuchFile(PagemapError, FileNotFoundError):
    """There is no file of this name, or no directory in which to make it."""


class AccessDenied(PagemapError, PermissionError):
    """The kernel forbids reading this process."""


class PfnsHidden(AccessDenied):
    """The process is readable, but the kernel hides physical addresses from this reader."""


class TargetVanished(PagemapError, ProcessLookupError):
    """The process exited or replaced itself by exec midway. What was read until then stands."""


class AddressError(PagemapError, LookupError):
    """A virtual `address`, in bytes, that has no physical one: from `Process.virt_to_phys`."""

    def __init__(self, message: str, *, address: int, pid: int | None = None) -> None:
        super().__init__(message, pid=pid, operation="translate")
        self.address = address


class NotMapped(AddressError):
    """The address lies in no mapping of the process."""


class NotPresent(AddressError):
    """The address is mapped, but there is no page behind it."""


class SwappedOut(AddressError):
    """The page lies in swap: area `swap_type`, page `swap_offset`; None where they are hidden."""

    def __init__(
        self,
        message: str,
        *,
        address: int,
        pid: int | None = None,
        swap_type: int | None = None,
        swap_offset: int | None = None,
    ) -> None:
        super().__init__(message, address=address, pid=pid)
        self.swap_type = swap_type
        self.swap_offset = swap_offset


class Unsupported(PagemapError, NotImplementedError):
    """This kernel does not have what was asked for."""


class UsageError(PagemapError, ValueError):
    """An argument that cannot be understood."""


class ClosedProcess(PagemapError, ValueError):
    """The Process was closed before this call."""


# A traceback names an error as it is caught, which is not by this module.
for _each in list(globals().values()):
    if isinstance(_each, type) and issubclass(_each, PagemapError):
        _each.__module__ = "pagemap"


def remedy_for_others(*, sums: bool, of: str = "it") -> str:
    """What to do where another user's process forbids reading; `sums` alone take less.

    Everybody may open smaps_rollup, and is asked for the right to trace when he reads it; pagemap
    and auxv have mode 0400.
    """
    needed = "CAP_SYS_PTRACE" if sums else "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
    # Root of a container, or one that a security module confines, has nothing of sudo.
    if _os.geteuid() == 0:
        return (
            f"root needs {needed} over {of} here, which a container or a security module may "
            "withhold"
        )
    return f"run as {'its' if of == 'it' else 'their'} user, or with sudo ({needed})"


def no_proc(procfs: str) -> Unsupported | None:
    """The error for a place where no proc file system is mounted; None where one may be."""
    if _os.path.lexists(f"{procfs}/self"):
        return None
    try:
        names = _os.listdir(procfs)
    except OSError:
        names = []
    if any(name.isdecimal() for name in names):
        return None
    return Unsupported(
        f"no proc file system is mounted at {procfs}, and all information comes from there; "
        f"mount it: mount -t proc proc {procfs}",
        errno=_errno.ENOENT,
        operation="read",
        path=procfs,
    )


def kind_of_file_error(error: OSError) -> type[PagemapError]:
    """The class of the error that stands for `error` of a file that somebody named."""
    if error.errno in (_errno.EACCES, _errno.EPERM):
        return AccessDenied
    return NoSuchFile if error.errno in (_errno.ENOENT, _errno.ENOTDIR) else PagemapError


def not_opened(error: OSError, path: str) -> PagemapError:
    """The error for the file of a snapshot that cannot be opened, which goes through /proc."""
    missing = no_proc("/proc") if error.errno == _errno.ENOENT and _os.path.exists(path) else None
    if missing is not None:
        return missing
    return kind_of_file_error(error)(
        f"cannot open {path}: {error.strerror}",
        errno=error.errno,
        operation="open the snapshot",
        path=path,
    )


def no_snapshot(path: str) -> PagemapError:
    """The error for a file that is there, and no snapshot."""
    return PagemapError(
        f"{path} is no snapshot of pagemap",
        errno=_errno.EINVAL,
        operation="open the snapshot",
        path=path,
    )


def from_os_error(
    error: OSError, *, pid: int | None, operation: str, path: str | None = None
) -> PagemapError:
    """The error that stands for `error`, which happened to `pid` while it was tried to `operation`.

    This is the one place where errno is given a meaning: ENOENT and ESRCH are a process that is
    gone, EACCES and EPERM a missing right (proc_pid_permission and ptrace_may_access in the
    kernel's fs/proc/base.c and kernel/ptrace.c).
    """
    code = error.errno
    of = f"process {pid}" if pid is not None else (path or "the target")
    if code in (_errno.ENOENT, _errno.ESRCH):
        message = f"there is no {of} (it has ended, or /proc hides it: see hidepid in proc(5))"
        return NoSuchProcess(message, pid=pid, errno=code, operation=operation, path=path)
    if code in (_errno.EACCES, _errno.EPERM):
        remedy = remedy_for_others(sums=(path or "").endswith("/smaps_rollup"))
        message = f"cannot {operation} of {of}: permission denied; {remedy}"
        return AccessDenied(message, pid=pid, errno=code, operation=operation, path=path)
    reason = error.strerror or str(error)
    return PagemapError(
        f"cannot {operation} of {of}: {reason}", pid=pid, errno=code, operation=operation, path=path
    )


def from_file_error(error: OSError, path: str) -> PagemapError:
    """The error that stands for `error` of a file of the whole machine's, such as /proc/kpageflags.

    These files are root's, with mode 0400 (fs/proc/page.c); kpagecgroup needs CONFIG_MEMCG, and all
    of them CONFIG_PROC_PAGE_MONITOR.
    """
    code = error.errno
    if code in (_errno.EACCES, _errno.EPERM):
        return AccessDenied(
            f"cannot read {path}: permission denied; only root may read it: "
            "run with sudo (CAP_DAC_READ_SEARCH)",
            errno=code,
            operation="read",
            path=path,
        )
    if code == _errno.ENOENT:
        folder = _os.path.dirname(path)
        option = "CONFIG_MEMCG" if path.endswith("cgroup") else "CONFIG_PROC_PAGE_MONITOR"
        missing = no_proc(folder)
        if missing is not None:
            return missing
        if not _os.path.exists(f"{folder}/version"):  # nor any file of the whole machine's
            why = f"there is no {path}: mount proc without subset=pid, which shows processes alone"
        else:
            why = f"this kernel has no {path}: it was built without {option}"
        return Unsupported(
            why,
            errno=code,
            operation="read",
            path=path,
        )
    return PagemapError(
        f"cannot read {path}: {error.strerror or error}", errno=code, operation="read", path=path
    )
