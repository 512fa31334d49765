"""A progress bar with colours. Importing this module raises ImportError where rich is missing."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

__all__ = ["RichBar"]


class RichBar:
    """A bar on stderr that counts `unit`."""

    def __init__(self, unit: str) -> None:
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            unit,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._bar.start()
        # rich hides it, and a signal that ends us would leave it so.
        self._bar.console.show_cursor(True)
        self._task = self._bar.add_task(unit, total=None)

    def show(self, done: int, total: int | None) -> None:
        """Show that `done` of `total` are done."""
        self._bar.update(self._task, completed=done, total=total, refresh=True)

    def stop(self) -> None:
        """Remove it from the terminal."""
        self._bar.stop()
