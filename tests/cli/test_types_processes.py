"""`pagemap types` of several processes: each page of each, and each frame once."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from tests import everyone, oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20


def test_several_targets(
    pagemap: Pagemap, start: Start, need_frames: None, unused_pid: int
) -> None:
    pids = [start(workloads.dense(MIB)).pid, start(workloads.dense(2 * MIB)).pid]
    singles = [json.loads(pagemap("types", pid, "--json").out)["total"]["pages"] for pid in pids]
    code, out, err = pagemap("types", *pids, "--json")
    assert (code, err) == (0, [])
    assert (
        abs(json.loads(out)["total"]["pages"] - sum(singles)) < 40
    )  # libraries are mapped around faults
    code, out, err = pagemap("types", *pids, "--list", "--csv")
    assert {row["pid"] for row in csv.DictReader(io.StringIO(out.decode()))} == set(map(str, pids))
    code, out, err = pagemap("types", pids[0], unused_pid, "--json")
    assert code == 66
    assert json.loads(out)["total"]["pages"] > 200
    assert len(err) == 1
    assert str(unused_pid) in err[0]


def test_frames_of_two_processes_count_once(
    pagemap: Pagemap, start: Start, need_frames: None
) -> None:
    """What a child shares with its parent was counted for each of them."""
    parent = start(workloads.dense(4 * MIB))
    child = parent.ask("f")
    parent.stop()
    area = parent.first
    pfns = {
        oracle.pfn(entry)
        for pid in (parent.pid, child)
        for line in oracle.maps(pid)
        for entry in oracle.entries(pid, line.start, line.end)
        if oracle.pfn(entry)
    }
    told = [json.loads(pagemap("types", pid, "--json").out)["total"] for pid in (parent.pid, child)]
    both = json.loads(pagemap("types", parent.pid, child, "--json").out)["total"]
    assert abs(both["pages"] - told[0]["pages"] - told[1]["pages"]) < 40
    assert abs(both["frames"] - len(pfns)) < 40
    assert both["frames"] < told[0]["frames"] + told[1]["frames"] - area.pages + 40
    assert both["size"] == both["frames"] * PAGE


def test_a_name_may_fit_several(pagemap: Pagemap, namesakes: list[int], need_frames: None) -> None:
    """Then a list says of which process each row is, and of one that is named twice it need not."""
    name = everyone.status(namesakes[0], "Name")
    code, out, err = pagemap("types", name, "--list", "--csv")
    assert (code, err) == (0, [])
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert {int(row["pid"]) for row in rows} >= set(namesakes)
    pid = namesakes[0]
    code, out, err = pagemap("types", pid, pid, "--list", "--csv", "--columns", "address")
    assert (code, err, out.splitlines()[0]) == (0, [], b"address")


@pytest.mark.parametrize("how", ["twice", "vfork", "CLONE_VM"])
def test_one_address_space_counts_once(
    pagemap: Pagemap, start: Start, need_frames: None, how: str
) -> None:
    """`types P P`, and a child of vfork beside its parent, counted all pages twice."""
    if how == "CLONE_VM":
        target = start(workloads.own_target("clone_vm", 2 * MIB))
        (other,) = target.children
    else:
        target = start(workloads.dense(2 * MIB))
        other = target.ask("v") if how == "vfork" else target.pid
    alone = json.loads(pagemap("types", target.pid, "--json").out)["total"]["pages"]
    code, out, err = pagemap("types", target.pid, other, "--json")
    assert code == 0
    assert abs(json.loads(out)["total"]["pages"] - alone) < 40
    said = [f"counted once (vfork, CLONE_VM): process {target.pid} includes {other}"]
    assert err == ([] if how == "twice" else [f"pagemap: {each}" for each in said])
