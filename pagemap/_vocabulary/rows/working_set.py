"""The rows of `wss` and `pagemap.working_set`: how much of what is resident was touched."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Column, Schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["METHODS", "WORKING_SETS", "WorkingSetRow", "idle_name", "with_idle"]

METHODS = {
    "damon": "the kernel's DAMON samples the accesses of a process, region by region (root)",
    "mglru": "the generations of the multi-gen LRU, of a cgroup as a whole, or of a process "
    "that is alone in one (root)",
    "referenced": "the accessed marks of pages, cleared and read again; by mapping",
    "written": "the pages that are written, by tracking: a lower bound; only if it is named",
    "reclaim": "what a cgroup can do without, found by taking it away (root, cgroup v2)",
}
"""The methods, and what each does."""


class WorkingSetRow(Record):
    """A row of `pagemap.working_set`, in bytes; None for what is not known, or was not read.

    A row is a mapping or part of one, or the anonymous memory or the files of a cgroup. There is
    one more column for each time of `idle`: ``idle_5s`` is what was resident and had not been
    touched when the window was 5 seconds old. `touched` and the last of them together are `rss`.
    """

    pid: int | None = field("", "the process; none for a row of several", key=True)
    cgroup: str | None = field("", "the cgroup directory, where the row is of one", key=True)
    start: int | None = field("address", "its first address", rank=4, key=True)
    end: int | None = field("address", "the address past its last", rank=8)
    perms: str | None = field("rights", "as in /proc/PID/maps", rank=7)
    rss: int | None = field(
        "bytes", "resident when the window ended; of a cgroup with its cached files", rank=2
    )
    touched: int | None = field("bytes", "part of rss: touched in the window", rank=1)
    method: str = field("", "how that was found", rank=9)
    path: str = field(
        "",
        "the file, a name in brackets, or empty; of a cgroup [anon], [file] or [all]",
        "",
        rank=0,
        key=True,
    )


WORKING_SETS = Schema.of(WorkingSetRow, "pagemap.working_set", 1)

_IDLE_RANK = 3


def idle_name(seconds: float) -> str:
    """The name of the column of what was not touched for a time.

    >>> idle_name(5), idle_name(0.5), idle_name(1.25)
    ('idle_5s', 'idle_500ms', 'idle_1250ms')
    """
    if seconds == int(seconds):
        return f"idle_{int(seconds)}s"
    return f"idle_{round(seconds * 1000)}ms"


def with_idle(idle: Sequence[float]) -> Schema[Any]:
    """The columns with one more for each time, before the method."""
    columns = list(WORKING_SETS)
    at = WORKING_SETS.names.index("method")
    columns[at:at] = [
        Column(
            idle_name(seconds),
            "int",
            "bytes",
            f"resident and not touched {seconds:g} s after the window began",
            nullable=True,
            rank=_IDLE_RANK,
        )
        for seconds in idle
    ]
    return Schema(WORKING_SETS.name, WORKING_SETS.version, columns)
