"""What `help()` says of results, and that they have the columns that C counts."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._native import COUNTS, sharing

if TYPE_CHECKING:
    from collections.abc import Iterator


def records() -> Iterator[type[Any]]:
    """The named tuples of the library, those of the command's own tables left out."""
    for info in pkgutil.walk_packages(pagemap.__path__, "pagemap."):
        if info.name.startswith(("pagemap._cli", "pagemap._render", "pagemap.__main__")):
            continue
        for value in vars(importlib.import_module(info.name)).values():
            if (
                isinstance(value, type)
                and issubclass(value, tuple)
                and hasattr(value, "_fields")
                and value.__module__ == info.name
            ):
                yield value


RECORDS = list(records())


def test_there_are_records() -> None:
    assert {pagemap.Sample, pagemap.TallyRow, pagemap.Mapping, pagemap.Page} <= set(RECORDS)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_help_tells_what_each_field_is(record: type[Any]) -> None:
    """`help(pagemap.Sample)` said "Alias for field number 0" of every field."""
    assert record.__doc__ or record.__name__.startswith("_")
    for name in record._fields:
        words = inspect.getdoc(getattr(record, name)) or ""
        assert ": " in words, f"{record.__name__}.{name}: {words!r}"


@pytest.mark.parametrize("record", [pagemap.Counts, pagemap.Sample])
def test_help_tells_the_unit_of_counts(record: type[Any]) -> None:
    for name in record._fields:
        words = inspect.getdoc(getattr(record, name)) or ""
        kind, _, rest = words.partition(": ")
        assert rest
        assert kind == "bool" or kind.endswith((", pages", ", bytes")), f"{name}: {words!r}"


def test_fields_stand_in_the_order_of_c() -> None:
    assert pagemap.Counts._fields == COUNTS
    assert set(sharing.KINDS) < set(pagemap.SharedRow._fields)
