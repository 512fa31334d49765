"""Tables and streams as Arrow's capsules (the PyCapsule interface), without any library of Arrow.

Polars, pyarrow, pandas and DuckDB take what has `__arrow_c_stream__`. What a consumer gets is a
copy in memory of C's own, so it may outlive the table, and be released by any thread.
"""

from __future__ import annotations

from pagemap import _capsules
from pagemap._native import columns
from pagemap._vocabulary.text import json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pagemap._vocabulary.schema import Schema

__all__ = ["about_text", "schema_capsule", "stream_capsule", "table_capsule"]


def schema_capsule(
    schema: Schema[Any], words: Mapping[str, Sequence[str]], about: Mapping[str, object]
) -> object:
    """The capsule of a schema; `words` are those of its columns of text."""
    address = columns.schema_address(schema, _encoded(words), about_text(about))
    try:
        return _capsules.schema(address)
    except MemoryError:
        columns.free_schema(address)
        raise


def table_capsule(
    schema: Schema[Any],
    words: Mapping[str, Sequence[str]],
    about: Mapping[str, object],
    values: Mapping[str, tuple[memoryview[Any], memoryview[bool] | None]],
    rows: int,
) -> object:
    """The capsule of a stream of `rows` rows; of each column the values, and which are known."""
    address = columns.table_address(schema, _encoded(words), about_text(about), values, rows)
    return stream_capsule(address)


def stream_capsule(address: int) -> object:
    """The capsule of a stream at an address, which it takes over."""
    try:
        return _capsules.stream(address)
    except MemoryError:
        columns.free_stream(address)
        raise


def _encoded(words: Mapping[str, Sequence[str]]) -> dict[str, columns.Words]:
    return {name: columns.Words(each) for name, each in words.items()}


def about_text(about: Mapping[str, object]) -> dict[str, str]:
    """What holds for all rows, as a pair of metadata."""
    return {"about": json_text(about)} if about else {}
