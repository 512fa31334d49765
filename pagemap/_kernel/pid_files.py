"""Pid files: reads the number, and checks whether the process can be the one that was meant.

The number may belong to another process by now. So the following is checked when the process is
opened. It must have started before the file was written; otherwise its pid was reused. If the file
belongs neither to root nor to us, the process must belong to the owner of the file, who could
otherwise direct us to any process. The same holds for the owner of each symbolic link on the way,
and in a sticky directory no link of another user is followed. Files that everybody may write to are
refused, and so are files that are not regular, or are made by the kernel (/proc/PID/stat begins
with a number too). So a file or link can lead root only to processes of its owner that are older
than the file.
"""

from __future__ import annotations

import os
import time
from errno import EACCES, EINVAL, ENOENT
from stat import S_ISREG, S_IWOTH

from pagemap._errors import AccessDenied, NoSuchProcess, UsageError
from pagemap._kernel.chosen_pid import Chosen, number
from pagemap._kernel.mounts import is_made_by_the_kernel, kind_of
from pagemap._kernel.places import find
from pagemap._kernel.users import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.folder import Folder
    from pagemap._kernel.places import Place

__all__ = ["read_pid_file"]

# A pid file holds a number and a newline, some a few lines more (PostgreSQL's).
_PID_FILE_SIZE = 4096

_OPERATION = "read the pid file"

# Times of files are of the last tick (4 to 10 ms), those of processes of 10 ms; some file systems
# keep whole seconds, or pairs of them.
_SLACK = 0.1
_COARSE_SLACK = 2.0


def read_pid_file(path: str) -> Chosen:
    """The pid at the start of a pid file, to be held against the file when it is opened.

    Raises NoSuchProcess, AccessDenied, UsageError.
    """
    if not path:
        raise UsageError("the target @ needs the name of a pid file, as in @/run/nginx.pid")
    try:
        with find(path) as place:
            about, words = _read(place)
            speakers = {about.st_uid, *place.led_by}
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"no pid file {path!r}: is its process running?"
        raise NoSuchProcess(message, errno=error.errno, operation=_OPERATION, path=path) from error
    except OSError as error:
        if error.errno == EACCES and error.strerror == os.strerror(EACCES):
            message = f"cannot read the pid file {path!r}: permission denied; run with sudo"
            raise AccessDenied(message, errno=EACCES, operation=_OPERATION, path=path) from error
        raise UsageError(
            f"cannot read the pid file {path!r}: {error.strerror}",
            errno=error.errno,
            operation=_OPERATION,
            path=path,
        ) from error
    if not words or not words[0].isdigit():
        raise UsageError(
            f"no pid in the pid file {path!r}: it must begin with a number",
            operation=_OPERATION,
            path=path,
        )
    if about.st_mode & S_IWOTH:
        raise UsageError(
            f"the pid file {path!r} cannot be trusted: everybody may write to it; give the pid",
            operation=_OPERATION,
            path=path,
        )

    def confirm(folder: Folder) -> None:
        _confirm(folder, path, about, speakers)

    return Chosen(number(words[0].decode("ascii")), confirm)


def _read(place: Place) -> tuple[os.stat_result, list[bytes]]:
    """What is known of the file that was found, and its words; opened as what was looked at."""
    if not place.mode:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT))
    if not S_ISREG(place.mode):
        raise OSError(EINVAL, "it is not a regular file, so it cannot be trusted; give the pid")
    assert place.found is not None
    kind = kind_of(place.found)
    if kind is None or is_made_by_the_kernel(kind):
        lies = f"the kernel makes it ({kind})" if kind else "it is on a mount that is not ours"
        raise OSError(EINVAL, f"{lies}, so it cannot be trusted; give the pid")
    fd = os.open(f"/proc/self/fd/{place.found}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        return os.fstat(fd), os.read(fd, _PID_FILE_SIZE).split()
    finally:
        os.close(fd)


def _confirm(folder: Folder, path: str, about: os.stat_result, speakers: set[int]) -> None:
    written_ns = min(about.st_mtime_ns, about.st_ctime_ns)
    slack = _SLACK if written_ns % 10**9 else _COARSE_SLACK
    later = _began(folder) - written_ns / 1e9
    if later > slack:
        raise NoSuchProcess(
            f"process {folder.pid} began {later:.1f} s after the pid file {path!r} was written: "
            "its number has gone to another process since, or the clock was set; give the pid",
            pid=folder.pid,
            operation=_OPERATION,
            path=path,
        )
    users = {user for user in _users(folder) if known(user) is not None}
    for user in speakers - {0, os.geteuid()} - users:
        what = "belongs" if user == about.st_uid else "is reached by a symbolic link that belongs"
        raise UsageError(
            f"the pid file {path!r} {what} to user {user}, and process {folder.pid} does "
            "not: a pid file counts only for processes of its owner; give the pid",
            pid=folder.pid,
            operation=_OPERATION,
            path=path,
        )


def _began(folder: Folder) -> float:
    """When the process began, in seconds since the epoch by the clock as it is set now."""
    since_boot = folder.start() / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


def _users(folder: Folder) -> set[int]:
    """The real, effective, saved and file system user of the process; empty where not told."""
    for line in (folder.peek("status") or b"").split(b"\n"):
        if line.startswith(b"Uid:"):
            return set(map(int, line.split()[1:]))
    return set()
