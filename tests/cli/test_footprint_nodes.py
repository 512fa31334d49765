"""`pagemap footprint --nodes` and `--map`: columns, rows, and what does not go together."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pagemap
from tests import workloads
from tests.cli.conftest import Pagemap

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Start

MIB = 1 << 20

ENDING = """
import os, signal, sys, pagemap._cli
from pagemap._space.every_process import EveryProcess
last, really_open = int(sys.argv.pop()), EveryProcess.described
def described(every, pid):
    if pid == last:
        os.kill(pid, signal.SIGKILL)
        while open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z":
            pass
    return really_open(every, pid)
EveryProcess.described = described
sys.exit(pagemap._cli.main(sys.argv[1:]))
"""
"""The command; the process of the last argument ends right before its nodes are asked for."""


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


def test_a_process_that_ends_before_its_nodes_are_asked_for(start: Start) -> None:
    """It has no row, and is counted as all that end meanwhile; so the sums are known."""
    stays, goes = start(workloads.idle()), start(workloads.idle())
    pagemap = Pagemap([sys.executable, "-c", ENDING])
    words = ("footprint", stays.pid, goes.pid, "--nodes", "--json", goes.pid)
    code, out, err = pagemap(*words)
    document = json.loads(out)
    assert [row["pid"] for row in document["rows"]] == [stays.pid]
    assert [each["pid"] for each in document["about"]["left_out"]] == [goes.pid]
    assert document["about"]["complete"] is False
    nodes = [f"node_{each}" for each in document["about"]["nodes"]]
    assert sum(document["total"][each] for each in nodes) == sum(
        document["rows"][0][each] for each in nodes
    )
    assert document["total"]["remote"] is not None
    assert code in (66, 75)
    assert any(str(goes.pid) in line for line in err)
