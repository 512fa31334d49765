"""Tables as a stream of Arrow's IPC format, through pyarrow, which is imported here alone."""

from __future__ import annotations

from pagemap._errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pagemap._tables.table import Table

__all__ = ["write"]


def write(tables: Iterable[Table[Any]], write: Callable[[bytes], object]) -> None:
    """Write the tables, one at least, which are of one schema.

    Raises Unsupported without pyarrow.
    """
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError as error:
        raise Unsupported(
            "cannot write Arrow: pyarrow is not installed; "
            "install the extra: pip install 'linux-pagemap[arrow]'"
        ) from error
    writer = None
    for table in tables:
        reader = pa.RecordBatchReader.from_stream(table)
        if writer is None:
            writer = pa.ipc.new_stream(_Sink(write), reader.schema)
        for batch in reader:
            writer.write_batch(batch)
    if writer is not None:
        writer.close()


class _Sink:
    """As much of a file as pyarrow writes to."""

    closed = False

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.write = write

    def flush(self) -> None:
        """Nothing: what is written is passed on at once."""

    def close(self) -> None:
        """Nothing: who gave `write` closes it."""
