"""The groups of a machine's processes: by name, executable, user, cgroup, container, session.

A process alone is a group too.
"""

from __future__ import annotations

from contextlib import closing

from pagemap._errors import PagemapError, UsageError
from pagemap._kernel import task
from pagemap._kernel.folder import Folder
from pagemap._vocabulary.names import unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pagemap._space.every_process import EveryProcess

__all__ = ["GROUPS", "NUMBERED", "UNKNOWN", "check_group", "group_of", "name_of"]


def _pid(folder: Folder) -> str:
    return str(folder.pid)


GROUPS: dict[str, Callable[[Folder], str | None]] = {
    "process": _pid,
    "name": task.name,
    "exe": task.exe,
    "user": task.user,
    "cgroup": task.cgroup,
    "container": task.container,
    "session": task.session,
}
"""What tells the group of a process, given its folder."""

NUMBERED = ("process", "session")
"""Those whose groups are called by the number of a process."""

UNKNOWN = ""
"""The group of processes of which it is not known: no name that a process may choose."""


def check_group(by: str) -> str:
    """The name of such a kind of group. Raises UsageError for another."""
    if by not in GROUPS:
        raise UsageError(unknown("by", by, GROUPS))
    return by


def group_of(every: EveryProcess, pid: int, by: str) -> str | None:
    """What the group of a process is called; None for one that is gone, which is left out."""
    try:
        with closing(Folder(every.meant(pid), str(pid), every.procfs)) as folder:
            return GROUPS[by](folder) or UNKNOWN
    except PagemapError as error:
        every.leave_out(pid, error)
        return None


def name_of(every: EveryProcess, pid: int) -> str | None:
    """The command name of a process; None of one that is gone."""
    try:
        with closing(Folder(every.meant(pid), str(pid), every.procfs)) as folder:
            return task.name(folder)
    except PagemapError:
        return None
