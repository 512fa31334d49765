"""How much memory comes back when processes end: all of a group at once.

`freed_walk.py` counts the frames, of which `freed_counted.py` makes rows; `freed_estimate.py` does
what is possible without them.
"""

from __future__ import annotations

import time

from pagemap._analyses.freed_estimate import estimated
from pagemap._analyses.freed_walk import PURPOSE, WINDOW, Walk
from pagemap._analyses.groups import check_group
from pagemap._errors import AccessDenied, PagemapError, PfnsHidden, Unsupported, UsageError
from pagemap._kernel.cgroup_members import pids_of
from pagemap._kernel.frames import FrameReader
from pagemap._kernel.user_members import pids_of_user
from pagemap._space.about import about
from pagemap._space.arguments import pid_of
from pagemap._space.every_space import require_pfns
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_several, check_threads
from pagemap._vocabulary.rows.freed import FREED, FreedRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pagemap._space.arguments import Target
    from pagemap._space.every_process import EveryProcess
    from pagemap._space.every_space import Progress

__all__ = ["freed"]


def freed(
    targets: Sequence[Target] = (),
    *,
    cgroup: str | None = None,
    user: str | None = None,
    by: str | None = None,
    frames: bool | None = None,
    procfs: str = "/proc",
    threads: int | None = None,
    progress: Progress | None = None,
    window: int = WINDOW,
) -> Table[FreedRow]:
    """How much memory comes back if all these processes end: `targets`, or of a cgroup or a user.

    They are one group, and the table has one row; with `by` ("name", "exe", "user", "cgroup",
    "container" or "session") there is a row for each group among them, or of all processes: what
    comes back if that group alone ends.

    Without CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH, or with `frames` False, it is estimated by the
    kernel's sums (smaps), which do not tell whether several processes of the group share a page
    with each other or with others: what is mapped more than once counts as staying. Then `about`
    has `estimated` True, the reason in `why`, and `at_most`, what `frees` is in all if everything
    shared ends too. With `frames` True that is an error.

    `about` also has `held`: processes whose memory stays because processes that do not end have the
    same address space; `stack`, the bytes of a thread's stack in the kernel that are reckoned with;
    `not_seen`, what this does not look at; and which processes were left out. The answer is valid
    for the moment only.

    Raises UsageError if nothing is named, what `Process` raises if no target can be read, and for a
    cgroup or user what `footprints` does.

    >>> import os, pagemap
    >>> row = pagemap.freed([os.getpid()])[0]
    >>> row.processes, row.frees >= row.anon > 0
    (1, True)
    """
    begin = time.time()
    if by is not None:
        check_group(by)
    chosen, label = _chosen(targets, cgroup, user, by, procfs)
    check_threads(threads)
    why: PagemapError | None = None
    if frames is not False:
        try:
            with FrameReader(procfs=procfs, purpose=PURPOSE) as reader:
                reader.fileno("mapcounts")
                end = reader.end
                require_pfns(PURPOSE)
                walk = Walk(reader, end, chosen, by, label, procfs=procfs)
                walk.through(window, threads=check_threads(threads), progress=progress)
                counted = walk.counted()
                return _table(begin, counted.rows(), counted.about(), counted.spaces, chosen)
        except (AccessDenied, PfnsHidden, Unsupported) as error:
            if frames or error.pid is not None:
                raise
            why = error
    every, rows, more = estimated(chosen, by, label, procfs=procfs)
    more["why"] = None if why is None else str(why)
    return _table(begin, rows, more, every, chosen)


def _table(
    begin: float,
    rows: list[FreedRow],
    more: dict[str, object],
    every: EveryProcess,
    chosen: Collection[int] | None,
) -> Table[FreedRow]:
    if chosen is not None and not rows:
        for error in every.errors.values():
            raise error
    rows.sort(key=lambda row: -row.frees)
    return Table.of_rows(FREED, rows, about=about(begin, None, **more, **every.about()))


def _chosen(
    targets: Sequence[Target],
    cgroup: str | None,
    user: str | None,
    by: str | None,
    procfs: str,
) -> tuple[list[int] | None, str | None]:
    """The pids of those that end, None for all; and what they are called."""
    check_several("targets", targets, "a sequence of processes, such as [1234]")
    pids = list(dict.fromkeys(map(pid_of, targets)))
    given = [each for each in (pids or None, cgroup, user) if each is not None]
    if len(given) > 1:
        raise UsageError("give targets, a cgroup or a user, one of them")
    if pids:
        return pids, None
    if cgroup is not None:
        return pids_of(cgroup, procfs=procfs), cgroup
    if user is not None:
        return pids_of_user(user, procfs=procfs), user
    if by is None:
        raise UsageError("name the processes that end: targets, a cgroup, a user, or by what")
    return None, None
