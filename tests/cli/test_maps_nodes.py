"""`pagemap maps --node` and `--by node`: rows, sums, messages, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

MIB = 1 << 20


@pytest.fixture
def only_node() -> None:
    if len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) != 1:
        pytest.skip("this machine has several NUMA nodes, or tells none")


@pytest.mark.usefixtures("only_node")
def test_one_node(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(4 * MIB))
    target.stop()
    one = "pagemap: all memory of this machine is on one NUMA node, 0"
    code, out, err = pagemap("maps", target.pid, "--node", "0", "--json")
    document = json.loads(out)
    assert (code, err) == (0, [one])
    assert (document["schema"], document["about"]["nodes"]) == ("pagemap.nodes", [0])
    assert {row["node"] for row in document["rows"]} == {0}
    mine = [row for row in document["rows"] if int(row["start"], 16) == target.first.start]
    assert [row["resident"] for row in mine] == [4 * MIB]
    total = document["total"]
    code, out, err = pagemap("maps", target.pid, "--by", "node", "--json")
    (row,) = json.loads(out)["rows"]
    assert (code, err) == (0, [one])
    assert (row["node"], row["resident"]) == (0, total["resident"])
    assert row["rows"] == len(document["rows"])
    words = [
        "maps",
        str(target.pid),
        "--node",
        "all",
        "--map",
        "[stack]",
        "--columns",
        "resident,path",
    ]
    code, out, err = pagemap(*words, "--csv")
    assert (code, err, out.decode().splitlines()[1].split(",")[1]) == (0, [one], "[stack]")


@pytest.mark.usefixtures("only_node")
def test_a_node_that_has_no_memory(pagemap: Pagemap) -> None:
    code, out, err = pagemap("maps", "self", "--node", "1,7", "--csv", "--no-header")
    assert (code, out) == (1, b"")
    assert err == ["pagemap: nodes 1 and 7 have no memory; nodes that have: 0"]


def test_errors(pagemap: Pagemap, unused_pid: int) -> None:
    for words in ("self --node 0,x", "self --node 0 --by rss"):
        assert pagemap("maps", *words.split())[:2] == (2, b""), words
    assert pagemap("maps", unused_pid, "--by", "node")[:2] == (66, b"")


def test_of_a_snapshot(pagemap: Pagemap, tmp_path: Path) -> None:
    path = str(tmp_path / "own.pagemap")
    assert pagemap("snapshot", "self", "-o", path)[0] == 0
    code, out, err = pagemap("maps", path, "--by", "node", "--json")
    if code == 77:  # as nobody, where there are several nodes
        assert "was taken without them" in err[0]
    else:
        document = json.loads(out)
        assert document["about"]["snapshot"] == path
        assert document["total"]["resident"] > 0
        assert document["total"]["remote"] is None
    assert pagemap("maps", "self", "--by", "node", "--since", path)[:2] == (2, b"")
