"""Columns handed to C, which makes streams of Arrow of them."""

from __future__ import annotations

import os
import struct

from pagemap._core import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pagemap._vocabulary.schema import Schema

__all__ = [
    "SchemaTable",
    "Words",
    "codes_end",
    "free_schema",
    "free_stream",
    "made",
    "schema_address",
    "table_address",
]

_TYPES: dict[str, int] = {
    "int": lib.PM_TYPE_INT64,
    "float": lib.PM_TYPE_FLOAT64,
    "bool": lib.PM_TYPE_BOOL,
    "text": lib.PM_TYPE_TEXT,
    "list": lib.PM_TYPE_TEXT,  # numbers, parted by blanks
}

_ITEMS = {
    "int": "int64_t",
    "float": "double",
    "bool": "uint8_t",
    "text": "int32_t",
    "list": "int32_t",
}


class Words:
    """The words of a column of text, as C takes them."""

    __slots__ = ("_bytes", "_ends", "binary", "count")

    def __init__(self, words: Sequence[str]) -> None:
        encoded = [word.encode("utf-8", "surrogateescape") for word in words]
        ends = [0]
        for word in encoded:
            ends.append(ends[-1] + len(word))
        if ends[-1] >= 1 << 31:
            raise MemoryError("the words of a column of text take 2 GiB or more")
        self._bytes = ffi.from_buffer("char[]", b"".join(encoded) + b"\0")
        self._ends = ffi.new("int32_t[]", ends)
        self.count = len(encoded)
        self.binary = any(map(_has_stray_bytes, words))

    def put(self, into: Any) -> None:
        """Fill a struct pm_words."""
        into.bytes = self._bytes
        into.ends = self._ends
        into.count = self.count
        into.binary = self.binary


def _has_stray_bytes(word: str) -> bool:
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _metadata(pairs: Mapping[str, str]) -> Any:
    """Pairs as Arrow encodes them: their number, then each with its length before it."""
    data = struct.pack("=i", len(pairs))
    for pair in pairs.items():
        for each in pair:
            raw = each.encode("utf-8", "surrogateescape")
            data += struct.pack("=i", len(raw)) + raw
    return ffi.from_buffer("char[]", data)


class SchemaTable:
    """A struct pm_schema, and what it points to."""

    __slots__ = ("_keep", "struct")

    def __init__(
        self, schema: Schema[Any], words: Mapping[str, Words], about: Mapping[str, str]
    ) -> None:
        fields = ffi.new("struct pm_field[]", len(schema))
        keep: list[Any] = [fields]
        for field, column in zip(fields, schema, strict=True):
            name = ffi.new("char[]", column.name.encode())
            metadata = _metadata({"unit": column.unit, "meaning": column.meaning})
            field.name = name
            field.metadata = metadata
            field.metadata_size = len(metadata)
            field.type = _TYPES[column.type]
            field.nullable = column.nullable
            keep += (name, metadata)
            if column.type in ("text", "list"):
                words[column.name].put(field.words)
        whole = _metadata({"schema": schema.name, "version": str(schema.version), **about})
        keep += (whole, words)
        self._keep = keep
        self.struct = ffi.new("struct pm_schema *")
        self.struct.fields = fields
        self.struct.count = len(schema)
        self.struct.metadata = whole
        self.struct.metadata_size = len(whole)


def made(pointer: Any) -> int:
    """The address of what C made. Raises OSError, MemoryError where it could not."""
    if pointer == ffi.NULL:
        if ffi.errno:
            raise OSError(ffi.errno, os.strerror(ffi.errno))
        raise MemoryError
    return int(ffi.cast("uintptr_t", pointer))


def schema_address(
    schema: Schema[Any], words: Mapping[str, Words], about: Mapping[str, str]
) -> int:
    """The address of a new struct ArrowSchema."""
    ours = SchemaTable(schema, words, about)  # a name: it lives until C has copied it
    return made(lib.pm_arrow_schema_of(ours.struct))


def codes_end(codes: memoryview[int], words: int) -> int:
    """The first row whose word is none of `words`; the number of rows where all are."""
    return int(lib.pm_codes_end(ffi.from_buffer("int32_t[]", codes), len(codes), words))


def _bytes_of(valid: memoryview[bool] | None, rows: int) -> Any:
    return ffi.NULL if valid is None else ffi.from_buffer(f"uint8_t[{rows}]", valid)


def table_address(
    schema: Schema[Any],
    words: Mapping[str, Words],
    about: Mapping[str, str],
    columns: Mapping[str, tuple[memoryview[Any], memoryview[bool] | None]],
    rows: int,
) -> int:
    """The address of a new struct ArrowArrayStream of columns: values, and what is known.

    Raises ValueError where one of them has less than `rows`.
    """
    table = ffi.new("struct pm_column[]", len(schema))
    for at, column in zip(table, schema, strict=True):
        values, valid = columns[column.name]  # which hold the memory
        at.values = ffi.from_buffer(f"{_ITEMS[column.type]}[{rows}]", values)
        at.valid = _bytes_of(valid, rows)
    ours = SchemaTable(schema, words, about)
    return made(lib.pm_arrow_table(ours.struct, table, rows))


def free_schema(address: int) -> None:
    """Free a schema that no capsule has taken over."""
    lib.pm_arrow_free_schema(ffi.cast("void *", address))


def free_stream(address: int) -> None:
    """Free a stream that no capsule has taken over."""
    lib.pm_arrow_free_stream(ffi.cast("void *", address))
