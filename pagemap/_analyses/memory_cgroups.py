"""What is charged to each memory cgroup: counted by frames, and as the kernel has it."""

from __future__ import annotations

from pagemap._kernel import cgroups
from pagemap._kernel.cgroup_memory import charged
from pagemap._kernel.containers import name_of_directory
from pagemap._vocabulary.frame_kinds import FRAME_KINDS, MOVABLE, NOT_MANAGED
from pagemap._vocabulary.rows.memory import PARTS
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from pagemap._analyses.memory_walk import Counted
    from pagemap._kernel.cgroup_memory import Charged

__all__ = [
    "NO_CGROUP",
    "amounts_of",
    "charged_itself",
    "difference",
    "ordered",
    "own_charges",
    "rows_of",
]

NO_CGROUP = "(none)"
"""How that is called which is charged to no cgroup."""

_NAMES = [kind.name for kind in FRAME_KINDS]
_MANAGED = [name for name in _NAMES if name not in NOT_MANAGED]


def rows_of(counted: Counted | None, procfs: str) -> Iterator[list[object]]:
    """A row for each cgroup that exists, or that frames are charged to; the largest first."""
    paths = {inode: path for path, inode in cgroups.directories(procfs)}
    told = {path: charged(path) for path in paths.values()}
    found = {} if counted is None else counted.cgroups
    roots = cgroups.roots(procfs)
    rows: list[dict[str, Any]] = []
    for inode in [*paths, *(each for each in found if each not in paths)]:
        path = paths.get(inode)
        kernel, swapped = charged_itself(path, told)
        sizes = None
        if counted is not None:
            frames = found.get(inode, [0] * len(_NAMES))
            sizes = dict(zip(_NAMES, (each * PAGE_SIZE for each in frames), strict=True))
        own = None if kernel is None else sum(kernel.values())
        users = None if sizes is None else sum(sizes[name] for name in MOVABLE)
        amounts = amounts_of(sizes, kernel or {}, own) | {"difference": difference(users, own)}
        name = path if inode else NO_CGROUP
        words = None if name is None else name_of_directory(name, roots)
        own_row = {"inode": inode, "cgroup": name, "container": words, "swapped": swapped}
        rows.append(own_row | amounts)
    weights = "size" if counted is not None else "kernel"
    rows.sort(key=lambda row: row[weights] or 0, reverse=True)
    return ordered("cgroups", rows)


def charged_itself(
    path: str | None, told: Mapping[str, Charged | None]
) -> tuple[dict[str, int] | None, int | None]:
    """What is charged to a cgroup itself, without those below it, and its own memory in swap."""
    charge = None if path is None else told.get(path)
    if path is None or charge is None:
        return None, None
    below = [
        each
        for other, each in told.items()
        if charge.below and each is not None and other.rpartition("/")[0] == path
    ]
    kernel = {
        name: max(getattr(charge, name) - sum(getattr(each, name) for each in below), 0)
        for name in ("anon", "file", "shmem")
    }
    of_those = [each.swap for each in below]
    if charge.swap is None or None in of_those:
        return kernel, None
    return kernel, max(charge.swap - sum(filter(None, of_those)), 0)


def own_charges(procfs: str = "/proc") -> dict[str, int]:
    """By the directory of each memory cgroup what is charged to it alone, in bytes."""
    told = {path: charged(path) for path, _ in cgroups.directories(procfs)}
    found = {path: charged_itself(path, told)[0] for path in told}
    return {path: sum(kernel.values()) for path, kernel in found.items() if kernel is not None}


def difference(size: int | None, kernel: int | None) -> int | None:
    """What was counted less the kernel's figure, where both are known."""
    return None if size is None or kernel is None else size - kernel


def amounts_of(
    sizes: Mapping[str, int] | None, known: Mapping[str, int | None], kernel: int | None
) -> dict[str, int | None]:
    """Columns of a row about some frames: what was counted, else what the kernel tells."""
    if sizes is None:
        kinds = {name: known.get(name) for name in _NAMES}
        return {"size": None, "kernel": kernel, "difference": None, **kinds}
    size = sum(sizes[name] for name in _MANAGED)
    return {"size": size, "kernel": kernel, "difference": difference(size, kernel), **sizes}


def ordered(part: str, rows: Iterable[Mapping[str, object]]) -> Iterator[list[object]]:
    """The rows with their cells in the order of the columns of a part."""
    for row in rows:
        yield [row[name] for name in PARTS[part].names]
