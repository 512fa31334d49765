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
    from pagemap._errors import NoSuchProcess
    from pagemap._kernel.cgroup_members import CGROUP_KINDS
    from pagemap._kernel.mounts import kind_of
    from pagemap._kernel.os_errors import kind_of_file_error

    if text is None:
        return None
    number = text.removeprefix("@")
    if number.isascii() and number.isdecimal() and len(number) < 21 and int(number) < 1 << 64:
        return int(number)
    try:
        fd = os.open(text, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            inode = os.fstat(fd).st_ino
            is_one = kind_of(fd) in CGROUP_KINDS
        finally:
            os.close(fd)
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchProcess(  # as footprint --cgroup
            f"there is no cgroup {text!r}: give its directory, such as /sys/fs/cgroup/user.slice, "
            "or its inode number"
        ) from None
    except OSError as error:
        raise kind_of_file_error(error)(
            f"--charged-to {text!r}: {error.strerror}; give the directory of a memory cgroup or "
            "its inode number",
            errno=error.errno,
            operation="open the cgroup",
            path=text,
        ) from None
    if not is_one:
        raise NoSuchProcess(
            f"{text!r} is not a cgroup: it is not on a cgroup file system; give the directory of "
            "one, such as /sys/fs/cgroup/user.slice, or its inode number"
        )
    return inode
