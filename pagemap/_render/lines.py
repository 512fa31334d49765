"""A line for each mapping and its tally, quickly.

A process may have sixty thousand mappings, and the kernel lists them all in 20 ms. Most of them are
alike in what they hold or in what they map, so these parts of a row are put into words once.
"""

from __future__ import annotations

from itertools import chain, groupby

from pagemap._analyses.tally import Tally
from pagemap._render.columns import COUNTED
from pagemap._vocabulary.rows.mapping import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    Counted = tuple[Mapping, Tally]
    # Out of the fields of mappings, a tuple each, and the tallies beside them.
    _Column = Callable[[list[tuple[Any, ...]], tuple[Tally, ...]], Iterable[Any]]

__all__ = ["HELD", "Lines"]

_COLUMNS = {counted: name for name, counted in COUNTED.items()}
HELD = ("size", *(_COLUMNS.get(name, name) for name in Tally._fields[1:]))
"""The columns that a tally fills, in its order; the size is that of all pages."""

# The other parts of a row: where the mapping is, and what it maps.
_PLACE = Mapping._fields[:2]
_OBJECT = Mapping._fields[2:]

# So many of them are kept in words, that memory stays flat whatever the target does.
_KEPT = 1 << 12


class _Texts(dict["tuple[Any, ...]", str]):
    """The words for a part of a row, by what they are made of."""

    def __init__(self, make: Callable[[tuple[Any, ...]], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, part: tuple[Any, ...]) -> str:
        text = self._make(part)
        if len(self) < _KEPT:
            self[part] = text
        return text


class Lines:
    """Makes a line of each mapping and its tally: the columns `names`, in this order.

    `address(name)` is a template for an address, `cell(name, value)` the words for all else;
    `between` stands between two cells, `around` is the template of a line, and `after` stands
    between two lines.
    """

    def __init__(
        self,
        names: Sequence[str],
        address: Callable[[str], str],
        cell: Callable[[str, Any], str],
        *,
        between: str = ",",
        around: str = "%s",
        after: str = "\n",
    ) -> None:
        # What makes the columns of a template, for a batch; an address is a column of numbers.
        self._columns: list[_Column] = []
        forms: list[str] = []
        for fields, run in groupby(names, _part):
            chosen = list(run)
            if fields == _PLACE:
                forms += map(address, chosen)
                self._columns += (_placed(fields.index(name)) for name in chosen)
            else:
                texts = _Texts(_worded(fields, chosen, cell, between))
                forms.append("%s")
                self._columns.append(_held(texts) if fields == HELD else _mapped(texts))
        self._row = around % between.join(forms)
        self._after = after
        self._form = ""  # of a whole batch, which costs less than a string for each line
        self._size = 0

    def __call__(self, batch: list[Counted]) -> str:
        """The lines of a batch, which is not empty."""
        if len(batch) != self._size:
            self._size = len(batch)
            self._form = self._after.join([self._row] * self._size)
        mappings, tallies = zip(*batch, strict=True)
        fields = list(zip(*mappings, strict=True))
        columns = [column(fields, tallies) for column in self._columns]
        return self._form % tuple(chain.from_iterable(zip(*columns, strict=True)))


def _part(name: str) -> tuple[str, ...]:
    return next(fields for fields in (_PLACE, _OBJECT, HELD) if name in fields)


# All of a column at once, without a step of Python's for each row.


def _placed(at: int) -> _Column:
    return lambda fields, _: fields[at]


def _held(texts: _Texts) -> _Column:
    return lambda _, tallies: map(texts.__getitem__, tallies)


def _mapped(texts: _Texts) -> _Column:
    return lambda fields, _: map(texts.__getitem__, zip(*fields[len(_PLACE) :], strict=True))


def _worded(
    fields: Sequence[str], chosen: list[str], cell: Callable[[str, Any], str], between: str
) -> Callable[[tuple[Any, ...]], str]:
    at = [(name, fields.index(name)) for name in chosen]
    return lambda part: between.join([cell(name, part[number]) for name, number in at])
