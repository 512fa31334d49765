"""Opens regular files, and nothing else: what is opened is what was checked.

Opening a device or a fifo may have an effect, or wait for ever, and anyone who may write to the
directory can put one in place of a file between check and opening. So a name is first opened with
O_PATH, which has no effect, and then checked.
"""

from __future__ import annotations

import os
from errno import EINVAL
from stat import S_ISBLK, S_ISREG

from pagemap._errors import PagemapError

__all__ = ["irregular", "open_regular", "open_told", "what_instead"]


def open_regular(
    name: str, flags: int, *, folder: int | None = None, devices: bool = False
) -> int | None:
    """A descriptor of the file `name`, below the descriptor `folder` if given.

    None where it is not a regular file, nor with `devices` one of blocks. `flags` are as those of
    open(2). Raises OSError.
    """
    look = os.open(name, os.O_PATH | os.O_CLOEXEC | (flags & os.O_NOFOLLOW), dir_fd=folder)
    try:
        kind = os.fstat(look).st_mode
        if not S_ISREG(kind) and not (devices and S_ISBLK(kind)):
            return None
        return os.open(f"/proc/self/fd/{look}", flags & ~os.O_NOFOLLOW)
    finally:
        os.close(look)


def what_instead(name: str) -> str:
    """Of what `open_regular` did not open: what it is."""
    return "it is a directory" if os.path.isdir(name) else "it is not a regular file"


def irregular(name: str) -> PagemapError:
    """The error for a snapshot that `open_regular` did not open."""
    return PagemapError(
        f"cannot open {name}: {what_instead(name)}",
        errno=EINVAL,
        operation="open the snapshot",
        path=name,
    )


def open_told(name: str, flags: int, *, folder: int | None = None) -> int:
    """A descriptor of a file of /proc, or of a copy of it: an opener for `open`.

    What is below /proc itself is the kernel's; a copy is of whoever made it, and what is no regular
    file there is an error (EINVAL). Raises OSError.
    """
    flags |= os.O_CLOEXEC
    if folder is None and name.startswith("/proc/"):
        return os.open(name, flags)
    fd = open_regular(name, flags, folder=folder)
    if fd is None:
        raise OSError(EINVAL, "it is not a regular file", name)
    return fd
