"""Why a process is left out where many are read."""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE

from pagemap._errors import AccessDenied, NoSuchProcess, PagemapError, TargetVanished
from pagemap._vocabulary.record import Record, field

__all__ = [
    "DENIED",
    "ENDED",
    "HAS_ENDED",
    "KERNEL_THREAD",
    "LeftOut",
    "raise_for_want_of_files",
    "reason_of",
]

DENIED = "permission denied"
ENDED = "ended or called exec meanwhile"
KERNEL_THREAD = "a kernel thread has no memory of its own"

HAS_ENDED = (NoSuchProcess, TargetVanished)
"""What is raised of a process that has ended, or called exec."""


class LeftOut(Record):
    """A process that was not read, or not to its end."""

    pid: int = field("", "the process")
    name: str | None = field("", "its command name; None where that could not be read either")
    reason: str = field("", "why: permission denied, ended or called exec meanwhile, or an error")


def reason_of(error: PagemapError) -> str:
    """The `reason` of a process that could not be read for this error."""
    if isinstance(error, AccessDenied):
        return DENIED
    return ENDED if isinstance(error, HAS_ENDED) else str(error)


def raise_for_want_of_files(error: PagemapError) -> None:
    """Raise an error of ours where a limit of open files is met: nobody is left out for that."""
    if error.errno in (EMFILE, ENFILE):
        raise PagemapError(
            f"cannot look at all processes: {os.strerror(error.errno)}; "
            "raise the limit (ulimit -n, or the sysctl fs.file-max)",
            errno=error.errno,
            operation="look at all processes",
        ) from None
