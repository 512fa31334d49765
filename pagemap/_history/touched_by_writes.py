"""What is touched in a window, by the pages that are written: a lower bound."""

from __future__ import annotations

from contextlib import closing

from pagemap._errors import TargetVanished
from pagemap._history.intervals import merged
from pagemap._history.resident import Resident
from pagemap._history.tracker import track
from pagemap._history.window import Look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._history.intervals import Ranges
    from pagemap._history.window import Window
    from pagemap._space.address_space import AddressSpace

__all__ = ["looks"]

METHOD = "written"


def looks(space: AddressSpace, window: Window, *, regions: bool) -> Iterator[Look | None]:
    """None when writes are tracked, then what was found at the end.

    When the process exits earlier: what was found until then, and its TargetVanished.
    """
    found: list[Ranges] = []
    last: Resident | None = None
    with closing(track(space)) as tracker:
        window.begin()
        yield None
        for moment in window.idle:
            try:
                window.wait(moment, space.check)
                written = merged(
                    (row.start, row.end) for row in tracker.written if row.how in ("tracked", "new")
                )
                now = Resident(space)
            except TargetVanished:
                if last is not None:
                    yield _look(last, found, window, regions=regions)
                raise
            window.note()
            found.append(written)
            last = now
    assert last is not None
    yield _look(last, found, window, regions=regions)


def _look(last: Resident, found: list[Ranges], window: Window, *, regions: bool) -> Look:
    precision = (
        "a lower bound, page by page: what was written; what was only read counts as not touched"
    )
    rows = list(last.rows(window, found, METHOD, regions=regions))
    return Look(rows, window.about(METHOD, precision))
