"""What a pid was chosen by: looked at again by whoever opens it, since a number is reused."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Chosen", "same"]


class Chosen(int):
    """A pid, and what it was chosen by: a name, a pid file, a list of a cgroup.

    Between that and the opening the number may become another process's. So whoever opens it, every
    `Folder` does, calls `confirm` with the folder that it has pinned, which raises NoSuchProcess
    where that is not the process that was meant. (Folder is above this: hence Any.) Pickled it is
    the bare number.
    """

    confirm: Callable[[Any], None]

    def __new__(cls, pid: int, confirm: Callable[[Any], None]) -> Chosen:
        """The pid, to be confirmed by `confirm`."""
        self = int.__new__(cls, pid)
        self.confirm = confirm
        return self

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


def same(pid: int, start: int, meant: str) -> Chosen:
    """A `pid` that is to be the process that began at `start` (`Folder.start`)."""

    def confirm(folder: Any) -> None:
        if folder.start() != start:
            raise folder.another(meant)

    return Chosen(pid, confirm)
