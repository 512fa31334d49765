"""Small frozen records: named tuples that are spelled once, with help for each field.

    class Stretch(Record):
        '''Pages in a row.'''

        start: int = field("address", "address of the first")
        pages: int = field("pages", "how many there are")

To a type checker `Record` is typing.NamedTuple. At run time it is made of collections.namedtuple,
because typing takes longer to import than most of what is done here. A field without a default must
be given, though a type checker cannot know that of `field`. A `Schema` can be made of a record, for
a result whose rows it is. Fields that several records have are spelled once: see `extended`.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar
    from typing import NamedTuple as Record

    _Record = TypeVar("_Record")

__all__ = ["Field", "Record", "extended", "field", "fields_of"]


class Field:
    """What a field is: see `field`. `kind` is its annotation, as it is written."""

    __slots__ = ("adds", "default", "key", "kind", "last", "meaning", "rank", "source", "unit")

    def __init__(self, unit: str, meaning: str, default: Any) -> None:
        self.unit = unit
        self.meaning = meaning
        self.default = default
        self.kind = ""
        self.rank: int | None = None
        self.key = False
        self.adds: bool | None = None
        self.source = ""
        self.last = False

    def doc(self) -> str:
        """The help for the field."""
        about = f"{self.kind}, {self.unit}" if self.unit else self.kind
        return f"{about}: {self.meaning}"


def field(
    unit: str,
    meaning: str,
    default: Any = ...,
    *,
    rank: int | None = None,
    key: bool = False,
    adds: bool | None = None,
    source: str = "",
    last: bool = False,
) -> Any:
    """A field of a Record: its unit ("bytes", "pages", or "" for none) and its meaning.

    The rest matters to tables: `rank` says which columns a narrow terminal shows first (None: only
    where it is named); a `key` says, with the other keys, which row it is, from one look to the
    next; `adds` whether it has a total, by default where its unit is an amount; `source` is the
    kernel's own name for it. Those that are `last` come behind the fields that are `extended`.
    """
    made = Field(unit, meaning, default)
    made.rank, made.key, made.adds, made.source, made.last = rank, key, adds, source, last
    return made


def fields_of(record: Any) -> dict[str, Field]:
    """The fields of a class of records, in order."""
    fields: dict[str, Field] = record.fields_
    return fields


def extended(record: type[_Record]) -> type[_Record]:
    """A record of a class that derives from one: a decorator.

    Its own fields come first, then those of its base, then its own ones that are `last` or have a
    default.
    """
    own = {name: vars(record)[name] for name in record.__annotations__}
    base = fields_of(record.__bases__[0])
    apart = {*own, "__dict__", "__weakref__"}
    space = {name: value for name, value in vars(record).items() if name not in apart}
    first = [name for name, value in own.items() if value.default is ... and not value.last]
    kinds = {name: record.__annotations__[name] for name in own}
    kinds |= {name: value.kind for name, value in base.items()}
    space |= own | base
    space["__annotations__"] = {name: kinds[name] for name in (*first, *base, *own)}
    make: Any = type(Record)
    made: type[_Record] = make(record.__name__, (Record,), space)
    return made


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
            made.fields_ = {}
            for each, value in given.items():
                if isinstance(value, Field):
                    value.kind = kinds[each]
                    made.fields_[each] = value
                    getattr(made, each).__doc__ = value.doc()
            made.__annotations__ = kinds
            for each, value in space.items():
                setattr(made, each, value)
            return made

    class Record(metaclass=_RecordType):
        """Base of records."""
