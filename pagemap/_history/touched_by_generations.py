"""What is touched in a window, of a cgroup as a whole: by the generations of the multi-gen LRU."""

from __future__ import annotations

from pagemap._history.window import Look, cells
from pagemap._kernel.lru_gen import Generations
from pagemap._kernel.memory_cgroup import MemoryCgroup, hierarchy_path
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._history.window import Window
    from pagemap._kernel.lru_gen import Generation

    Youngest = dict[tuple[int, int], int]

__all__ = ["looks", "measured"]

METHOD = "mglru"
_KINDS = ("anon", "file")
_PRECISION = (
    "by the kernel's own aging, page by page: what stays in a TLB counts as not touched; files "
    "that are read without being mapped count only when they come into memory; aging the cgroup "
    "changes the order in which the kernel would reclaim its memory"
)


def looks(cgroup: str, window: Window, *, sysfs: str, procfs: str) -> Iterator[Look | None]:
    """None when the first generation has begun, then what was found at the end."""
    MemoryCgroup(cgroup).close()
    path = hierarchy_path(cgroup, procfs=procfs)
    yield from measured(Generations(sysfs=sysfs), path, cgroup, window)


def measured(
    generations: Generations, path: str, cgroup: str, window: Window
) -> Iterator[Look | None]:
    """The same, of a cgroup by its path in the hierarchy.

    There are four generations, so beside the end only the first of the times can be told.
    """
    before = _age(generations, path)
    window.begin()
    yield None
    told = {window.idle[0], window.idle[-1]}
    idle: dict[str, list[int | None]] = {kind: [] for kind in _KINDS}
    rss = dict.fromkeys(_KINDS, 0)
    for moment in window.idle:
        if moment not in told:
            for kind in _KINDS:
                idle[kind].append(None)
            continue
        window.wait(moment, _nothing)
        _age(generations, path)
        window.note()
        found = generations.read(path)
        for kind in _KINDS:
            rss[kind] = sum(getattr(each, kind) for each in found) << PAGE_SHIFT
            idle[kind].append(_idle(found, before, kind))
    rows = []
    for kind in _KINDS:
        last = idle[kind][-1]
        rows.append(
            cells(
                cgroup=cgroup,
                kind=kind,
                rss=rss[kind],
                touched=None if last is None else rss[kind] - last,
                idle=idle[kind],
                method=METHOD,
            )
        )
    yield Look(rows, window.about(METHOD, _PRECISION))


def _nothing() -> None:
    """There is no process whose end would end the window."""


def _age(generations: Generations, path: str) -> Youngest:
    """Begin a new generation, and return which was the youngest before, of cgroups by nodes."""
    youngest: Youngest = {}
    for each in generations.read(path):
        where = each.memcg, each.node
        youngest[where] = max(youngest.get(where, 0), each.number)
    for (memcg, node), number in youngest.items():
        generations.age(memcg, node, number)
    return youngest


def _idle(found: list[Generation], before: Youngest, kind: str) -> int | None:
    """What is in generations that had begun before the window; None where that is not known.

    Reclaim ages too. Where it did so often, old generations have become part of younger ones.
    """
    oldest: Youngest = {}
    for each in found:
        where = each.memcg, each.node
        oldest[where] = min(oldest.get(where, each.number), each.number)
    if any(oldest[where] > before[where] for where in oldest if where in before):
        return None
    pages = sum(
        int(getattr(each, kind))
        for each in found
        if each.number <= before.get((each.memcg, each.node), -1)
    )
    return pages << PAGE_SHIFT
