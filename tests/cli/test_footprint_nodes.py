"""`pagemap footprint --nodes` and `--map`: columns, rows, and what does not go together."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pagemap
from tests import workloads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

MIB = 1 << 20


def rows_of(out: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(out)["rows"]
    return rows


def test_columns_of_nodes(pagemap: Pagemap, start: Start) -> None:
    """They have what Process.nodes has, of the process and of each mapping."""
    target = start(workloads.dense(4 * MIB))
    target.stop()
    by_node = {(row.start, row.node): row.resident for row in nodes_of(target.pid)}
    nodes = sorted({node for _, node in by_node if node is not None})
    code, out, _ = pagemap("footprint", target.pid, "--nodes", "--json")
    (row,) = rows_of(out)
    assert (code, json.loads(out)["about"]["nodes"]) == (0, nodes)
    for node in nodes:
        sizes = [size for (_, each), size in by_node.items() if each == node]
        assert row[f"node_{node}"] == sum(sizes)
    assert row["misplaced"] == 0
    words = ("footprint", target.pid, "--nodes", "--by", "mapping", "--map", "[anon]", "--json")
    rows = rows_of(pagemap(*words).out)
    assert {row["path"] for row in rows} == {""}
    for row in rows:
        for node in nodes:
            assert row[f"node_{node}"] == by_node.get((int(row["start"], 16), node), 0)
    words = ("footprint", target.pid, "--nodes", "--by", "user", "--columns", "misplaced", "--csv")
    assert pagemap(*words).out == b"misplaced\n0\n"


def nodes_of(pid: int) -> list[pagemap.NodeRow]:
    with pagemap.Process(pid) as process:
        return list(process.nodes())


def test_chosen_mappings(pagemap: Pagemap) -> None:
    words = ("footprint", "self", "--by", "path", "--map", "[heap]", "--map", "[stack]", "--csv")
    code, out, err = pagemap(*words, "--columns", "mappings,path")
    assert (code, err) == (0, [])
    assert sorted(line.split(b",")[1] for line in out.split()[1:]) == [b"[heap]", b"[stack]"]
    code, out, err = pagemap("footprint", "self", "--by", "mapping", "--map", "no such", "--csv")
    assert (code, len(out.splitlines())) == (1, 1)
    assert err == ["pagemap: no mapping matches the pattern 'no such'"]


def test_what_does_not_go_together(pagemap: Pagemap, tmp_path: Path) -> None:
    for words in ("--map [heap]", "--nodes --by path", "--nodes --gentle", "--columns node_0"):
        assert pagemap("footprint", "self", *words.split())[:2] == (2, b""), words
    path = str(tmp_path / "own.pagemap")
    assert pagemap("snapshot", str(os.getpid()), "--smaps", "-o", path)[0] == 0
    assert pagemap("footprint", path, "--nodes")[:2] == (69, b"")
