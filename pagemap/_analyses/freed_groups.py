"""Which processes end together, and which of these have an address space of their own."""

from __future__ import annotations

from pagemap._analyses.groups import NUMBERED, group_of, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from pagemap._space.every_process import EveryProcess

__all__ = ["Ending", "Group"]

_NAMES = 3  # of a group's processes that stand for it


class Group:
    """Processes that end together: `spaces` are those whose address space ends with them.

    Of `members` some may have their memory in common with others. `label` is UNKNOWN where nothing
    tells it, `name` that of the process whose number it is.
    """

    __slots__ = ("label", "members", "name", "spaces")

    def __init__(self, label: str) -> None:
        self.label = label
        self.name: str | None = None
        self.spaces: list[int] = []
        self.members: list[int] = []


class Ending:
    """All groups, and the other processes.

    `chosen` are the pids that end, None for all; `by` is what tells a group (see GROUPS), None for
    one group of all, called `label`, or as its processes are. `held` are those whose memory stays
    because others have it too (vfork, CLONE_VM), `others` all address spaces that stay.
    """

    def __init__(
        self,
        every: EveryProcess,
        chosen: Collection[int] | None,
        by: str | None,
        label: str | None,
    ) -> None:
        self.held: list[int] = []
        self.others: list[int] = []
        self._every = every
        self._by = by
        self._groups: dict[str, Group] = {}
        wanted = None if chosen is None else frozenset(map(int, chosen))
        for pid in every.pids:
            self._sort(pid, wanted)
        self.groups = list(self._groups.values())
        if by is None and self.groups:
            (one,) = self.groups
            one.label = label or self._names_of(one)
        if by in NUMBERED:
            for group in self.groups:
                group.name = name_of(every, int(group.label)) if group.label else None

    def _sort(self, pid: int, wanted: frozenset[int] | None) -> None:
        members = [pid, *self._every.sharers.get(pid, ())]
        ending = [each for each in members if wanted is None or int(each) in wanted]
        labels = {each: self._label(each) for each in ending}
        for each, label in labels.items():
            if label is not None:
                self._group(label).members.append(each)
        (label, *more) = {*labels.values()} or {None}
        if label is not None and not more and len(ending) == len(members):
            self._group(label).spaces.append(pid)
            return
        if ending:
            self.held.append(pid)
        self.others.append(pid)

    def _group(self, label: str) -> Group:
        return self._groups.setdefault(label, Group(label))

    def _label(self, pid: int) -> str | None:
        """What its group is called; None for one that is gone."""
        label = group_of(self._every, pid, self._by or "process")
        return label if self._by or label is None else ""

    def _names_of(self, group: Group) -> str:
        names: dict[str, None] = {}
        for pid in group.members:
            name = name_of(self._every, pid)
            if name is not None:
                names.setdefault(name)
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        return (", ".join(list(names)[:_NAMES])) + more
