r"""Rows of tables as text. What a cell looks like is the same whichever command it comes from.

Numbers are decimal, but addresses, offsets, PFNs and bits hex with ``0x``, in JSON as a string, for
numbers past 2**53 lose digits in many readers. Booleans are true and false, in CSV 1 and 0; floats
as short as they can be read back. Text is guarded in CSV (`csv_cell`), ASCII in JSON; in both
stray bytes are in octal, as ``\377``. Lists are numbers with blanks between in CSV. What is not
known, or no finite number, is null, and empty in CSV.
"""

from __future__ import annotations

import struct
from array import array
from math import isfinite

from pagemap._native.cells import BOOL, DECIMAL, HEX, UNSIGNED, WORD, Cells, write_cells
from pagemap._vocabulary.text import csv_cell, json_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Column

    Encode = Callable[[Any], str]

__all__ = ["csv_lines", "json_items", "json_lines"]

_MOST_CHARACTERS = 1 << 22
_PART_ROWS = 512  # a path has 4 KiB at most, and of each byte become 6


def csv_lines(table: Table[Any], extra: Mapping[str, str]) -> Iterator[bytes]:
    """The rows as lines of CSV; the texts of `extra` begin each."""
    empty = "" if extra or len(table.schema) > 1 else '""'  # an empty line would be no row
    befores = [""] + [","] * (len(table.schema) - 1)
    befores[0] = "".join(f"{csv_cell(text)}," for text in extra.values())
    for part in _parts(table):
        columns = _columns(part, befores, _CSV, empty)
        yield from write_cells(
            columns, len(part), unknown=empty.encode(), after=b"\n", quoted=False
        )


def json_lines(table: Table[Any], extra: Mapping[str, str]) -> Iterator[bytes]:
    """The rows as objects, a line each; the texts of `extra` begin each."""
    return _objects(table, extra, b"}\n")


def json_items(table: Table[Any]) -> Iterator[bytes]:
    """The rows as objects, each with a comma and the end of a line after it, the last too."""
    return _objects(table, {}, b"},\n")


def _objects(table: Table[Any], extra: Mapping[str, str], after: bytes) -> Iterator[bytes]:
    befores = [f",{json_string(name)}:" for name in table.schema.names]
    first = "".join(f"{json_string(name)}:{json_string(text)}," for name, text in extra.items())
    befores[0] = "{" + first + befores[0][1:]
    for part in _parts(table):
        columns = _columns(part, befores, _JSON, "null")
        yield from write_cells(columns, len(part), unknown=b"null", after=after, quoted=True)


def _parts(table: Table[Any]) -> Iterator[Table[Any]]:
    """The table, or its rows a few at a time where its words are long: all are encoded at once."""
    columns = [table[column.name] for column in table.schema if column.type in ("text", "list")]
    if sum(sum(map(len, values.words)) for values in columns) <= _MOST_CHARACTERS:
        yield table
        return
    for first in range(0, len(table), _PART_ROWS):
        yield table.part(first, first + _PART_ROWS)


_CSV: dict[str, Encode] = {
    "bool": lambda cell: "1" if cell else "0",
    "text": csv_cell,
    "rights": str,  # "---p" is the kernel's own, and no formula
    "list": lambda cell: " ".join(map(str, cell)),
}
_JSON: dict[str, Encode] = {
    "bool": lambda cell: "true" if cell else "false",
    "text": json_string,
    "rights": json_string,
    "list": lambda cell: f"[{','.join(map(str, cell))}]",
}


def _columns(
    table: Table[Any], befores: Sequence[str], encode: Mapping[str, Encode], unknown: str
) -> list[Cells]:
    return [
        _cells(column, table[column.name], table.valid(column.name), before, encode, unknown)
        for column, before in zip(table.schema, befores, strict=True)
    ]


def _cells(
    column: Column,
    values: Any,
    valid: memoryview[bool] | None,
    before: str,
    encode: Mapping[str, Encode],
    unknown: str,
) -> Cells:
    head = before.encode()
    if column.type == "int":
        unsigned = UNSIGNED if column.unsigned else DECIMAL
        return Cells(HEX if column.hexadecimal else unsigned, values, valid, head)
    if column.type == "float":
        codes, words = _floats(values, unknown)
        return Cells(WORD, codes, valid, head, words)
    make = encode["rights" if column.unit == "rights" else column.type]
    if column.type == "bool":
        return Cells(BOOL, values, valid, head, [make(each).encode() for each in (False, True)])
    codes, words = values.codes, values.words
    if len(words) > len(codes):  # a part of a table has the words of all of it
        numbers: dict[int, int] = {}
        codes = memoryview(array("i", (numbers.setdefault(code, len(numbers)) for code in codes)))
        words = [words[code] for code in numbers]
    encoded = [(make(word) or unknown).encode() for word in words]
    return Cells(WORD, codes, valid, head, encoded)


def _floats(values: memoryview[float], unknown: str) -> tuple[memoryview[int], list[bytes]]:
    """Numbers of words, and the words: each different float is spelled once.

    They are told apart by their bits, for 0.0 and -0.0 are equal.
    """
    numbers: dict[int, int] = {}
    bits: memoryview[Any] = values.cast("B").cast("q")
    codes = array("i", (numbers.setdefault(each, len(numbers)) for each in bits))
    floats = struct.unpack(f"{len(numbers)}d", struct.pack(f"{len(numbers)}q", *numbers))
    words = [(repr(each) if isfinite(each) else unknown).encode() for each in floats]
    return memoryview(codes), words
