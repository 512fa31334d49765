"""What is true of all rows of a result: the process, the machine, and the time."""

from __future__ import annotations

from pagemap._space.machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Target(Protocol):
        """A process that is open."""

        pid: int
        machine: Machine


__all__ = ["about"]


def about(begin: float, process: Target | None = None, **more: object) -> dict[str, object]:
    """The `about` of a Table whose making began at `begin`, in seconds since 1970, and ends now.

    `pid`, where it is of one process; `host`, `kernel`, `boot_id` (None where it is not told),
    `page_size` in bytes, `begin` and `end` as text (UTC); and what else is given.
    """
    whose: dict[str, object] = {} if process is None else {"pid": process.pid}
    machine = Machine() if process is None else process.machine
    return {**whose, **machine.about(begin), **more}
