"""`pagemap free-if`, as a person or a program asks it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pagemap._cli.commands.free_if import tell_estimate
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

MIB = 1 << 20


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_of_a_process(pagemap: Pagemap, start: Start, need_pfns: None) -> None:
    target = start(workloads.dense(4 * MIB))
    code, out, err = pagemap("free-if", target.pid, "--json")
    told = json.loads(out)
    (row,) = told["rows"]
    sums = oracle.smaps_rollup(target.pid)
    assert (code, told["schema"], told["about"]["estimated"]) == (0, "pagemap.freed", False)
    known = ("ended", "forbid", "other PID namespaces")  # the last where we are in one
    assert all(any(word in line for word in known) for line in err)
    assert row["anon"] == sums["Anonymous"]
    assert row["group"] == name_of(target.pid)
    assert row["name"] is None, "of a group, not of a process"
    assert row["stays"] + row["droppable"] + row["anon"] == sums["Rss"]


def test_groups(pagemap: Pagemap, start: Start, need_pfns: None) -> None:
    pids = [start(workloads.dense(4 * MIB)).pid for _ in range(2)]
    code, out, _ = pagemap("free-if", *pids, "--by", "process", "--json")
    told = json.loads(out)
    assert code == 0
    assert {row["group"] for row in told["rows"]} == set(map(str, pids))
    assert [row["name"] for row in told["rows"]] == [name_of(pids[0])] * 2
    assert told["total"]["frees"] == sum(row["frees"] for row in told["rows"]) >= 8 * MIB
    code, out, _ = pagemap("free-if", "--by", "name", "--columns", "group,processes", "--csv")
    assert code == 0
    name = name_of(pids[0])
    rows = dict(line.rsplit(",", 1) for line in out.decode().splitlines())
    assert int(rows[name]) >= len(pids)


def test_sessions_are_called_by_who_leads_them(pagemap: Pagemap) -> None:
    """They were numbers, and nothing told whose; one whose leader has ended has no name."""
    leads = subprocess.Popen(["sleep", "60"], start_new_session=True)
    orphan = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!"], start_new_session=True, stdout=subprocess.PIPE
    )
    assert orphan.stdout is not None
    pid = int(orphan.stdout.readline())
    orphan.stdout.close()
    orphan.wait()
    try:
        words = ("free-if", leads.pid, pid, "--by", "session")
        rows = json.loads(pagemap(*words, "--json")[1])["rows"]
        header, *_ = pagemap(*words)[1].decode().splitlines()
        other, *_ = pagemap("free-if", leads.pid, "--by", "name")[1].decode().splitlines()
    finally:
        os.kill(pid, signal.SIGKILL)
        leads.kill()
        leads.wait()
    names = {row["group"]: row["name"] for row in rows}
    assert names == {str(leads.pid): "sleep", str(orphan.pid): None}
    assert "NAME" in header.split()
    assert "NAME" not in other.split()


def test_without_rights(unprivileged: Pagemap, start: Start) -> None:
    """Of one's own processes an estimate; of others nothing."""
    code, out, err = unprivileged("free-if", "self", "--json")
    told = json.loads(out)
    assert (code, told["about"]["estimated"]) == (0, True)
    assert told["rows"][0]["shmem"] is None
    assert told["rows"][0]["anon"] > MIB
    assert any(line.startswith("pagemap: estimated, because cannot") for line in err)
    if os.geteuid() == 0:
        target = start(workloads.idle())
        code, out, err = unprivileged("free-if", target.pid)
        assert (code, out) == (77, b"")


@pytest.mark.parametrize(
    ("frees", "more"), [(8 * MIB, ""), (7 * MIB, ": with all of it 8.0 MiB would come back")]
)
def test_what_an_estimate_may_lack(
    capfd: pytest.CaptureFixture[str], frees: int, more: str
) -> None:
    """What would come back with all that is shared is said where it is more than FREES."""
    tell_estimate({"estimated": True, "why": None, "at_most": 8 * MIB}, frees)
    said = "pagemap: estimated; what is mapped more than once counts as staying"
    assert capfd.readouterr().err == f"{said}{more}\n"


def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int, need_pfns: None) -> None:
    code, out, err = pagemap("free-if", kernel_thread, "--json")
    said = [f"pagemap: process {kernel_thread} is a kernel thread: it has no mappings"]
    assert (code, json.loads(out)["rows"], err) == (0, [], said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "name the processes that end: TARGET..., --cgroup PATH, --user NAME, or --by WHAT"),
        ("self --cgroup /x", "give targets or --cgroup PATH, not both"),
        ("self --user root", "--user NAME stands alone"),
        ("--by colour", "--by knows no 'colour'"),
        ("--by user,name", "--by takes one word"),
    ],
)
def test_command_lines_that_cannot_be_understood(pagemap: Pagemap, line: str, said: str) -> None:
    code, out, err = pagemap("free-if", *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


def test_no_such_process(pagemap: Pagemap) -> None:
    code, out, _ = pagemap("free-if", 1 << 22)
    assert (code, out) == (66, b"")
