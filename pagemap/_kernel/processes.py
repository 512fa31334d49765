"""Finds processes by name, and lists all.

Only /proc is read, and only what anybody may read of any process: comm, cmdline and stat, and exe
where it is allowed. A process that ends or hides itself during the search is passed over: it was
not there, or is not ours to see.
"""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE

from pagemap._errors import NoSuchProcess, PagemapError, UsageError
from pagemap._kernel.chosen_pid import Chosen
from pagemap._kernel.executables import path_of, runs_file
from pagemap._kernel.folder import Folder
from pagemap._kernel.os_errors import no_proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fits = Callable[[Folder], bool]

__all__ = ["find", "pids"]

# The bytes that the kernel keeps of a command name: TASK_COMM_LEN, less its final NUL.
_COMM_SIZE = 15


def find(name: str, *, procfs: str = "/proc") -> list[int]:
    """The pids, ascending, of the processes whose command name or executable is `name`.

    `name` is compared with the command name (comm), of which the kernel keeps 15 bytes: a longer
    one must also be the base name of the executable, or of what was run. It is also compared with
    the base name of the executable. A process may take any name. A `name` with a slash is the path
    of an executable: processes match that run this file, by device and inode. One that was deleted
    or replaced there since matches too, if only those who may write to its directory can have put
    it there. Zombies do not match, because they have no memory.

    Each pid remembers how it was found, and `Process` and all others check that when they open it:
    if another process has the pid by then, they raise NoSuchProcess. After pickling or arithmetic
    it is an ordinary int, which is not checked.

    Raises NoSuchProcess when /proc cannot be listed, or shows no process at all; UsageError for an
    empty name.

    >>> find("no process has this name")
    []
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {name!r}")
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
    arguments = (process.head("cmdline") or b"").split(b"\0")
    return map(os.path.basename, arguments[:3])


def pids(procfs: str = "/proc") -> list[int]:
    """The pids of all processes, ascending: kernel threads and zombies too.

    Raises Unsupported where no proc file system is mounted, NoSuchProcess when it cannot be listed.
    """
    try:
        names = os.listdir(procfs)
    except OSError as error:
        raise no_proc(procfs) or NoSuchProcess(
            f"cannot look for processes: {procfs}: {error.strerror}",
            errno=error.errno,
            operation="find",
            path=procfs,
        ) from error
    missing = no_proc(procfs)
    if missing is not None:
        raise missing
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())
