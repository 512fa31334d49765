"""Processes that have the same name, listed for who has to choose one."""

from __future__ import annotations

import os
import time
from contextlib import closing

from pagemap._errors import PagemapError
from pagemap._kernel import task
from pagemap._kernel.folder import Folder
from pagemap._vocabulary.text import printable

__all__ = ["listed"]

_WIDTH = 100
_LISTED = 50


def listed(pids: list[int], procfs: str) -> list[str]:
    """A line of each: pid, user, how long ago it began, and what it was run as."""
    rows = [("PID", "USER", "AGE", "COMMAND")]
    for pid in pids[:_LISTED]:
        try:
            with closing(Folder(pid, str(pid), procfs)) as folder:
                user = task.user(folder) or "?"
                rows.append((str(pid), user, _age(folder), _command(folder)))
        except PagemapError:  # it ended meanwhile
            rows.append((str(pid), "?", "?", "?"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"  {pid:>{widths[0]}}  {user:{widths[1]}}  {age:>{widths[2]}}  {command}"
        for pid, user, age, command in rows
    ]
    lines = [line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…" for line in lines]
    if len(pids) > _LISTED:
        lines.append(f"  and {len(pids) - _LISTED} more")
    return lines


def _age(folder: Folder) -> str:
    begun = folder.start() / os.sysconf("SC_CLK_TCK")
    if not begun:
        return "?"
    minutes, seconds = divmod(max(int(time.clock_gettime(time.CLOCK_BOOTTIME) - begun), 0), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {seconds}s"


def _command(folder: Folder) -> str:
    # A process may write there what it likes: no byte of it may drive the reader's terminal.
    words = task.cmdline(folder)
    if not words:
        comm = folder.peek("comm")
        words = "?" if comm is None else f"[{comm.rstrip().decode('utf-8', 'surrogateescape')}]"
    return printable(words)
