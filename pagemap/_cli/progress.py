"""The progress bar of long work: on stderr, only on a terminal, only after a second."""

from __future__ import annotations

import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class _Drawn(Protocol):
        """A bar on stderr, with or without rich."""

        def show(self, done: int, total: int | None) -> None: ...
        def stop(self) -> None: ...


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
        self._drawn: _Drawn | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Show that `done` of `total` are done."""
        if not self._wanted:
            return
        if self._drawn is None:
            if monotonic() - self._begun < _PATIENCE:
                return
            self._drawn = _start(self._unit, self._begun)
        self._drawn.show(done, total)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn is not None:
            self._drawn.stop()


def _start(unit: str, begun: float) -> _Drawn:
    """The bar: by rich, which the extra `cli` installs, or else in plain characters."""
    try:
        from pagemap._cli.rich_bar import RichBar
    except ImportError:
        from pagemap._cli.plain_bar import PlainBar

        return PlainBar(unit, begun)
    return RichBar(unit)
