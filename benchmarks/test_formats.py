"""A table of 60,000 rows and 20 columns as CSV and JSON, beside json.dumps of the same rows."""

from __future__ import annotations

import csv
import io
import json
import random
from typing import TYPE_CHECKING, Any

from pagemap import Column, Schema
from pagemap import Table as Result
from pagemap._export import csv as csv_format
from pagemap._export import json as json_format

from .race import OURS, Table, race, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_benchmark.fixture import BenchmarkFixture

ROWS = 60_000
AMOUNTS = 14
DUMPS, CSV = "json.dumps", "as CSV"


def mappings() -> Result:
    """A result like that of maps: some text, addresses, amounts of which many are 0, a null."""
    drawn = random.Random(1)
    schema = Schema(
        "pagemap.like_maps",
        1,
        [
            Column("start", "int", "address", "where it begins"),
            Column("end", "int", "address", "where it ends"),
            Column("perms", "text", "", "what is allowed"),
            Column("path", "text", "", "what is mapped"),
            Column("locked", "bool", "", "whether it is locked"),
            Column("pss", "int", "bytes", "shared out", nullable=True),
            *(Column(f"amount_{at}", "int", "bytes", "so much") for at in range(AMOUNTS)),
        ],
    )
    rows: list[tuple[Any, ...]] = []
    at = 0x7F00_0000_0000
    for number in range(ROWS):
        size = drawn.randrange(1, 2000) << 12
        amounts = [drawn.randrange(size) & -4096 if i < 6 else 0 for i in range(AMOUNTS)]
        path, pss = f"/usr/lib/lib{number % 500}.so", drawn.randrange(size) if number % 7 else None
        rows.append((at, at + size, "rw-p", path, number % 2 == 0, pss, *amounts))
        at += size
    return Result.of_rows(schema, rows)


def test_sixty_thousand_rows(table: Table, benchmark: BenchmarkFixture) -> None:
    result = mappings()
    pieces: list[bytes] = []

    def written(write: Callable[[Iterable[Result], Any], None]) -> bytes:
        pieces.clear()
        write([result], pieces.append)
        return b"".join(pieces)

    document = json.loads(written(json_format.write))
    names = result.schema.names
    hexadecimal = [row[names.index("start")] for row in result]
    assert [int(row["start"], 16) for row in document["rows"]] == hexadecimal
    header, *lines = csv.reader(io.StringIO(written(csv_format.write).decode()))
    assert header == list(names)
    assert len(lines) == ROWS

    figures = race(
        benchmark,
        timed(lambda: json_format.write([result], pieces.append)),
        {
            DUMPS: timed(lambda: json.dumps(document)),
            CSV: timed(lambda: csv_format.write([result], pieces.append)),
            "free": timed(pieces.clear),
        },
        rounds=10,
        every={DUMPS: 3},
    )
    row = table.faster("table as JSON", figures[OURS], DUMPS, figures[DUMPS], at_least=8)
    table.faster("table as CSV", figures[CSV], DUMPS, figures[DUMPS])
    assert row.met, row
