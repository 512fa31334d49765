"""The marker `limit_pages`: what is looked at before and after a test, and what is said then."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from pagemap._errors import AccessDenied, PagemapError, Unsupported
from pagemap._pytest.areas import Area
from pagemap._pytest.growth import Growth
from pagemap._pytest.reasons import cannot_hold, marked, name_the_marker
from pagemap._pytest.writes import Writes
from pagemap._space.live_space import LiveSpace
from pagemap._vocabulary.checks import check_int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

__all__ = ["held"]

_MOST = 1 << 52  # pages of 64 bits of addresses


def held(item: pytest.Item) -> Generator[None, object, object]:
    """Run the test between two looks, for each of its markers.

    It runs also where a limit cannot be held, for it may fail by itself.
    """
    __tracebackhide__ = True
    with ExitStack() as stack:
        limits, wrong = _begun(item, stack)
        if wrong:
            pytest.fail(f"limit_pages: {wrong}", pytrace=False)
        result = yield
        for limit in limits:
            limit.end()
    failures = [each.failure for each in limits if each.failure]
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)
    for limit in limits:
        if limit.unknown is not None:
            cannot_hold(limit.unknown)
    return result


def _begun(item: pytest.Item, stack: ExitStack) -> tuple[list[Limit], str]:
    """The limits of a test, or what is wrong with them."""
    try:
        return [Limit(item, of, limits, stack) for of, limits in _nearest(item)], ""
    except (TypeError, ValueError, BufferError, PagemapError) as error:
        if isinstance(error, PagemapError):
            name_the_marker(error)
        return [], str(error)


def _nearest(item: pytest.Item) -> list[tuple[Any, dict[str, int]]]:
    """Each memory that markers are of, and its limits: of each kind the one nearest to the test."""
    found: dict[object, tuple[Any, dict[str, int]]] = {}
    for mark in item.iter_markers("limit_pages"):
        of = mark.kwargs.get("of")
        key = of if isinstance(of, str) or of is None else id(of)
        limits = found.setdefault(key, (of, {}))[1]
        for name, pages in _checked(mark).items():
            limits.setdefault(name, pages)
    return list(found.values())


class Limit:
    """Limits of one memory: `failure` says why they are not held, `unknown` why nobody knows."""

    def __init__(
        self, item: pytest.Item, of: Any, limits: dict[str, int], stack: ExitStack
    ) -> None:
        self.failure = ""
        self.unknown: PagemapError | None = None
        self._item = item
        self._limits = limits
        of, self._what = _meant(item, of)
        self._writes: Writes | None = None
        self._growth: Growth | None = None
        try:
            self._begin(of, stack)
        except (Unsupported, AccessDenied) as error:
            self.unknown = error

    def _begin(self, of: Any, stack: ExitStack) -> None:
        area = Area(of, self._what, may_be_all=True)
        process = stack.enter_context(LiveSpace("self"))
        area.require(process)
        if "grown" in self._limits:
            self._growth = Growth(process, area, of, self._what)
        if "written" in self._limits:
            self._writes = Writes(area, of)
            stack.callback(self._writes.close)
            stack.enter_context(marked(area))

    def end(self) -> None:
        """Look again, and judge."""
        failures = []
        if self._writes is not None:
            found = self._writes.end()
            failure, unknown = self._writes.judged(found, self._limits["written"])
            failures.append(failure)
            if unknown:
                self.unknown = Unsupported(unknown)
            self._note("written_pages", found[0])
        if self._growth is not None:
            more = self._growth.end()
            failures.append(self._growth.judged(more, self._limits["grown"]))
            self._note("grown_pages", more)
        self.failure = "\n".join(filter(None, failures))

    def _note(self, name: str, pages: int) -> None:
        what = f"_{self._what}" if self._what else ""
        self._item.user_properties.append((f"pagemap_{name}{what}", pages))


def _checked(mark: pytest.Mark) -> dict[str, int]:
    """The limits that are given, in pages."""
    unknown = set(mark.kwargs) - {"written", "grown", "of"}
    if mark.args or unknown:
        given = ", ".join([*map(repr, mark.args), *sorted(unknown)])
        raise TypeError(f"it takes written=, grown= and of=, each by its name, not {given}")
    limits = {
        name: check_int(name, mark.kwargs[name], 0, _MOST)
        for name in ("written", "grown")
        if mark.kwargs.get(name) is not None
    }
    if not limits:
        raise TypeError("it limits nothing: give written= or grown=, in pages")
    return limits


def _meant(item: pytest.Item, of: Any) -> tuple[Any, str]:
    """What is looked at, and its name: a word is an argument of the test, if it can be one."""
    if callable(of) and not isinstance(of, type):
        made = of()
        if made is None:
            raise ValueError("the function that of= gives returns None, and not the memory")
        return made, getattr(of, "__name__", "")
    if not isinstance(of, str) or not of.isidentifier():
        return of, ""
    values: dict[str, object] = getattr(item, "funcargs", {})
    if of not in values:
        raise ValueError(
            f"of={of!r} is no argument of this test; give one of them "
            f"({', '.join(values) or 'it has none'}), memory itself, or the name of mappings"
        )
    if values[of] is None:
        raise ValueError(f"of={of!r} of this test is None, and not the memory")
    return values[of], of
