"""Names as long as a path may be, and full of what is written in octal: time, memory, cells."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from pagemap._export import csv as csv_format
from pagemap._export import jsonl as jsonl_format
from pagemap._render import terminal
from pagemap._tables.table import Table
from pagemap._vocabulary.schema import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 5000
SCHEMA = Schema(
    "pagemap.example",
    1,
    [
        Column("path", "text", "", "the file", rank=0),
        Column("rss", "int", "bytes", "resident", rank=0),
        Column("name", "text", "", "its process", nullable=True, rank=0),
    ],
)


def table(character: str, rows: int) -> Table:
    return Table.of_rows(
        SCHEMA, [(f"/{i}{character * 3990}{i}", i, None if i % 2 else "sh") for i in range(rows)]
    )


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (terminal.write, {}),
        (terminal.write, {"names": ["rss", "path"]}),
        (terminal.write, {"width": 100}),
        (csv_format.write, {}),
        (jsonl_format.write, {}),
    ],
)
def test_memory_does_not_grow_with_the_rows(
    write: Callable[..., None], options: dict[str, Any]
) -> None:
    """All cells of a block, or all words of a table, were made at once, and padded."""
    whole = table("\n", ROWS)
    size = 0

    def put(text: str | bytes) -> None:
        nonlocal size
        size += len(text)

    tracemalloc.start()
    try:
        write([whole], put, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > ROWS * 90
    assert peak < 64 << 20


@pytest.mark.parametrize("character", ["\n", "\x1b", "\udcff", "\u20ac", "\u202e", "x"])
def test_what_is_cut_is_as_if_it_were_cut_of_all(character: str) -> None:
    out: list[str] = []
    terminal.write([table(character, 12)], out.append, names=["path"], width=41)
    spelled = {
        "\n": "\\012",
        "\x1b": "\\033",
        "\udcff": "\\377",
        "\u202e": "\\342\\200\\256",
    }.get(character, character)
    wanted = []
    for number in range(12):
        text = f"/{number}{spelled * 3990}{number}"
        wanted.append(f"{text[:20]}\u2026{text[-20:]}")
    assert "".join(out).splitlines() == ["PATH", *wanted]
