"""What is said where something cannot be held, or fails: never a pass, and of the test alone."""

from __future__ import annotations

import functools
import sys
from contextlib import contextmanager
from errno import EBUSY

from pagemap._errors import PagemapError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn, ParamSpec, TypeVar

    _Arguments = ParamSpec("_Arguments")
    _Result = TypeVar("_Result")

__all__ = ["cannot_hold", "marked", "name_the_marker", "of_the_caller"]

_marked: list[object] = []  # the memory whose writes are tracked by markers of the test that runs


def cannot_hold(error: PagemapError) -> NoReturn:
    """Skip the test, or have it fail where that was asked for; without a test raise `error`."""
    __tracebackhide__ = True
    plugin = sys.modules.get("pagemap._pytest.plugin")  # where it is missing no test is run by it
    if plugin is not None:
        plugin.cannot_hold(str(error))
    raise error


@contextmanager
def marked(memory: object) -> Iterator[None]:
    """While a marker of the test has the writes to this memory tracked."""
    _marked.append(memory)
    try:
        yield
    finally:
        _marked.remove(memory)


def name_the_marker(error: PagemapError) -> None:
    """Say in an error about memory that is tracked already by which marker that may be."""
    if error.errno == EBUSY and _marked:
        several = " and ".join(map(str, _marked))
        error.message += (
            f"; limit_pages(written=) of this test tracks {several}, and only one tracker can "
            "have a page"
        )


def of_the_caller(check: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The check, whose errors begin where it was called: what pagemap did inside tells nothing."""

    @functools.wraps(check)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        __tracebackhide__ = True
        try:
            return check(*args, **kwargs)
        except PagemapError as error:
            name_the_marker(error)
            raise error.with_traceback(None) from None

    return call
