"""Small frozen records: named tuples that are spelled once, with help for each field.

    class Stretch(Record):
        '''Pages in a row.'''

        start: int = field("bytes", "address of the first")
        pages: int = field("pages", "how many there are")

To a type checker `Record` is typing.NamedTuple. At run time it is made of collections.namedtuple,
because typing takes longer to import than most of what is done here. A field without a default must
be given, though a type checker cannot know that of `field`.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import NamedTuple as Record

__all__ = ["Record", "field"]


class _Field:
    """What a field is; `unit` is empty for what has none."""

    __slots__ = ("default", "meaning", "unit")

    def __init__(self, unit: str, meaning: str, default: Any) -> None:
        self.unit = unit
        self.meaning = meaning
        self.default = default

    def doc(self, kind: str) -> str:
        """The help for a field of this type."""
        return f"{kind}, {self.unit}: {self.meaning}" if self.unit else f"{kind}: {self.meaning}"


def field(unit: str, meaning: str, default: Any = ...) -> Any:
    """A field of a Record: its unit ("bytes", "pages", or "" for none) and its meaning."""
    return _Field(unit, meaning, default)


if not TYPE_CHECKING:

    class _RecordType(type):
        """Makes a named tuple of a class with fields; what derives from it is a plain class."""

        def __new__(meta, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(meta, name, bases, space)
            kinds = space.pop("__annotations__")
            given = {each: space.pop(each) for each in kinds if each in space}
            values = [getattr(value, "default", value) for value in given.values()]
            values = [value for value in values if value is not ...]
            made = namedtuple(name, kinds, defaults=values, module=space.pop("__module__"))  # noqa: PYI024 - it is this
            for each, value in given.items():
                if isinstance(value, _Field):
                    getattr(made, each).__doc__ = value.doc(kinds[each])
            made.__annotations__ = kinds
            for each, value in space.items():
                setattr(made, each, value)
            return made

    class Record(metaclass=_RecordType):
        """Base of records."""
