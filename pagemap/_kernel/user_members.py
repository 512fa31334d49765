"""Which processes run with the rights of a user."""

from __future__ import annotations

from errno import EMFILE, ENFILE

from pagemap._errors import PagemapError, UsageError
from pagemap._kernel import task
from pagemap._kernel.chosen_pid import same
from pagemap._kernel.folder import Folder
from pagemap._kernel.processes import pids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pids_of_user"]

_DIGITS = 10  # of a uid_t


def pids_of_user(user: str, *, procfs: str = "/proc") -> list[int]:
    """The pids, ascending, of the processes whose effective user is `user`: a name or a number.

    A number that has gone to another process since is refused when it is opened.
    Raises UsageError for a user that does not exist, and what `pids` raises.
    """
    return list(_members(_uid(user), f"that user {user!r} had", procfs))


def _uid(user: str) -> int:
    import pwd

    if user.isascii() and user.isdecimal() and len(user) <= _DIGITS:
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        raise UsageError(f"there is no user {user!r}: give a user's name or number") from None


def _members(uid: int, meant: str, procfs: str) -> Iterator[int]:
    for pid in pids(procfs):
        try:
            folder = Folder(pid, str(pid), procfs)
            try:
                start = folder.start()
                fits = task.uid(folder) == uid
            finally:
                folder.close()
        except PagemapError as error:
            if error.errno in (EMFILE, ENFILE):
                raise  # for want of descriptors of ours nobody is taken to be another's
            continue
        if fits:
            yield same(pid, start, meant)
