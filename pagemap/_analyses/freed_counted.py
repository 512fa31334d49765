"""What was counted of the groups that end: a row for each, and what holds for all."""

from __future__ import annotations

from contextlib import closing

from pagemap._errors import PagemapError
from pagemap._kernel import task
from pagemap._kernel.folder import Folder
from pagemap._kernel.kernel_stacks import stack_size
from pagemap._native import freed as native
from pagemap._native.freed import ANON, FILE, OTHER, SLOT
from pagemap._space.left_out import DENIED
from pagemap._vocabulary.rows.freed import FreedRow
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._analyses.freed_files import EndingFiles
    from pagemap._analyses.freed_groups import Ending, Group
    from pagemap._native.freed import Holders
    from pagemap._space.every_space import Spaces

__all__ = ["Counted"]

NOT_SEEN = (
    "kernel memory of the processes but for page tables and stacks (files, sockets, pipes, slab)",
    "page cache of removed files on disks, which ends with them, and is droppable here",
    "shared memory that is held by a descriptor in flight, a mount, or a device",
    "swap slots of pages that are in memory too",
)
"""What `freed` does not look at."""


class Counted:
    """What comes back of each group, by the frames, swap slots and files that were counted."""

    def __init__(
        self, spaces: Spaces, ending: Ending, files: EndingFiles, holders: Holders, *, procfs: str
    ) -> None:
        self.spaces = spaces
        self._ending = ending
        self._files = files
        self._holders = holders
        self._procfs = procfs

    def rows(self) -> list[FreedRow]:
        """A row for each group of which anything could be read."""
        stack = stack_size(self._procfs)
        closed = {each.pid for each in self.spaces.left_out if each.reason == DENIED}
        rows = []
        for number, group in enumerate(self._ending.groups):
            for pids in (group.spaces, group.members):
                pids[:] = [pid for pid in pids if pid not in closed]
            if group.members:
                own = self._own(group, stack)
                rows.append(self._row(number, group, *own))
        return rows

    def _own(self, group: Group, stack: int | None) -> tuple[int | None, int | None]:
        """The bytes of page tables and of the kernel's stacks; None where they are not told."""
        tables = self._sum(group.spaces, task.page_tables)
        threads = self._sum(group.members, task.threads)
        return tables, None if stack is None or threads is None else stack * threads

    def _sum(self, pids: Sequence[int], read: Any) -> int | None:
        """Of those that are there."""
        total = 0
        for pid in pids:
            try:
                with closing(Folder(self.spaces.meant(pid), str(pid), self._procfs)) as folder:
                    total += read(folder) or 0
            except PagemapError:
                continue
        return total

    def _row(
        self,
        number: int,
        group: Group,
        tables: int | None,
        stacks: int | None,
    ) -> FreedRow:
        sums = self._holders.sums(number + 1)
        mapped, sole = (
            [pages << PAGE_SHIFT for pages in sums[name]] for name in ("mapped", "sole")
        )
        anon = sole[ANON] + (sums["unmapped"][0] << PAGE_SHIFT)
        shmem, swapped = self._files.shmem[number], self._files.swapped[number]
        # of OTHER all, also what nobody else maps: its files, and its drivers, keep it
        stays = [mapped[ANON] - sole[ANON], mapped[FILE] - sole[FILE], mapped[OTHER]]
        return FreedRow(
            group=group.label or None,
            processes=len(group.members),
            frees=anon + shmem + (tables or 0) + (stacks or 0),
            anon=anon,
            shmem=shmem,
            page_tables=tables,
            kernel_stacks=stacks,
            hugetlb=sole[native.HUGETLB] + self._files.hugetlb[number],
            swap=None if swapped is None else sole[SLOT] + swapped,
            droppable=sole[FILE],
            stays=sum(stays),
            stays_anon=stays[0],
            stays_file=stays[1],
            stays_shmem=stays[2],
            name=group.name,
        )

    def about(self) -> dict[str, object]:
        """What holds for all rows."""
        return {
            "estimated": False,
            "why": None,
            "at_most": None,
            "held": list(map(int, self._ending.held)),
            "stack": stack_size(self._procfs),
            "beyond": self._holders.beyond << PAGE_SHIFT,
            "not_seen": list(NOT_SEEN),
        }
