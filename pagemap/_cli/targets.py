"""TARGET: which processes an argument of the command line means.

It is a pid, ``self``, ``@FILE`` for the number at the start of a pid file, or a name as
`pagemap.find` takes it. What a name or a pid file gave is looked at again by whoever opens the
process, for a number may be another's by then.
"""

from __future__ import annotations

import os

from pagemap._errors import NoSuchProcess, PagemapError, UsageError
from pagemap._kernel.chosen_pid import number, same
from pagemap._kernel.folder import Folder
from pagemap._kernel.os_errors import no_proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["one", "several"]


def several(
    texts: Iterable[str], *, exclude: Collection[int] | None = None, procfs: str = "/proc"
) -> list[int]:
    """The pids of all processes that are meant by these words, each once, in their order.

    A number means the process that has it now, also to whoever opens it again and again; that of
    nobody is handed on as it is. Pids in `exclude`, by default that of this process, are left out
    of what a name fits. Raises NoSuchProcess when
    nothing has a name or there is no such pid file, AccessDenied when the pid file may not be read,
    UsageError for an empty word.
    """
    found: dict[int, None] = {}
    for text in texts:
        pids = _meant(text, exclude, procfs)
        if text.isdecimal():
            pids = [_pinned(pid, procfs) for pid in pids]
        found.update(dict.fromkeys(pids))
    return list(found)


def one(text: str, *, exclude: Collection[int] | None = None, procfs: str = "/proc") -> int:
    """The pid of the one process that is meant; as `several`, which says what it raises.

    Raises UsageError, which lists them, where a name fits several processes.
    """
    pids = _meant(text, exclude, procfs)
    if len(pids) > 1:
        from pagemap._cli.namesakes import listed

        raise UsageError(
            f"{len(pids)} processes have the name {text!r}; give the pid of one:\n"
            + "\n".join(listed(pids, procfs))
        )
    return pids[0]


def _meant(text: str, exclude: Collection[int] | None, procfs: str) -> list[int]:
    if not text:
        raise UsageError("the target is empty: give a pid, self, a name, or @FILE")
    if text == "self":
        return [_self(procfs)]
    if text.startswith("@"):
        from pagemap._kernel.pid_files import read_pid_file

        return [read_pid_file(text[1:])]
    if text.isascii() and text.isdecimal():
        return [number(text)]
    _refuse_snapshot(text)
    from pagemap._kernel.processes import find

    others = (os.getpid(),) if exclude is None else exclude
    pids = [pid for pid in find(text, procfs=procfs) if pid not in others]
    if not pids:
        from pagemap._cli.saved_files import why_none

        why = why_none(text)
        if why is not None:
            raise why
        signed = text[1:].isdecimal() and text[0] in "+-"
        hint = (
            ": a pid is above 0"
            if signed
            else ", and there is no such file; give a pid, or a command's or program's name"
        )
        raise NoSuchProcess(f"no process has the name {text!r}{hint}", operation="find")
    return pids


def _refuse_snapshot(text: str) -> None:
    """Raise UsageError for a snapshot: what takes one has looked for it before."""
    from pagemap._cli.saved_targets import refused, saved

    if saved(text) is not None:
        raise refused(text)


def _pinned(pid: int, procfs: str) -> int:
    """The pid as that of the process that has it now; as it is, where that cannot be told."""
    try:
        folder = Folder(pid, str(pid), procfs)
    except PagemapError:
        return pid
    try:
        start = folder.start()
    except PagemapError:
        return pid
    finally:
        folder.close()
    return same(pid, start, f"had the number {pid}") if start else pid


def _self(procfs: str) -> int:
    # Not getpid(): in a PID namespace with an outer /proc they differ, and /proc is what gets read.
    path = f"{procfs}/self"
    try:
        return int(os.readlink(path))
    except OSError as error:
        raise no_proc(procfs) or NoSuchProcess(
            f"cannot tell which process this is: {path}: {error.strerror}; "
            f"{procfs} is of another PID namespace",
            errno=error.errno,
            operation="find",
            path=path,
        ) from error
