"""The columns of tables: plain buffers, and texts and lists that are numbered."""

from __future__ import annotations

from array import array

from pagemap._errors import UsageError
from pagemap._tables.checked import check_buffer, check_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, TypeAlias

    from pagemap._vocabulary.schema import Column

    Values: TypeAlias = memoryview[Any] | "Texts" | "Lists"

__all__ = ["Lists", "Texts", "all_known", "joined", "packed", "take"]

_FORMATS = {"int": "q", "float": "d", "bool": "B"}


class Texts:
    """A column of text: a sequence of str. `words` are those that occur, `codes` number them.

    `codes` is a read-only memoryview of format ``i``, an item for each row. Raises TypeError for
    another one, and for words that are no str.

    >>> import pagemap
    >>> with pagemap.Process("self") as process:
    ...     paths = process.maps()["path"]
    >>> paths[0] == paths.words[paths.codes[0]]
    True
    """

    __slots__ = ("codes", "words")

    def __init__(self, codes: memoryview[int], words: Sequence[str]) -> None:
        check_buffer("codes", codes, "i")
        self.codes: memoryview[int] = codes
        self.words: tuple[str, ...] = check_words(words)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> str:
        return self.words[self.codes[index]]

    def __iter__(self) -> Iterator[str]:
        return map(self.words.__getitem__, self.codes)

    def __repr__(self) -> str:
        return f"<Texts {len(self)}, {len(self.words)} different>"


class Lists:
    """A column of tuples of integers, as `SharedGroupRow.pids`; `words`, `codes` as in `Texts`."""

    __slots__ = ("codes", "words")

    def __init__(self, codes: memoryview[int], words: Sequence[tuple[int, ...]]) -> None:
        check_buffer("codes", codes, "i")
        self.codes: memoryview[int] = codes
        self.words: tuple[tuple[int, ...], ...] = tuple(words)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> tuple[int, ...]:
        return self.words[self.codes[index]]

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return map(self.words.__getitem__, self.codes)

    def __repr__(self) -> str:
        return f"<Lists {len(self)}, {len(self.words)} different>"


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
