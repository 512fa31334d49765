"""Records: named tuples that are spelled once, with help for each field."""

from __future__ import annotations

import copy
import pickle

import pytest

from pagemap._vocabulary.record import Record, field


class Stretch(Record):
    """Pages in a row."""

    start: int = field("bytes", "address of the first")
    label: str | None = field("", "what they are called")
    many: bool = field("", "whether there are more", False)
    last: bool = False

    @property
    def page(self) -> int:
        """The number of the first."""
        return self.start >> 12


class Named(Stretch):
    """A stretch that greets."""

    __slots__ = ()

    def greet(self) -> str:
        return f"I am {self.label}"


def test_a_record_is_a_tuple_with_names() -> None:
    stretch = Stretch(8192, "heap")
    start, label, many, last = stretch
    assert (start, label, many, last) == (8192, "heap", False, False)
    assert stretch.page == 2
    assert stretch._replace(label=None) == Stretch(8192, None)
    assert repr(stretch) == "Stretch(start=8192, label='heap', many=False, last=False)"


def test_help_names_type_unit_and_meaning() -> None:
    assert Stretch.__doc__ == "Pages in a row."
    assert Stretch.start.__doc__ == "int, bytes: address of the first"
    assert Stretch.label.__doc__ == "str | None: what they are called"
    assert Stretch.many.__doc__ == "bool: whether there are more"


def test_a_field_that_is_only_described_has_no_default() -> None:
    with pytest.raises(TypeError, match="label"):
        Stretch(8192)


def test_what_derives_from_a_record_is_a_record() -> None:
    named = Named(0, "heap")
    assert named.greet() == "I am heap"
    assert not hasattr(named, "__dict__")


@pytest.mark.parametrize("record", [Stretch(1, None, many=True), Named(1, "x")])
def test_records_can_be_copied_and_pickled(record: Stretch) -> None:
    for twin in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert twin == record
        assert type(twin) is type(record)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Stretch(1, None).start = 2  # type: ignore[misc]
