"""Who is meant: processes by name, and the TARGET of the command line.

Only /proc is read, and only what anybody may read of any process: comm, cmdline and stat, and exe
where it is allowed. A process that ends or hides itself during the search is passed over: it was
not there, or is not ours to see.
"""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE

from pagemap._errors import AmbiguousName, NoSuchProcess, PagemapError, UsageError
from pagemap._kernel.chosen import Chosen
from pagemap._kernel.executables import path_of, runs_file
from pagemap._kernel.folder import Folder
from pagemap._kernel.pid_files import number, read_pid_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    Fits = Callable[[Folder], bool]

__all__ = ["command_line", "find", "pids", "resolve"]

# The bytes that the kernel keeps of a command name: TASK_COMM_LEN, less its final NUL.
_COMM_SIZE = 15


def find(name: str, *, procfs: str = "/proc") -> list[int]:
    """The pids, ascending, of the processes whose command name or executable is `name`.

    `name` is compared with the command name (comm), of which the kernel keeps 15 bytes: a longer
    one must also be the base name of the executable, or of what was run. It is also compared with
    the base name of the executable. These are claims: a process may take any name. A `name` with a
    slash is the path of an executable, and what counts is that this very file is run, by device and
    inode; see `pagemap._kernel.executables` for those deleted or replaced since. Processes that
    have ended and wait to be reaped do not count, for they have no memory.

    Each number knows what it was found by, and `Process` and all others look again when they open
    it: where another process has the number by then they raise NoSuchProcess. Pickled, or in sums,
    it is a bare number, which is taken as it is.

    Raises NoSuchProcess when /proc cannot be listed, or shows no process at all; UsageError for an
    empty name.

    >>> find("no process has this name")
    []
    """
    if not isinstance(name, str):
        raise TypeError(f"name: a process is found by a str, not by {name!r}")
    if not name:  # which is that of all that have no executable
        raise UsageError("name is empty: give a command's name, or an executable's")
    wanted = os.fsencode(name)
    fits = _fits_path(wanted) if b"/" in wanted else _fits_name(wanted)
    found = (_find_in(pid, fits, name, procfs) for pid in pids(procfs))
    return [each for each in found if each is not None]


def _find_in(pid: int, fits: Fits, name: str, procfs: str) -> Chosen | None:
    """The process as one chosen by its name, if it has that and lives."""
    try:
        folder = Folder(pid, str(pid), procfs)
    except PagemapError as error:
        if error.errno in (EMFILE, ENFILE):
            raise  # for want of descriptors of ours nobody is taken to have another name
        return None
    try:
        if not _fits_or_thread(folder, fits) or not _lives(folder):
            return None
        start = folder.start()
    finally:
        folder.close()
    meant = f"found by the name {name!r}"

    def confirm(opened: Folder) -> None:
        if opened.start() != start or not _fits_or_thread(opened, fits):
            raise opened.another(meant)

    return Chosen(pid, confirm)


def _lives(folder: Folder) -> bool:
    return not folder.has_ended() or folder.find_living()


def _fits_or_thread(folder: Folder, fits: Fits) -> bool:
    """Whether it fits; of what has ended but for a thread, the executable is that one's alone."""
    if fits(folder):
        return True
    # One without its main thread has no executable there, nor have kernel threads and zombies.
    return path_of(folder) is None and folder.find_living() and fits(folder)


def resolve(text: str, *, procfs: str = "/proc", exclude: Collection[int] = ()) -> int:
    """The pid that `text`, the TARGET of a command line, names.

    TARGET is a number, ``self``, ``@FILE`` for the number at the start of a pid file, or a name as
    `find` takes it. A number is handed on as it is, whether or not there is such a process. Pids in
    `exclude` are left out of what a name fits.

    What a name or a pid file gave is looked at again by who opens it (see `find`, and
    `pagemap._kernel.pid_files` for what such a file can prove).

    Raises NoSuchProcess when nothing has the name or there is no such pid file, AmbiguousName when
    several processes have the name, AccessDenied when the pid file may not be read, UsageError for
    anything else.
    """
    if not text:
        raise UsageError("the target is empty: give a pid, self, a name, or @FILE")
    if text == "self":
        return _self(procfs)
    if text.startswith("@"):
        return read_pid_file(text[1:])
    if text.isascii() and text.isdecimal():
        return number(text)
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


def _fits_path(wanted: bytes) -> Fits:
    is_run = runs_file(wanted)
    # The names of kernel threads have slashes too (kworker/0:1). One that begins with a slash is
    # left to executables: any process may give itself the name of another's.
    named = not wanted.startswith(b"/")

    def fits(process: Folder) -> bool:
        return is_run(process) or (named and _comm(process) == wanted)

    return fits


def _fits_name(wanted: bytes) -> Fits:
    def fits(process: Folder) -> bool:
        comm = _comm(process)
        if comm is None:
            return False
        if comm == wanted:
            return True
        if os.path.basename(path_of(process) or b"") == wanted:
            return True
        return (
            len(wanted) > _COMM_SIZE
            and comm == wanted[:_COMM_SIZE]
            and wanted in _arguments(process)
        )

    return fits


def _comm(process: Folder) -> bytes | None:
    comm = process.peek("comm")
    return None if comm is None else comm.removesuffix(b"\n")


def _arguments(process: Folder) -> Iterator[bytes]:
    """The base names of the first arguments: a script's comes after interpreter and option."""
    arguments = (process.peek("cmdline") or b"").split(b"\0")
    return map(os.path.basename, arguments[:3])


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
