"""The columns of tables: plain buffers, and texts and lists that are numbered."""

from __future__ import annotations

from array import array

from pagemap._errors import UsageError
from pagemap._tables.checked import check_buffer, check_words
from pagemap._vocabulary.of_rows import OfRows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, TypeAlias

    from pagemap._vocabulary.of_rows import Row as _Row
    from pagemap._vocabulary.schema import Column

    Values: TypeAlias = memoryview[Any] | "Texts" | "Lists"

__all__ = ["Lists", "Texts", "all_known", "frozen", "joined", "packed", "take", "thawed"]

_FORMATS = {"int": "q", "float": "d", "bool": "B"}


class _Numbered(OfRows["_Row"]):
    """A column whose cells are the `words` that `codes` number."""

    __slots__ = ("codes", "words")

    def __init__(self, codes: memoryview[int], words: Sequence[_Row]) -> None:
        check_buffer("codes", codes, "i")
        self.codes: memoryview[int] = codes
        self.words: tuple[_Row, ...] = tuple(words)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> _Row:
        return self.words[self.codes[index]]

    def __iter__(self) -> Iterator[_Row]:
        return map(self.words.__getitem__, self.codes)

    def __reduce__(self) -> tuple[Any, ...]:
        return _numbered, (type(self), frozen(self.codes), self.words)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)}, {len(self.words)} different>"


def _numbered(kind: Any, codes: tuple[str, bytes], words: tuple[Any, ...]) -> Any:
    return kind(thawed(codes), words)


class Texts(_Numbered[str]):
    """A column of text: a sequence of str. `words` are those that occur, `codes` number them.

    `codes` is a read-only memoryview of format ``i``, an item for each row. Raises TypeError for
    another one, and for words that are no str.

    >>> import pagemap
    >>> with pagemap.Process("self") as process:
    ...     paths = process.maps()["path"]
    >>> paths[0] == paths.words[paths.codes[0]]
    True
    """

    __slots__ = ()

    def __init__(self, codes: memoryview[int], words: Sequence[str]) -> None:
        super().__init__(codes, check_words(words))


class Lists(_Numbered[tuple[int, ...]]):
    """A column of tuples of integers, as `SharedGroupRow.pids`; `words`, `codes` as in `Texts`."""

    __slots__ = ()


def frozen(column: Any) -> Any:
    """A column as pickle can hold it: a buffer as its format and its bytes."""
    return (column.format, column.tobytes()) if isinstance(column, memoryview) else column


def thawed(column: Any) -> Any:
    """The column that was `frozen`."""
    if not isinstance(column, tuple):
        return column
    form, data = column
    return memoryview(data).cast("B").cast(form)


def packed(column: Column, cells: Sequence[Any]) -> Values:
    if column.type in ("text", "list"):
        empty: Any = "" if column.type == "text" else ()
        numbers: dict[Any, int] = {}
        codes = array(
            "i",
            (numbers.setdefault(empty if cell is None else cell, len(numbers)) for cell in cells),
        )
        make: Any = Texts if column.type == "text" else Lists
        made: Texts | Lists = make(memoryview(codes).toreadonly(), list(numbers))
        return made
    if column.unsigned:
        cells = [cell if cell is None or cell >> 63 == 0 else cell - (1 << 64) for cell in cells]
    try:
        values = array(_FORMATS[column.type], (0 if cell is None else cell for cell in cells))
    except OverflowError:
        raise UsageError(f"column {column.name!r} holds numbers of 64 bits") from None
    view = memoryview(values).toreadonly()
    return view.cast("B").cast("?") if column.type == "bool" else view


def all_known(rows: int) -> memoryview:
    return memoryview(b"\1" * rows).cast("?")  # type: ignore[return-value] # mypy: of int


def joined(columns: Sequence[Any]) -> Any:
    first = columns[0]
    if not isinstance(first, memoryview):
        numbers: dict[Any, int] = {}
        codes = array("i")
        for column in columns:
            mine = [numbers.setdefault(word, len(numbers)) for word in column.words]
            codes.extend(map(mine.__getitem__, column.codes))
        return type(first)(memoryview(codes).toreadonly(), list(numbers))
    form: Any = first.format
    return memoryview(bytearray().join(columns)).cast(form).toreadonly()


def take(column: Any, order: Sequence[int]) -> Any:
    if isinstance(order, range) and order.step == 1 and isinstance(column, memoryview):
        return column[order.start : order.stop]
    if not isinstance(column, memoryview):
        return type(column)(take(column.codes, order), column.words)
    form = column.format
    taken = array("B" if form == "?" else form, map(column.__getitem__, order))
    view = memoryview(taken).toreadonly()
    return view.cast("B").cast("?") if form == "?" else view
