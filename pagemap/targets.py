"""Who is meant: processes by name, and the TARGET of the command line.

Only /proc is read, and only what anybody may read of any process: comm, cmdline and stat, and exe
where it is allowed. A process that ends or hides itself during the search is passed over: it was
not there, or is not ours to see.
"""

from __future__ import annotations

import os

from pagemap.errors import AccessDenied, AmbiguousName, NoSuchProcess, UsageError
from pagemap.tasks import has_ended, living_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["command_line", "find", "pids", "resolve"]

# The bytes that the kernel keeps of a command name: TASK_COMM_LEN, less its final NUL.
_COMM_SIZE = 15

_DELETED = b" (deleted)"

# A pid file holds a number and a newline, some a few lines more (PostgreSQL's).
_PID_FILE_SIZE = 4096

# How much is said again of a number that is no pid.
_SHOWN_DIGITS = 20


def find(name: str, *, procfs: str = "/proc") -> list[int]:
    """The pids, ascending, of the processes whose command name or executable is `name`.

    `name` is compared with the command name (comm), of which the kernel keeps 15 bytes: a longer
    one must also be the base name of the executable, or of what was run. It is also compared with
    the base name of the executable or, when it has a slash, with its whole path. An executable that
    was deleted or replaced since keeps its name. Processes that have ended and wait to be reaped do
    not count, for they have no memory; of one whose main thread alone has ended, the id is that of
    a thread that lives.

    Raises NoSuchProcess when /proc cannot be listed, or shows no process at all.

    >>> find("no process has this name")
    []
    """
    wanted = os.fsencode(name)
    fits = _fits_path(wanted) if b"/" in wanted else _fits_name(wanted)
    found = (_find_in(pid, fits, procfs) for pid in pids(procfs))
    return sorted(each for each in found if each is not None)


def _find_in(pid: int, fits: Callable[[str], bool], procfs: str) -> int | None:
    """The id by which process `pid` can be read, if it fits."""
    folder = f"{procfs}/{pid}"
    fitting = fits(folder)
    # One without its main thread has no executable there, nor have kernel threads and zombies.
    if not fitting and _executable(folder) is not None:
        return None
    if not has_ended(folder):
        return pid if fitting else None
    thread = living_thread(folder)
    return thread if thread and (fitting or fits(f"{procfs}/{thread}")) else None


def resolve(text: str, *, procfs: str = "/proc", exclude: Collection[int] = ()) -> int:
    """The pid that `text`, the TARGET of a command line, names.

    TARGET is a number, ``self``, ``@FILE`` for the number at the start of a pid file, or a name as
    `find` takes it. A number is handed on as it is, whether or not there is such a process. Pids in
    `exclude` are left out of what a name fits.

    Raises NoSuchProcess when nothing has the name or there is no such pid file, AmbiguousName when
    several processes have the name, AccessDenied when the pid file may not be read, UsageError for
    anything else.
    """
    if not text:
        raise UsageError("the target is empty: give a pid, self, a name, or @FILE")
    if text == "self":
        return _self(procfs)
    if text.startswith("@"):
        return _read_pid_file(text[1:])
    if text.isascii() and text.isdecimal():
        return _number(text)
    pids = [pid for pid in find(text, procfs=procfs) if pid not in exclude]
    if not pids:
        signed = text[1:].isdecimal() and text[0] in "+-"
        hint = ": a pid is above 0" if signed else "; give a pid, or a command's or program's name"
        raise NoSuchProcess(f"no process has the name {text!r}{hint}", operation="find")
    if len(pids) > 1:
        listed = "\n".join(f"  {pid:>7}  {command_line(pid, procfs=procfs)}" for pid in pids)
        raise AmbiguousName(
            f"{len(pids)} processes have the name {text!r}; give the pid of one:\n{listed}",
            pids=pids,
        )
    return pids[0]


def command_line(pid: int, *, procfs: str = "/proc", width: int = 100) -> str:
    """What process `pid` was run as, in one line of at most `width` characters, or "?"."""
    # A process may write there what it likes: no byte of it may drive the reader's terminal.
    raw = _read(f"{procfs}/{pid}/cmdline") or b""
    words = raw.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
    if not words:
        comm = _read(f"{procfs}/{pid}/comm")
        words = f"[{comm.rstrip().decode('utf-8', 'replace')}]" if comm is not None else "?"
    line = "".join(c if c.isprintable() else "?" for c in words)
    return line if len(line) <= width else line[: width - 1] + "…"


def _fits_path(wanted: bytes) -> Callable[[str], bool]:
    # A path is also given through symbolic links (/usr/bin/python3), while exe names the file
    # itself.
    names = {wanted, os.path.realpath(wanted)}
    # The names of kernel threads have slashes too (kworker/0:1). One that begins with a slash is
    # left to executables: any process may give itself the name of another's.
    named = not wanted.startswith(b"/")

    def fits(process: str) -> bool:
        return _executable(process) in names or (named and _comm(process) == wanted)

    return fits


def _fits_name(wanted: bytes) -> Callable[[str], bool]:
    def fits(process: str) -> bool:
        comm = _comm(process)
        if comm is None:
            return False
        if comm == wanted:
            return True
        if os.path.basename(_executable(process) or b"") == wanted:
            return True
        return (
            len(wanted) > _COMM_SIZE
            and comm == wanted[:_COMM_SIZE]
            and wanted in _arguments(process)
        )

    return fits


def _comm(process: str) -> bytes | None:
    comm = _read(f"{process}/comm")
    return None if comm is None else comm.removesuffix(b"\n")


def _arguments(process: str) -> Iterator[bytes]:
    """The base names of the first arguments: a script's comes after interpreter and option."""
    arguments = (_read(f"{process}/cmdline") or b"").split(b"\0")
    return map(os.path.basename, arguments[:3])


def _executable(process: str) -> bytes | None:
    """The path of a process's executable, or None where it has none or hides it."""
    try:
        return os.fsencode(os.readlink(f"{process}/exe")).removesuffix(_DELETED)
    except OSError:
        return None


def pids(procfs: str = "/proc") -> list[int]:
    """The pids of all processes, ascending: kernel threads and zombies too.

    Raises NoSuchProcess when /proc cannot be listed, or shows none.
    """
    try:
        names = os.listdir(procfs)
    except OSError as error:
        raise NoSuchProcess(
            f"cannot look for processes: {procfs}: {error.strerror}",
            errno=error.errno,
            operation="find",
            path=procfs,
        ) from error
    found = sorted(int(name) for name in names if name.isascii() and name.isdecimal())
    if not found:
        raise NoSuchProcess(
            f"cannot look for processes: {procfs} shows none; is /proc mounted?",
            operation="find",
            path=procfs,
        )
    return found


def _self(procfs: str) -> int:
    # Not getpid(): in a PID namespace with an outer /proc they differ, and /proc is what gets read.
    path = f"{procfs}/self"
    try:
        return int(os.readlink(path))
    except OSError as error:
        raise NoSuchProcess(
            f"cannot tell which process this is: {path}: {error.strerror}; "
            "is /proc mounted, and of this PID namespace?",
            errno=error.errno,
            operation="find",
            path=path,
        ) from error


def _number(text: str) -> int:
    digits = text.lstrip("0")
    # pid_t has 31 bits, and the kernel keeps to 22 of them.
    if not digits or len(digits) > 10:
        short = text if len(text) <= _SHOWN_DIGITS else f"{text[:_SHOWN_DIGITS]}…"
        raise NoSuchProcess(f"there is no process {short}", operation="find")
    return int(digits)


def _read_pid_file(path: str) -> int:
    if not path:
        raise UsageError("the target @ needs the name of a pid file, as in @/run/nginx.pid")
    try:
        # Not waiting for a writer, should it be a fifo.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            words = os.read(fd, _PID_FILE_SIZE).split()
        finally:
            os.close(fd)
    except FileNotFoundError as error:
        message = f"no pid file {path!r}: is its process running?"
        raise NoSuchProcess(
            message, errno=error.errno, operation="read the pid file", path=path
        ) from error
    except PermissionError as error:
        message = f"cannot read the pid file {path!r}: permission denied; run with sudo"
        raise AccessDenied(
            message, errno=error.errno, operation="read the pid file", path=path
        ) from error
    except OSError as error:
        raise UsageError(
            f"cannot read the pid file {path!r}: {error.strerror}",
            errno=error.errno,
            operation="read the pid file",
            path=path,
        ) from error
    if not words or not words[0].isdigit():
        raise UsageError(
            f"no pid in the pid file {path!r}: it must begin with a number",
            operation="read the pid file",
            path=path,
        )
    return _number(words[0].decode("ascii"))


def _read(path: str) -> bytes | None:
    """The first 4096 bytes of a file in /proc, or None where there is none to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 4096)
        finally:
            os.close(fd)
    except OSError:
        return None
