"""Tables as a stream of Arrow's IPC format, through pyarrow, which is imported here alone."""

from __future__ import annotations

from pagemap._errors import Unsupported
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pagemap._tables.table import Table

__all__ = ["write"]


def write(tables: Iterable[Table[Any]], write: Callable[[bytes], object]) -> None:
    """Write the tables, one at least, which are of one schema.

    A column of text is of bytes where the first table has words that are not UTF-8; else stray
    bytes of a later one are in octal. Raises Unsupported without pyarrow.
    """
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError as error:
        raise Unsupported(
            "cannot write Arrow: pyarrow is not installed; "
            "install the extra: pip install 'linux-pagemap[arrow]'"
        ) from error
    writer = schema = None
    for table in tables:
        reader = pa.RecordBatchReader.from_stream(table)
        if writer is None:
            schema = reader.schema
            writer = pa.ipc.new_stream(_Sink(write), schema)
        for batch in reader:
            writer.write_batch(batch if batch.schema.equals(schema) else _like(batch, schema, pa))
    if writer is not None:
        writer.close()


def _like(batch: Any, schema: Any, pa: Any) -> Any:
    """The batch in a schema whose texts are of bytes where its own are not, or the other way."""
    arrays = []
    for array, field in zip(batch.columns, schema, strict=True):
        if array.type == field.type:
            arrays.append(array)
            continue
        words = array.dictionary.cast(pa.binary())
        if field.type.value_type == pa.string():
            texts = [word.decode("utf-8", "surrogateescape") for word in words.to_pylist()]
            words = pa.array(map(printable, texts), pa.string())
        arrays.append(pa.DictionaryArray.from_arrays(array.indices, words))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class _Sink:
    """As much of a file as pyarrow writes to."""

    closed = False

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, data: Any) -> None:
        """Write bytes, or a buffer of pyarrow's own."""
        self._write(bytes(data))

    def flush(self) -> None:
        """Nothing: what is written is passed on at once."""

    def close(self) -> None:
        """Nothing: who gave `write` closes it."""
