"""What to say to who may not read physical memory: what else there is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._errors import AccessDenied

__all__ = ["with_what_else"]


def with_what_else(error: AccessDenied) -> AccessDenied:
    """The same error, and in its message what can be had without these rights."""
    return type(error)(
        f"{error}\nwithout root, `pagemap maps TARGET --columns rss,exclusive,file,path` tells how "
        "much of each mapping others map too",
        pid=error.pid,
        errno=error.errno,
        operation=error.operation,
        path=error.path,
    )
