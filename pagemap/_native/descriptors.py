"""File descriptors with several users, closed when the last user is done.

A thread or a signal handler may close a Process while another thread reads through it. The number
of the descriptor would then be invalid, or belong to another file. So users share a `Descriptor`:
each call holds it, and the file stays open until the call returns.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["CLOSED", "Descriptor", "Holder", "spare"]

CLOSED = -1
"""What stands where there is no descriptor: the kernel answers EBADF, whoever asks."""


class Holder:
    """Whoever holds descriptors: neither copied nor pickled, for a number means nothing elsewhere.

    A copy would close what the original still reads; in another process the same number is another
    file, which would be read, and closed.
    """

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"cannot copy or pickle a {type(self).__name__}: it holds open file descriptors, "
            "which are of this one process; hand on the pid or the path, and open it there"
        )


class Descriptor(Holder, int):
    """The number of an open file, which is closed when nobody holds this object any more.

    References are counted for us, at no cost for who reads: an attribute that is looked up is held
    by the call it is given to. No lock, so it is right in a signal handler and after a fork. Who
    writes the number into a struct for C keeps the object beside it. To close is to forget it.
    """

    __slots__ = ()

    def __del__(self, close: object = os.close) -> None:
        try:  # noqa: SIM105 - contextlib brings functools along
            close(self)  # type: ignore[operator] # as a default it outlives the module
        except OSError:  # somebody closed the number by hand
            pass


def spare() -> int:
    """How many descriptors this process may open beside those that it has (RLIMIT_NOFILE)."""
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    most, _ = getrlimit(RLIMIT_NOFILE)
    if most == RLIM_INFINITY:
        return 1 << 20
    try:
        return most - len(os.listdir("/proc/self/fd")) + 1  # one of them was to list the others
    except OSError:  # no descriptor for that, or no /proc
        return 0
