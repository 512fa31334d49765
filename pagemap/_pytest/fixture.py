"""What the fixture `pagemap_track` gives: trackers that end with the test."""

from __future__ import annotations

from contextlib import ExitStack

from pagemap._errors import AccessDenied, Unsupported
from pagemap._history.tracker import track
from pagemap._native.descriptors import Holder
from pagemap._pytest.reasons import cannot_hold, of_the_caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._history.tracker import Tracker, Where

__all__ = ["Tracking"]


class Tracking(Holder):
    """Call it with what is to be tracked, as `pagemap.track` takes it."""

    def __init__(self) -> None:
        self._trackers = ExitStack()

    @of_the_caller
    def __call__(self, where: Where = None, *, inject: bool = False) -> Tracker:
        """The tracker."""
        __tracebackhide__ = True
        try:
            tracker = track(where, inject=inject)
        except (Unsupported, AccessDenied) as error:
            cannot_hold(error)
        self._trackers.callback(tracker.close)
        return tracker

    def close(self) -> None:
        """End the tracking."""
        self._trackers.close()
