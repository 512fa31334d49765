"""Memory cgroups: the directory behind the inode number that /proc/kpagecgroup gives."""

from __future__ import annotations

import os

from pagemap._kernel.regular import open_told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["directories", "directory_of", "roots"]


def directory_of(inode: int, *, procfs: str = "/proc") -> str | None:
    """The path of the cgroup with this inode number, or None: gone, or not to be seen from here.

    It is looked for where the memory controller is: in a hierarchy of its own (v1), else in the
    unified one. A cgroup namespace shows only what lies below its root.
    """
    return next((path for path, number in directories(procfs) if number == inode), None)


def directories(procfs: str = "/proc") -> Iterator[tuple[str, int]]:
    """The directory of each memory cgroup that is seen from here, and its inode number.

    A directory comes before those below it.
    """
    for root in roots(procfs):
        yield from _directories(root)


def roots(procfs: str) -> list[str]:
    """Where hierarchies with the memory controller are mounted."""
    unified, own = [], []
    try:
        with open(
            f"{procfs}/self/mounts",
            encoding="utf-8",
            errors="surrogateescape",
            newline="\n",  # the kernel leaves all else that ends lines elsewhere as it is
            opener=open_told,
        ) as file:
            lines = [line.split(" ") for line in file]
    except OSError:
        return []
    for _, path, kind, options, *_ in lines:
        if kind == "cgroup2":
            unified.append(_plain(path))
        elif kind == "cgroup" and "memory" in options.split(","):
            own.append(_plain(path))
    return own or unified


def _plain(path: str) -> str:
    # as getmntent(3) says: blanks, tabs, newlines and backslashes are in octal
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        path = path.replace(f"\\{code}", character)
    return path


def _directories(root: str) -> Iterator[tuple[str, int]]:
    pending = [root]
    try:
        yield root, os.stat(root).st_ino
    except OSError:
        return
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                found = [
                    (entry.path, entry.inode())
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                ]
        except OSError:
            continue  # it is gone by now, or closed to us
        yield from found
        pending += [path for path, _ in found]
