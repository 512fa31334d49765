"""Opens regular files, and nothing else: what is opened is what was checked.

Opening a device or a fifo may have an effect, or wait for ever, and anyone who may write to the
directory can put one in place of a file between check and opening. So a name is first opened with
O_PATH, which has no effect, and then checked.
"""

from __future__ import annotations

import os
from stat import S_ISBLK, S_ISREG

__all__ = ["open_regular"]


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
