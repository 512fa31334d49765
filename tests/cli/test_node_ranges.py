"""`--node` of dump, regions and segments: the present pages whose frames are on a node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE


@pytest.mark.usefixtures("need_pfns")
def test_pages_on_a_node(pagemap: Pagemap, start: Start) -> None:
    """Among touched and untouched pages those that have a frame; on one node all of these."""
    target = start(workloads.sparse(1 << 22, 4 * PAGE))
    target.stop()
    area = target.first
    within = ("--range", f"{area.start:#x}-{area.end:#x}")
    present = [
        area.start + number * PAGE
        for number, entry in enumerate(oracle.entries(target.pid, area.start, area.end))
        if entry >> 63
    ]
    assert 0 < len(present) < (area.end - area.start) // PAGE
    words = ("dump", target.pid, "--node", "all", *within, "--columns", "address", "--csv")
    code, out, _ = pagemap(*words)
    assert (code, [int(line, 16) for line in out.split()[1:]]) == (0, present)
    code, out, _ = pagemap("regions", target.pid, "--node", "all", *within, "--json")
    assert (code, json.loads(out)["total"]["size"]) == (0, len(present) * PAGE)
    code, out, _ = pagemap("segments", target.pid, "--node", "all", *within, "--json")
    assert (code, json.loads(out)["total"]["size"]) == (0, len(present) * PAGE)


@pytest.mark.usefixtures("need_pfns")
@pytest.mark.parametrize("command", ["dump", "maps", "regions", "segments"])
def test_a_node_without_memory(pagemap: Pagemap, command: str) -> None:
    """Three commands showed an empty table before they said so."""
    words = (command, "self", "--node")
    code, out, err = pagemap(*words, "999")
    assert (code, out, len(err)) == (1, b"", 1)
    said, _, nodes = err[0].partition("; nodes that have: ")
    assert said == "pagemap: node 999 has no memory"
    code, out, some = pagemap(*words, f"{nodes},999".replace(" ", ""), "--csv")
    assert code == 0
    assert out
    assert err[0] in some


def test_without_rights(unprivileged: Pagemap) -> None:
    """Said of segments once, with the advice to use what had just failed."""
    for command in ("regions", "dump"):
        code, out, err = unprivileged(command, "self", "--node", "0")
        assert (code, out, len(err)) == (77, b"", 1)
        assert "cannot tell which pages of process" in err[0]
        assert "'pagemap maps --node' shows" in err[0]


@pytest.mark.usefixtures("need_pfns")
def test_chosen_mappings(pagemap: Pagemap, start: Start) -> None:
    """Together with --range and --node what is in all of them."""
    target = start(workloads.dense(1 << 20))
    target.stop()
    (stack,) = (each for each in oracle.maps(target.pid) if each.path == "[stack]")
    words = (target.pid, "--map", "[stack]", "--node", "all", "--columns", "start,end", "--csv")
    code, out, _ = pagemap("regions", *words)
    regions = [[int(word, 16) for word in line.split(b",")] for line in out.split()[1:]]
    assert code == 0
    assert regions
    assert all(stack.start <= start < end <= stack.end for start, end in regions)
    beside = f"{target.first.start:#x}-{target.first.end:#x}"
    code, out, err = pagemap("segments", *words, "--range", beside)
    assert (code, out.split(), err) == (0, [b"start,end"], [])
    for command in ("regions", "types"):
        code, out, err = pagemap(command, "self", "--map", "no such", "--csv")
        assert (code, len(out.split())) == (1, 1)
        assert err == ["pagemap: no mapping matches the pattern 'no such'"]
    code, out, _ = pagemap("types", target.pid, "--map", "[stack]", "--list-each", "--json")
    addresses = [int(row["address"], 16) for row in json.loads(out)["rows"]]
    assert code == 0
    assert addresses
    assert all(stack.start <= each < stack.end for each in addresses)
    assert pagemap("types", "--map", "[stack]")[:2] == (2, b"")
