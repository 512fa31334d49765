"""What is touched in a window, by the accessed marks of pages: cleared, and read after a while."""

from __future__ import annotations

from pagemap._errors import TargetVanished
from pagemap._history.window import Look, cells
from pagemap._kernel import referenced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pagemap._history.members import Members
    from pagemap._history.window import Window
    from pagemap._kernel.referenced import Marks
    from pagemap._space.address_space import AddressSpace

__all__ = ["looks"]

METHOD = "referenced"
_PRECISION = (
    "approximate, by mapping: what stays in a TLB counts as not touched, a touch of one byte of a "
    "huge page counts as all of it, and pages of files and shared memory count if any process "
    "touched them; the accessed marks of the process were cleared, which disturbs whoever else "
    "reads them"
)


def looks(members: Members, window: Window) -> Iterator[Look | None]:
    """None when the marks are cleared, then what was found at the end.

    When the process exits earlier: what was found until then, and its TargetVanished.
    """
    for _ in members.each(_clear):
        pass
    window.begin()
    yield None
    idle: dict[tuple[int, int], list[int | None]] = {}
    found: list[tuple[AddressSpace, list[Marks]]] = []
    for number, moment in enumerate(window.idle):
        try:
            window.wait(moment, members.check)
            found = list(members.each(_read))
        except TargetVanished:
            if found:
                yield _look(found, idle, window)
            raise
        window.note()
        for space, marks in found:
            for each in marks:
                known = idle.setdefault((space.pid, each.mapping.start), [None] * len(window.idle))
                if each.rss is not None and each.referenced is not None:
                    known[number] = max(each.rss - each.referenced, 0)
    yield _look(found, idle, window)


def _clear(space: AddressSpace) -> None:
    space.check()
    referenced.clear(space.folder)


def _read(space: AddressSpace) -> list[Marks]:
    space.check()
    found = list(referenced.read(space.folder))
    space.check()  # smaps of a process that ends midway ends as if it were whole
    return found


def _look(
    found: list[tuple[AddressSpace, list[Marks]]],
    idle: dict[tuple[int, int], list[int | None]],
    window: Window,
) -> Look:
    about = window.about(METHOD, _PRECISION)
    rows: list[list[Any]] = []
    for space, marks in found:
        for each in marks:
            mapping = each.mapping
            known = idle[space.pid, mapping.start]
            whole = about["whole_window"] and each.rss is not None and known[-1] is not None
            rows.append(
                cells(
                    pid=space.pid,
                    bounds=(mapping.start, mapping.end),
                    perms=mapping.perms,
                    rss=each.rss,
                    touched=each.rss - known[-1] if whole else None,  # type: ignore[operator]
                    idle=known,
                    method=METHOD,
                    path=mapping.path,
                )
            )
    return Look(rows, about)
