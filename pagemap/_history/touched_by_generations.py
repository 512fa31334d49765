"""What is touched in a window, of a cgroup as a whole: by the generations of the multi-gen LRU."""

from __future__ import annotations

from pagemap._errors import PagemapError, Unsupported
from pagemap._history.window import Look, cells
from pagemap._kernel.cgroup_members import pids_of
from pagemap._kernel.lru_gen import Generations
from pagemap._kernel.memory_cgroup import MemoryCgroup, hierarchy_path, of_process
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._history.window import Window
    from pagemap._kernel.lru_gen import Generation
    from pagemap._space.address_space import AddressSpace

    Youngest = dict[tuple[int, int], int]

__all__ = ["looks", "looks_of", "measured"]

METHOD = "mglru"
_KINDS = ("anon", "file")
_TIMES = 3  # to age at the beginning
_PRECISION = (
    "by the kernel's own aging, page by page: what stays in a TLB counts as not touched, and so "
    "does a process that changes its mappings just when it is looked at; files that are read "
    "without being mapped count only when they come into memory; aging the cgroup "
    "changes the order in which the kernel would reclaim its memory"
)


def looks(cgroup: str, window: Window, *, sysfs: str, procfs: str) -> Iterator[Look | None]:
    """None when the first generation has begun, then what was found at the end."""
    MemoryCgroup(cgroup).close()
    path = hierarchy_path(cgroup, procfs=procfs)
    yield from measured(Generations(sysfs=sysfs), path, cgroup, window)


def looks_of(space: AddressSpace, window: Window, *, sysfs: str) -> Iterator[Look | None]:
    """The same of a process that is alone in its cgroup. Raises Unsupported for another one."""
    generations = Generations(sysfs=sysfs)
    folder = space.folder
    text = folder.read("cgroup", "find the cgroup").decode("utf-8", "surrogateescape")
    cgroup = of_process(text, procfs=space.procfs)
    MemoryCgroup(cgroup).close()
    path = hierarchy_path(cgroup, procfs=space.procfs)
    others = {int(pid) for pid in pids_of(cgroup, procfs=space.procfs)} - {space.pid}
    if others:
        raise Unsupported(
            f"process {space.pid} is not alone in its cgroup, {cgroup}, of which generations tell "
            "as a whole; look at the cgroup",
            pid=space.pid,
            operation="find the working set",
            path=cgroup,
        )
    yield from measured(generations, path, cgroup, window, space)


def measured(
    generations: Generations,
    path: str,
    cgroup: str,
    window: Window,
    space: AddressSpace | None = None,
) -> Iterator[Look | None]:
    """The same, of a cgroup by its path in the hierarchy.

    There are four generations, so beside the end only the first of the times can be told.
    """
    before = _begin(generations, path)
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
        window.wait(moment, _nothing if space is None else space.check)
        _age(generations, path)
        window.note()
        found = _read(generations, path)
        for kind in _KINDS:
            rss[kind] = sum(getattr(each, kind) for each in found) << PAGE_SHIFT
            idle[kind].append(_idle(found, before, kind))
    rows = []
    for kind in _KINDS:
        last = idle[kind][-1]
        rows.append(
            cells(
                pid=None if space is None else space.pid,
                cgroup=cgroup,
                rss=rss[kind],
                touched=None if last is None else rss[kind] - last,
                idle=idle[kind],
                method=METHOD,
                path=f"[{kind}]",
            )
        )
    yield Look(rows, window.about(METHOD, _PRECISION))


def _nothing() -> None:
    """There is no process whose end would end the window."""


def _begin(generations: Generations, path: str) -> Youngest:
    """Begin a new generation, and return which was the youngest before, of cgroups by nodes.

    Aging passes over a process that changes its mappings in that moment (walk_mm in mm/vmscan.c
    tries the mmap_lock once): what it then does not clear would count as touched.
    """
    for _ in range(_TIMES):
        before = _age(generations, path)
    after = _youngest(_read(generations, path))
    if not before or any(after.get(where, number) <= number for where, number in before.items()):
        raise PagemapError(
            f"the kernel does not age the memory of cgroup {path}",
            operation="find the working set",
            path=path,
        )
    return before


def _read(generations: Generations, path: str) -> list[Generation]:
    """The generations but those of removed cgroups, which have lost their number."""
    return [each for each in generations.read(path) if each.memcg]


def _age(generations: Generations, path: str) -> Youngest:
    youngest = _youngest(_read(generations, path))
    for (memcg, node), number in youngest.items():
        generations.age(memcg, node, number)
    return youngest


def _youngest(found: list[Generation]) -> Youngest:
    youngest: Youngest = {}
    for each in found:
        where = each.memcg, each.node
        youngest[where] = max(youngest.get(where, 0), each.number)
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
