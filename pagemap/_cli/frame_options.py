"""Options that are about frames: ranges of their numbers, and the cgroup they are charged to."""

from __future__ import annotations

import os

__all__ = ["cgroup_inode", "pfn_range"]


def pfn_range(text: str) -> tuple[int, int]:
    """The PFNs ``(start, end)`` in `text`, in hexadecimal: a range, or a single one."""
    from pagemap._vocabulary.units import parse_address, parse_range

    if "-" in text:
        return parse_range(text, "PFN")
    start = parse_address(text, "PFN")
    return start, start + 1


def cgroup_inode(text: str | None) -> int | None:
    """The inode number of a memory cgroup, from its directory or a number, perhaps after an @."""
    from pagemap._errors import NoSuchProcess, UsageError

    if text is None:
        return None
    number = text.removeprefix("@")
    if number.isascii() and number.isdecimal() and len(number) < 21 and int(number) < 1 << 64:
        return int(number)
    try:
        return os.stat(os.path.join(text, "")).st_ino
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchProcess(  # as footprint --cgroup
            f"there is no cgroup {text!r}: give its directory, such as /sys/fs/cgroup/user.slice, "
            "or its inode number"
        ) from None
    except OSError as error:
        raise UsageError(
            f"--charged-to {text!r}: {error.strerror}; give the directory of a memory cgroup or "
            "its inode number"
        ) from None
