"""memory.stat of a memory cgroup: what is charged to it, by version 1 and 2."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field

__all__ = ["Charged", "charged"]

_MOST = 1 << 20  # bytes of a file
_NAMES = {False: ("rss", "cache", "shmem"), True: ("anon", "file", "shmem")}


class Charged(Record):
    """What is charged to a cgroup, in bytes; `below`: with what is to all below it."""

    anon: int = field("bytes", "anonymous memory")
    file: int = field("bytes", "page cache, without shmem")
    shmem: int = field("bytes", "shared memory")
    swap: int | None = field("bytes", "its memory in swap")
    below: bool = field("", "whether that of the cgroups below it is in here")


def charged(path: str) -> Charged | None:
    """What memory.stat in the directory `path` tells; None where it cannot be read.

    In version 1 its first lines are of the cgroup alone (the others begin with total_), in version
    2 all of it includes the cgroups below.
    """
    stat = _numbers(f"{path}/memory.stat")
    unified = "total_rss" not in stat
    anon, cache, shmem = (stat.get(name) for name in _NAMES[unified])
    if anon is None or cache is None or shmem is None:
        return None
    swap = _number(f"{path}/memory.swap.current") if unified else stat.get("swap")
    return Charged(anon, max(cache - shmem, 0), shmem, swap, unified)


def _numbers(path: str) -> dict[str, int]:
    words = [line.split() for line in _read(path).splitlines()]
    return {each[0]: int(each[1]) for each in words if len(each) == 2 and each[1].isdecimal()}


def _number(path: str) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdecimal() else None


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST).decode("ascii", "replace")
    except OSError:
        return ""
