"""Working sets: how much of what is resident was touched in a window of time.

No kernel tells that exactly. Each method says in the result's `about` how far it is to be trusted.
"""

from __future__ import annotations

from contextlib import ExitStack
from errno import ENOTSUP
from time import time

from pagemap._errors import (
    AccessDenied,
    NoSuchProcess,
    PagemapError,
    TargetVanished,
    Unsupported,
    UsageError,
)
from pagemap._history import (
    reclaim_probe,
    touched_by_damon,
    touched_by_generations,
    touched_by_marks,
    touched_by_writes,
)
from pagemap._history.members import Members
from pagemap._history.window import Window
from pagemap._kernel.cgroup_members import directory, pids_of
from pagemap._space.about import about
from pagemap._space.every_process import EveryProcess
from pagemap._space.live_space import LiveSpace
from pagemap._tables.table import Table
from pagemap._vocabulary.checks import check_names
from pagemap._vocabulary.rows.working_set import METHODS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pagemap._history.window import Look
    from pagemap._space.arguments import Target
    from pagemap._vocabulary.rows.working_set import WorkingSetRow

    Way = Iterator[Look | None]

__all__ = ["WorkingSet", "working_set"]

_OPERATION = "find the working set"
_OF_PROCESS = ("damon", "referenced")
_OF_REGIONS = ("damon", "written")
_OF_CGROUP = ("mglru", "referenced")
_FINAL = (NoSuchProcess, TargetVanished, UsageError)  # no reason to try another method


def working_set(
    target: Target | None = None,
    *,
    cgroup: str | None = None,
    over: float = 10,
    idle: Sequence[float] | None = None,
    method: str | None = None,
    regions: bool = False,
    procfs: str = "/proc",
    sysfs: str = "/sys",
) -> Table[WorkingSetRow]:
    """How much of what `target` has resident it touches within `over` seconds, by mapping.

    Instead of a target, `cgroup` is the directory of a memory cgroup: all of its processes. `idle`
    are times in seconds, by default 5, 30 and 60, as far as they are less than `over`; each has a
    column of what had not been touched when the window was so old: ``idle_5s``, ``idle_500ms``.

    `method` is, by default, the best that works here, found by trying; the column `method` and
    ``about["method"]`` say which, ``about["precision"]`` how far it is to be trusted, and
    ``about["passed_over"]`` why others were not used. For a process:

    - "damon" (root, CONFIG_DAMON_VADDR): the kernel samples accesses, region by region. With
      `regions` there is a row for each part of a mapping that was first touched at one time.
    - "referenced": the accessed marks of its pages are cleared, and read again; approximate.
    - "written", if it is named: only what is written, as `pagemap.track` finds it: a lower bound,
      page by page, and so with `regions` too.
    - "mglru", if it is named, and the process is alone in its cgroup.

    For a cgroup:

    - "mglru" (root, CONFIG_LRU_GEN): by the kernel's own aging; two rows, of its anonymous memory
      and of its files. Of `idle` only the least time can be told.
    - "referenced", of all its processes.
    - "reclaim" (root, cgroup v2), if it is named: memory is taken away in small steps, at most half
      of it, until what is taken comes back. `touched` is what was left then.

    It changes what others may look at: methods clear accessed marks ("written": soft-dirty bits);
    "mglru" and "reclaim" change the order in which memory is reclaimed. What is set up for DAMON is
    removed at the end, even if this process is killed, and somebody else's is left alone.

    Raises UsageError for a window of less than 0.1 s; Unsupported where no method works, or not the
    one that is named; AccessDenied; TargetVanished when the process exits before the window ends.

    >>> import pagemap
    >>> table = pagemap.working_set("self", over=0.1, method="referenced")
    >>> all(row.touched <= row.rss for row in table if row.touched is not None)
    True
    """
    asked = WorkingSet(
        target, cgroup=cgroup, over=over, idle=idle, method=method, regions=regions,
        procfs=procfs, sysfs=sysfs,
    )  # fmt: skip
    # to its end: an exit of the process comes after what was read
    return list(asked.tables())[-1]


class WorkingSet:
    """What `working_set` is asked, checked; `schema` is that of its tables."""

    def __init__(
        self,
        target: Target | None,
        *,
        cgroup: str | None,
        over: float,
        idle: Sequence[float] | None,
        method: str | None,
        regions: bool,
        procfs: str = "/proc",
        sysfs: str = "/sys",
    ) -> None:
        if (target is None) is (cgroup is None):
            raise UsageError("give a target or a cgroup, and not both")
        self._target = target
        self._cgroup = None if cgroup is None else directory(cgroup, procfs)
        self.over, self.idle = over, idle
        self.schema = Window(over, idle).schema
        if method is not None:
            (method,) = check_names("method", [method], METHODS)
        self._methods: Sequence[str] = _OF_PROCESS if cgroup is None else _OF_CGROUP
        known = (
            ("damon", "referenced", "written", "mglru")
            if cgroup is None
            else (*_OF_CGROUP, "reclaim")
        )
        if method is not None and method not in known:
            raise UsageError(
                f"{method} is not a method for a {'process' if cgroup is None else 'cgroup'}: "
                f"choose from {', '.join(known)}"
            )
        if regions and method not in (None, *_OF_REGIONS):
            raise UsageError(
                f"{method} tells of whole mappings, and not of regions: "
                f"{' and '.join(_OF_REGIONS)} do"
            )
        if regions and cgroup is not None:
            raise UsageError("regions are of one process: give a target")
        if method is not None or regions:
            self._methods = (method or "damon",)
        self._regions, self._procfs, self._sysfs = regions, procfs, sysfs

    def tables(self, space: LiveSpace | None = None) -> Iterator[Table[WorkingSetRow]]:
        """The result; of a process that exits earlier what was read until then, and the error.

        `space` is the target, where it is open already.
        """
        begin = time()
        with ExitStack() as stack:
            members: Members | None = None
            if self._target is not None:
                if space is None:
                    space = stack.enter_context(LiveSpace(self._target, procfs=self._procfs))
                members = Members(space)
            window = Window(self.over, self.idle)
            passed_over: dict[str, str] = {}
            way, read = self._first(members, window, stack, passed_over)
            for look in way:
                assert look is not None
                yield self._table(look, window, read, begin, passed_over)

    def _table(
        self,
        look: Look,
        window: Window,
        members: Members | None,
        begin: float,
        passed_over: dict[str, str],
    ) -> Table[WorkingSetRow]:
        more: dict[str, Any] = {**look.about, "passed_over": passed_over}
        if members is not None and members.every is not None:
            more.update(members.every.about())
        only = None if members is None else members.only
        return Table.of_rows(window.schema, look.rows, about=about(begin, only, **more))

    def _first(
        self,
        members: Members | None,
        window: Window,
        stack: ExitStack,
        passed_over: dict[str, str],
    ) -> tuple[Way, Members | None]:
        """The first way that works, set up. Raises where none does."""
        errors: list[PagemapError] = []
        for method in self._methods:
            try:
                if self._cgroup is not None and method == "referenced":
                    pids = pids_of(self._cgroup, procfs=self._procfs)
                    members = Members(every=EveryProcess(others=pids, procfs=self._procfs))
                    stack.callback(members.close)
                way = self._way(method, members, window)
                next(way)
            except _FINAL:
                raise
            except PagemapError as error:
                errors.append(error)
                passed_over[method] = str(error)
            else:
                return way, members
        raise _none_of(errors, passed_over)

    def _way(self, method: str, members: Members | None, window: Window) -> Way:
        if method == "referenced":
            assert members is not None
            return touched_by_marks.looks(members, window)
        if self._cgroup is None:
            assert members is not None
            return self._way_of(method, members, window)
        if method == "reclaim":
            return reclaim_probe.looks(self._cgroup, window)
        return touched_by_generations.looks(
            self._cgroup, window, sysfs=self._sysfs, procfs=self._procfs
        )

    def _way_of(self, method: str, members: Members, window: Window) -> Way:
        space = members.only
        assert space is not None
        if method == "damon":
            return touched_by_damon.looks(space, window, regions=self._regions, sysfs=self._sysfs)
        if method == "written":
            return touched_by_writes.looks(space, window, regions=self._regions)
        return touched_by_generations.looks_of(space, window, sysfs=self._sysfs)


def _none_of(errors: list[PagemapError], reasons: dict[str, str]) -> PagemapError:
    """The error where no method works: that of a right that is missing, or of all together."""
    if len(errors) == 1:
        return errors[0]
    for error in errors[::-1]:
        if isinstance(error, AccessDenied):
            return error
    told = "; ".join(f"{method}: {reason}" for method, reason in reasons.items())
    return Unsupported(
        f"no method finds a working set here: {told}", errno=ENOTSUP, operation=_OPERATION
    )
