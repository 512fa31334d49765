"""`dump` in every format: the same pages, cell by cell, also of chosen mappings."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow.ipc
import pytest

import pagemap
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE


def dumped(target: Any, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    rows = pagemap.dump(target, file, format=form, **options)
    assert rows == len(rows_of(form, file.getvalue()))
    return file.getvalue()


def rows_of(form: str, out: bytes) -> list[dict[str, Any]]:
    """As JSON has them; of text and CSV all cells are texts."""
    if form == "json":
        rows: list[dict[str, Any]] = json.loads(out)["rows"]
        return rows
    if form == "jsonl":
        return [json.loads(line) for line in out.splitlines()]
    if form == "arrow":
        return list(pyarrow.ipc.open_stream(out).read_all().to_pylist())
    if form == "text":
        return [{"line": line} for line in out.splitlines()[1:]]
    names, *rest = oracle.read_csv(out)
    return [dict(zip(names, row, strict=True)) for row in rest]


def number(cell: object) -> object:
    return int(cell, 16) if isinstance(cell, str) and cell.startswith("0x") else cell


def inside(target: Target) -> dict[str, Any]:
    """What only the target maps, for others change what is exclusive."""
    odd = next(line for line in oracle.maps(target.pid) if "blanks" in line.path)
    return {
        "select": lambda path: path in ("[stack]", odd.path),
        "ranges": [(0, odd.end - PAGE), (odd.end - PAGE, 2**64)],
    }


@pytest.mark.parametrize("populated", [True, False])
def test_formats_agree(start: Start, *, populated: bool) -> None:
    target = start(workloads.odd_path())
    target.stop()
    options = {**inside(target), "populated": populated}
    found = {
        form: rows_of(form, dumped(target.pid, form, **options))
        for form in ("text", "csv", "json", "jsonl", "arrow")
    }
    assert {row["path"] for row in found["json"]} >= {"[stack]"}
    assert found["jsonl"] == found["json"]
    assert len(found["text"]) == len(found["json"])
    for row, cells, of_arrow in zip(found["json"], found["csv"], found["arrow"], strict=True):
        assert list(row) == list(cells) == list(of_arrow) == oracle.COLUMNS
        for name in oracle.COLUMNS[:-1]:
            assert of_arrow[name] == number(row[name]), name
            cell = row[name]
            wanted = "" if cell is None else str(int(cell) if isinstance(cell, bool) else cell)
            assert cells[name] == wanted, name
        path = of_arrow["path"]
        text = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path
        assert oracle.in_json(text) == row["path"]


@pytest.mark.parametrize("form", ["json", "arrow"])
def test_nothing_chosen(start: Start, form: str) -> None:
    """There is a document, and a schema, and they have no rows."""
    target = start(workloads.idle())
    out = dumped(target.pid, form, select=lambda _: False)
    assert rows_of(form, out) == []
    if form == "json":
        assert json.loads(out)["about"]["pid"] == target.pid
    else:
        assert pyarrow.ipc.open_stream(out).schema.names == oracle.COLUMNS
