"""Which processes share memory, and how much; or which groups of processes.

`sharing_walk.py` goes through them.
"""

from __future__ import annotations

import time

from pagemap._analyses.groups import check_group
from pagemap._analyses.sharing_walk import WINDOW, Walk
from pagemap._space.arguments import pid_of
from pagemap._vocabulary.checks import check_several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import overload

    from pagemap._analyses.sharing_groups import GroupSharing
    from pagemap._analyses.sharing_walk import Sharing
    from pagemap._space.arguments import Target
    from pagemap._space.every_space import Progress
    from pagemap._space.saved_processes import SavedProcesses

__all__ = ["sharing", "sharing_in"]


if TYPE_CHECKING:

    @overload
    def sharing(
        targets: Sequence[Target] = ...,
        *,
        by: None = ...,
        only: bool = ...,
        top: int = ...,
        procfs: str = ...,
        threads: int | None = ...,
        progress: Progress | None = ...,
        window: int = ...,
        size: int | None = ...,
    ) -> Sharing: ...
    @overload
    def sharing(
        targets: Sequence[Target] = ...,
        *,
        by: str,
        only: bool = ...,
        top: int = ...,
        procfs: str = ...,
        threads: int | None = ...,
        progress: Progress | None = ...,
        window: int = ...,
        size: int | None = ...,
    ) -> GroupSharing: ...


def sharing(
    targets: Sequence[Target] = (),
    *,
    by: str | None = None,
    only: bool = False,
    top: int = 20,
    procfs: str = "/proc",
    threads: int | None = None,
    progress: Progress | None = None,
    window: int = WINDOW,
    size: int | None = None,
) -> Sharing | GroupSharing:
    """Which processes share memory, and how much.

    With `targets` only frames that one of them maps are counted; with `only` no other processes are
    read. Of pairs, groups, paths and frames the tables have the `top` largest.

    With `by` ("name", "exe", "user", "cgroup", "container" or "session") it is what groups of
    processes share with each other, as a `GroupSharing`. With targets too, only what the targets of
    a group map is counted, and `alone` is known of their groups alone.

    The tables' `about` has the processes that were left out, the number of `sets` of processes, and
    in bytes:

    - `untold`: shared memory that is in the total only, because the memory for sets of processes
      was used up (`size` bytes, by default a share of the available memory; as much again for the
      names of what is mapped). `saved` is a lower bound then.
    - `beyond`: memory that is in no amount, because its frames are past the end of
      /proc/kpageflags: memory of devices, or that file is not the kernel's own.

    `ksm_told` is False where the kernel marks every anonymous page as merged
    (`FrameReader.tells_ksm`): merged pages are then counted as anonymous. It is None where that
    could not be tested.

    Pages in swap are not included, nor what no process maps any more by the kernel's count when all
    were read: it was freed. (It does not count mappings of some drivers' memory either.) The answer
    is valid for the moment only: a frame may move while other processes are read.

    Raises AccessDenied without CAP_DAC_READ_SEARCH (/proc/kpageflags is root's), PfnsHidden without
    CAP_SYS_ADMIN, UsageError for an unknown `by`, and for a target what `Process` raises.

    >>> import pagemap
    >>> for row in pagemap.sharing(["self"]).paths:  # doctest: +SKIP
    ...     print(row.path, row.shared, row.saved)
    """
    begin = time.time()
    check_several("targets", targets, "a sequence of processes, such as [1234]")
    walk = Walk(
        list(dict.fromkeys(map(pid_of, targets))),
        None,
        None if by is None else check_group(by),
        only=only,
        procfs=procfs,
        threads=threads,
        progress=progress,
    )
    return walk.through(top, window=window, size=size, begin=begin)


def sharing_in(
    saved: SavedProcesses,
    targets: Sequence[int] = (),
    *,
    by: str | None = None,
    top: int = 20,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Sharing | GroupSharing:
    """See `pagemap.Snapshot.sharing`; `targets` are the first of those that were `saved`."""
    walk = Walk(
        list(targets),
        saved,
        None if by is None else check_group(by),
        only=True,
        procfs="",
        threads=threads,
        progress=progress,
    )
    return walk.through(top, window=WINDOW, size=None, begin=time.time())
