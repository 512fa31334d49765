"""The progress bar of long work: on stderr, only on a terminal, only after a second."""

from __future__ import annotations

import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Bar"]

# Shorter work is over before anybody would wonder; and rich costs fifty milliseconds to import.
_PATIENCE = 1.0


class Bar:
    """Called with what is done and the total of it, it draws a bar when the work takes long.

    `wanted` says whether there is to be one at all, `unit` what is counted. It is drawn in the
    calls alone, by no thread, and is gone when the context ends. A `total` of None is one that is
    not known.
    """

    def __init__(self, *, wanted: bool = True, unit: str = "pages") -> None:
        self._begun = monotonic()
        self._unit = unit
        self._wanted = wanted and sys.stderr is not None and sys.stderr.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Show that `done` of `total` are done."""
        if not self._wanted:
            return
        if self._bar is None:
            if monotonic() - self._begun < _PATIENCE:
                return
            self._bar = _start(self._unit)
            if self._bar is None:
                self._wanted = False
                return
            self._task = self._bar.add_task(self._unit, total=total)
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total, refresh=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _start(unit: str) -> Progress | None:
    """A bar on stderr, or None without rich: a bar is no reason to fail."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    except ImportError:
        return None
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        unit,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
    bar.start()
    # rich hides it, and a signal that ends us would leave it so.
    bar.console.show_cursor(True)
    return bar
