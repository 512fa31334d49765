"""The groups that the processes of a walk are in, numbered in the order of their first process."""

from __future__ import annotations

from array import array

from pagemap._analyses.groups import NUMBERED, UNKNOWN, group_of, name_of
from pagemap._errors import UsageError
from pagemap._space.every_process import EveryProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._space.every_space import Spaces
    from pagemap._space.saved_processes import SavedProcesses

__all__ = ["Members"]


class Members:
    """The groups of the processes `spaces`, by what `by` says.

    `of` has the number of a group by that of a process; `labels` what groups are called, None where
    nothing tells it; `names` the command name of the process whose number a group is called by.

    Raises UsageError where a snapshot has nothing that tells groups.
    """

    def __init__(self, spaces: Spaces | SavedProcesses, by: str) -> None:
        self._spaces = spaces
        self._first = list(spaces.pids)  # others may be read in their place
        numbers: dict[str, int] = {}
        self.of = array("I")
        for pid in self._first:
            self.of.append(numbers.setdefault(_label(spaces, pid, by), len(numbers)))
        self.labels = [label or None for label in numbers]
        self.names = [_name(spaces, label, by) for label in numbers]

    def processes(self) -> list[int]:
        """How many processes of each group were read, or begun; by its number."""
        found = [0] * len(self.labels)
        for number, first, last in zip(self.of, self._first, self._spaces.pids, strict=True):
            found[number] += first in self._spaces.names or last in self._spaces.names
        return found


def _label(spaces: Spaces | SavedProcesses, pid: int, by: str) -> str:
    if isinstance(spaces, EveryProcess):
        return group_of(spaces, pid, by) or UNKNOWN
    if by == "process":
        return str(pid)
    if by != "name":
        raise UsageError(f"by is name for a snapshot, which does not have the {by} of processes")
    return spaces.names[pid] or UNKNOWN


def _name(spaces: Spaces | SavedProcesses, label: str, by: str) -> str | None:
    if by not in NUMBERED or not label:
        return None
    if isinstance(spaces, EveryProcess):
        return name_of(spaces, int(label))
    return spaces.names.get(int(label))
