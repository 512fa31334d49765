"""The errors that pagemap raises.

::

    PagemapError                              the base: catch this for all
     ├─ NoSuchProcess    ProcessLookupError   no process, a zombie, a name that fits nothing
     ├─ NoSuchFile       FileNotFoundError    no such file, or no directory for a new one
     ├─ AccessDenied     PermissionError      the kernel forbids it; names the capability
     │   └─ PfnsHidden                        readable, but without physical addresses
     ├─ TargetVanished   ProcessLookupError   exited or called exec; what was read stands
     ├─ AddressError     LookupError          the address has no physical address:
     │   ├─ NotMapped                           in no mapping
     │   ├─ NotPresent                          mapped, but no page behind it
     │   └─ SwappedOut                          the page lies in swap
     ├─ Unsupported      NotImplementedError  this kernel lacks it
     ├─ UsageError       ValueError           malformed address, range, pattern or name
     └─ ClosedProcess    ValueError           the Process was closed

Every error carries ``pid``, ``errno``, ``operation`` and ``path``, each None where it does not
apply, and survives pickling (so it crosses process pools).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AccessDenied",
    "AddressError",
    "ClosedProcess",
    "NoSuchFile",
    "NoSuchProcess",
    "NotMapped",
    "NotPresent",
    "PagemapError",
    "PfnsHidden",
    "SwappedOut",
    "TargetVanished",
    "Unsupported",
    "UsageError",
]


class PagemapError(Exception):
    """The base of every error here; the message says what failed, on what, why, and what to do.

    `pid`, `errno` (the kernel's number), `operation` (what was tried) and `path` are None where
    they do not apply.

    >>> import pagemap
    >>> try:
    ...     process = pagemap.Process(0)
    ... except pagemap.PagemapError as error:
    ...     error.pid, str(error)
    (0, 'there is no process 0: a pid is above 0')
    """

    pid: int | None = None
    errno: int | None = None
    operation: str | None = None
    path: str | None = None

    def __init__(
        self,
        message: str,
        *,
        pid: int | None = None,
        errno: int | None = None,
        operation: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.pid = pid
        self.errno = errno
        self.operation = operation
        self.path = path

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Callable[..., PagemapError], tuple[object, ...]]:
        # OSError and Exception rebuild from args alone, which would lose the keywords.
        state = dict(self.__dict__, errno=self.errno)
        return _rebuild, (type(self), state)


def _rebuild(kind: type[PagemapError], state: dict[str, object]) -> PagemapError:
    error = kind.__new__(kind, state["message"])
    Exception.__init__(error, state["message"])
    for name, value in state.items():
        setattr(error, name, value)
    return error


class NoSuchProcess(PagemapError, ProcessLookupError):
    """There is no such process, or it has ended and waits to be reaped."""


class NoSuchFile(PagemapError, FileNotFoundError):
    """There is no file of this name, or no directory in which to make it."""


class AccessDenied(PagemapError, PermissionError):
    """The kernel forbids reading this process."""


class PfnsHidden(AccessDenied):
    """The process is readable, but the kernel hides physical addresses from this reader."""


class TargetVanished(PagemapError, ProcessLookupError):
    """The process exited or replaced itself by exec midway. What was read until then stands."""


class AddressError(PagemapError, LookupError):
    """A virtual `address`, in bytes, that has no physical one: from `Process.virt_to_phys`."""

    def __init__(self, message: str, *, address: int, pid: int | None = None) -> None:
        super().__init__(message, pid=pid, operation="translate")
        self.address = address


class NotMapped(AddressError):
    """The address lies in no mapping of the process."""


class NotPresent(AddressError):
    """The address is mapped, but there is no page behind it."""


class SwappedOut(AddressError):
    """The page lies in swap: area `swap_type`, page `swap_offset`; None where they are hidden."""

    def __init__(
        self,
        message: str,
        *,
        address: int,
        pid: int | None = None,
        swap_type: int | None = None,
        swap_offset: int | None = None,
    ) -> None:
        super().__init__(message, address=address, pid=pid)
        self.swap_type = swap_type
        self.swap_offset = swap_offset


class Unsupported(PagemapError, NotImplementedError):
    """This kernel does not have what was asked for."""


class UsageError(PagemapError, ValueError):
    """An argument that cannot be understood."""


class ClosedProcess(PagemapError, ValueError):
    """The Process was closed before this call."""


# A traceback names an error as it is caught, which is not by this module.
for _each in list(globals().values()):
    if isinstance(_each, type) and issubclass(_each, PagemapError):
        _each.__module__ = "pagemap"
