"""How a pid was chosen, checked again when the process is opened, because pids are reused."""

from __future__ import annotations

from pagemap._errors import NoSuchProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Chosen", "number", "same"]

_SHOWN_DIGITS = 20  # of a number that is no pid


class Chosen(int):
    """A pid, and how it was chosen: by a name, a pid file, or the list of a cgroup.

    Before it is opened, the pid may be reused by another process. So every `Folder` calls `confirm`
    with the directory that it has opened, which raises NoSuchProcess if that is not the process
    that was meant. (Folder imports this module: hence Any.) Pickled it is an ordinary int.
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


def number(text: str) -> int:
    """The pid that `text`, of digits alone, stands for. Raises NoSuchProcess for what is none."""
    digits = text.lstrip("0")
    # pid_t has 31 bits, and the kernel keeps to 22 of them.
    if not digits or len(digits) > 10:
        short = text if len(text) <= _SHOWN_DIGITS else f"{text[:_SHOWN_DIGITS]}…"
        raise NoSuchProcess(f"there is no process {short}", operation="find")
    return int(digits)
