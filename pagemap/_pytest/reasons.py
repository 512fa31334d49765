"""What cannot be held on this machine: never a pass."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pagemap._errors import PagemapError

__all__ = ["cannot_hold"]


def cannot_hold(error: PagemapError) -> NoReturn:
    """Skip the test, or have it fail where that was asked for; without a test raise `error`."""
    __tracebackhide__ = True
    plugin = sys.modules.get("pagemap._pytest.plugin")  # where it is missing no test is run by it
    if plugin is not None:
        plugin.cannot_hold(str(error))
    raise error
