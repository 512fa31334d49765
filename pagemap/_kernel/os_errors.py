"""What errno means: the errors that stand for those of the kernel, of a process and of a file."""

from __future__ import annotations

import errno
import os

from pagemap._errors import AccessDenied, NoSuchFile, NoSuchProcess, PagemapError, Unsupported

__all__ = [
    "from_file_error",
    "from_frames_error",
    "from_os_error",
    "kind_of_file_error",
    "no_proc",
    "remedy_for_others",
]


def remedy_for_others(*, sums: bool, of: str = "it") -> str:
    """What to do where another user's process forbids reading; `sums` alone take less.

    Everybody may open smaps_rollup, and is asked for the right to trace when he reads it; pagemap
    and auxv have mode 0400.
    """
    needed = "CAP_SYS_PTRACE" if sums else "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
    # Root of a container, or one that a security module confines, has nothing of sudo.
    if os.geteuid() == 0:
        return (
            f"root needs {needed} over {of} here, which a container or a security module may "
            "withhold"
        )
    return f"run as {'its' if of == 'it' else 'their'} user, or with sudo ({needed})"


def no_proc(procfs: str) -> Unsupported | None:
    """The error for a place where no proc file system is mounted; None where one may be."""
    if os.path.lexists(f"{procfs}/self"):
        return None
    try:
        names = os.listdir(procfs)
    except OSError:
        names = []
    if any(name.isdecimal() for name in names):
        return None
    return Unsupported(
        f"no proc file system is mounted at {procfs}, and all information comes from there; "
        f"mount it: mount -t proc proc {procfs}",
        errno=errno.ENOENT,
        operation="read",
        path=procfs,
    )


def kind_of_file_error(error: OSError) -> type[PagemapError]:
    """The class of the error that stands for `error` of a file that somebody named."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return AccessDenied
    return NoSuchFile if error.errno in (errno.ENOENT, errno.ENOTDIR) else PagemapError


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
    if code in (errno.ENOENT, errno.ESRCH):
        message = f"there is no {of} (it has ended, or /proc hides it: see hidepid in proc(5))"
        return NoSuchProcess(message, pid=pid, errno=code, operation=operation, path=path)
    if code in (errno.EACCES, errno.EPERM):
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
    if code in (errno.EACCES, errno.EPERM):
        return AccessDenied(
            f"cannot read {path}: permission denied; only root may read it: "
            "run with sudo (CAP_DAC_READ_SEARCH)",
            errno=code,
            operation="read",
            path=path,
        )
    if code == errno.ENOENT:
        folder = os.path.dirname(path)
        option = "CONFIG_MEMCG" if path.endswith("cgroup") else "CONFIG_PROC_PAGE_MONITOR"
        missing = no_proc(folder)
        if missing is not None:
            return missing
        if not os.path.exists(f"{folder}/version"):  # nor any file of the whole machine's
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


def from_frames_error(error: OSError, path: str, purpose: str) -> PagemapError:
    """The error for what the frames of page tables were looked up for, in the file at `path`.

    ENODATA is the end of one of the files: of a copy, or of memory that went away meanwhile.
    """
    if isinstance(error, PagemapError):
        return error
    if error.errno != errno.ENODATA:
        return from_file_error(error, path)
    return PagemapError(
        f"cannot {purpose}: {path}, or kpagecount beside it, ends before frames that processes map",
        errno=errno.ENODATA,
        operation="read",
        path=path,
    )
