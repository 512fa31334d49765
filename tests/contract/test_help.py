"""What `help()` says of each public name, to somebody who never saw the sources."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest

import pagemap

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [name for name in pagemap.__all__ if name != "__version__"]
CLASSES = [name for name in NAMES if isinstance(getattr(pagemap, name), type)]
CALLS = [name for name in NAMES if name not in CLASSES]

PRIVATE = re.compile(r"\bpagemap\._\w*|\b[a-z]\w*\.[A-Z]{2}[A-Z_]*\b")
NAMED = re.compile(r"(?<!`)`([A-Z]\w+)\b")  # classes and constants
CALL = re.compile(r"`+(\w+)\.(\w+)\b")


def shown(value: Any) -> Iterator[tuple[str, str | None]]:
    """The docstring of a class or function, and of what a class has of ours."""
    yield "itself", inspect.getdoc(value)
    if not isinstance(value, type):
        return
    for name, member in inspect.getmembers(value):
        function = member.fget if isinstance(member, property) else member
        function = getattr(function, "__func__", function)
        ours = getattr(function, "__module__", None) or ""
        if not name.startswith("_") and inspect.isroutine(function) and ours.startswith("pagemap"):
            yield name, inspect.getdoc(member)


@pytest.mark.parametrize("name", NAMES)
def test_help_names_nothing_private(name: str) -> None:
    """It led to `pagemap._vocabulary.filters`, and to `flags.PAGE_WORDS`."""
    for what, words in shown(getattr(pagemap, name)):
        assert words, f"{name}, {what}: no help"
        assert not PRIVATE.findall(words), f"{name}, {what}"
        assert set(NAMED.findall(words)) <= set(NAMES), f"{name}, {what}"


@pytest.mark.parametrize("name", CLASSES)
def test_help_of_a_class_shows_or_says_how_to_get_one(name: str) -> None:
    """By an example, or by the public call that gives it; errors by the calls that raise them."""
    kind = getattr(pagemap, name)
    words = inspect.getdoc(kind) or ""
    calls = {
        call
        for owner, call in CALL.findall(words)
        if hasattr(pagemap if owner == "pagemap" else getattr(pagemap, owner, None), call)
    }
    raised = issubclass(kind, pagemap.PagemapError) and any(
        name in (words or "")
        for each in ["Process", *CALLS]
        for _, words in shown(getattr(pagemap, each))
    )
    assert calls or ">>> " in words or raised or issubclass(pagemap.Process, kind)


@pytest.mark.parametrize("name", CLASSES)
def test_help_of_a_class_tells_of_its_attributes(name: str) -> None:
    """`Pages.told` and `Gentle.paused` were nowhere."""
    kind = getattr(pagemap, name)
    if issubclass(pagemap.Process, kind):
        kind = pagemap.Process  # whose help says it for its bases
    ours = [each for each in kind.__mro__ if each.__module__.startswith("pagemap")]
    words = " ".join(each.__doc__ or "" for each in ours)
    slots = {slot for each in ours for slot in vars(each).get("__slots__", ())}
    public = {slot for slot in slots if not slot.startswith("_")}
    assert {slot for slot in public if not re.search(rf"`{slot}\b", words)} == set()
