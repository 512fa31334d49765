"""What is true of all rows of a result: the process, the machine, and the time."""

from __future__ import annotations

import os
import time

from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Target(Protocol):
        """A process that is open."""

        pid: int
        procfs: str


__all__ = ["about", "moment"]

_boot: dict[str, str | None] = {}


def about(begin: float, process: Target | None = None, **more: object) -> dict[str, object]:
    """The `about` of a Table whose making began at `begin`, in seconds since 1970, and ends now.

    `pid`, where it is of one process; `host`, `kernel`, `boot_id` (None where it is not told),
    `page_size` in bytes, `begin` and `end` as text (UTC); and what else is given.
    """
    whose: dict[str, object] = {} if process is None else {"pid": process.pid}
    machine = os.uname()
    return {
        **whose,
        "host": machine.nodename,
        "kernel": machine.release,
        "boot_id": _boot_id("/proc" if process is None else process.procfs),
        "page_size": PAGE_SIZE,
        "begin": moment(begin),
        "end": moment(time.time()),
        **more,
    }


def moment(seconds: float) -> str:
    """A time since 1970 as text, in UTC.

    >>> moment(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{thousandths:03}Z"


def _boot_id(procfs: str) -> str | None:
    """What the kernel drew at its start (drivers/char/random.c); it stays as long as it runs."""
    if procfs not in _boot:
        try:
            with open(f"{procfs}/sys/kernel/random/boot_id", "rb") as file:
                _boot[procfs] = file.read(64).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            _boot[procfs] = None
    return _boot[procfs]
