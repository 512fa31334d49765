"""What a snapshot file has, as a Table: its moments, and of each its processes."""

from __future__ import annotations

from time import time

from pagemap._space.about import about
from pagemap._tables.table import Table
from pagemap._vocabulary.rows.contents import CONTENTS
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pagemap._space.snapshot_file import SnapshotFile
    from pagemap._vocabulary.rows.contents import ContentsRow

__all__ = ["contents_of"]


def contents_of(file: SnapshotFile) -> Table[ContentsRow]:
    """A row for each process of each moment. Raises PagemapError where the file is damaged."""
    begin = time()
    rows = list(_rows(file))
    said = about(
        begin,
        snapshot=printable(file.path),
        format=file.version,
        moments=file.moments,
        size=file.size,
        cut_short=file.cut_short,
    )
    return Table.of_rows(CONTENTS, rows, about=said)


def _rows(file: SnapshotFile) -> Iterator[tuple[Any, ...]]:
    for moment in range(file.moments):
        full = file.about(moment).get("full") is True
        for record in file.processes(moment):
            facts = record.about
            yield (
                moment,
                facts["begin"],
                record.pid,
                record.name,
                facts["resident"] * facts["page_size"],
                record.saved,
                full,
                facts["complete"],
                facts["pfns_visible"],
                record.has_smaps,
                facts.get("frames_end") is not None,
                facts["stopped"],
                facts["host"],
                facts["kernel"],
            )
