"""`pagemap doctor`: what it says of this machine, against what the tests see themselves."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests import everyone, workloads
from tests.cli.test_narrow_terminal import lines_on

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

NAMES = [
    *("maps", "pagemap", "PFNs", "kpageflags", "kpagecount", "kpagecgroup", "KSM flag"),
    *("exclusive", "PAGEMAP_SCAN"),
    *("scan wpallowed", "scan written", "scan file", "scan present", "scan swap"),
    *("scan pfnzero", "scan huge", "scan soft_dirty", "scan guard"),
    *("soft-dirty", "userfaultfd", "userfaultfd WP_ASYNC"),
    *("wss damon", "wss mglru", "wss referenced", "wss reclaim", "writes", "writes inject"),
    *("snapshot frames", "memory", "free-if", "cachestat", "NUMA nodes"),
]


class Report(NamedTuple):
    """The findings by their names, and how the command ended."""

    code: int
    pid: int
    findings: dict[str, dict[str, Any]]

    def ok(self, name: str) -> bool:
        return bool(self.findings[name]["ok"])


def report(pagemap: Pagemap, *target: int) -> Report:
    code, out, err = pagemap("doctor", *target, "--json")
    assert err == []
    about = json.loads(out)
    assert (about["schema"], about["version"]) == ("pagemap.doctor", 2)
    assert [finding["name"] for finding in about["rows"]] == NAMES
    for finding in about["rows"]:
        assert finding["detail"]
        assert finding["ok"] in (True, False, None)
        assert finding["remedy"] is None or not finding["ok"]
    return Report(code, about["about"]["pid"], {each["name"]: each for each in about["rows"]})


def readable(path: str) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:
            return len(file.read(8)) == 8
    except OSError:
        return False


def test_of_itself(pagemap: Pagemap, pfns_visible: bool) -> None:
    found = report(pagemap)
    assert found.code == 0
    assert found.ok("maps")
    assert found.ok("pagemap")
    assert found.ok("PFNs") == pfns_visible
    for name in ("kpageflags", "kpagecount", "kpagecgroup"):
        assert found.ok(name) == readable(f"/proc/{name}")
    tried = found.ok("PFNs") and found.ok("kpageflags")
    assert found.ok("KSM flag") == (tried and everyone.ksm_is_told())
    assert found.ok("memory") == found.ok("kpageflags")
    for name in ("snapshot frames", "free-if"):
        assert found.ok(name) == (tried and found.ok("kpagecount"))
    here = "/sys/devices/system/node"
    nodes = [each for each in os.listdir(here) if each[4:].isdecimal()]
    assert found.findings["NUMA nodes"]["detail"] == f"{len(nodes)} online"


def test_of_a_target(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.idle())
    found = report(pagemap, target.pid)
    assert (found.code, found.pid) == (0, target.pid)
    assert found.ok("wss referenced")
    assert found.ok("writes") == found.ok("soft-dirty")


def test_the_table_says_the_same(pagemap: Pagemap) -> None:
    code, out, err = pagemap("doctor")
    assert (code, err) == (0, [])
    lines = out.decode().splitlines()
    assert lines[0].split() == ["NAME", "OK", "DETAIL", "REMEDY"]
    here = lines[0].index("OK")
    found = report(pagemap)
    assert [line[:here].rstrip() for line in lines[1:]] == NAMES
    for line, name in zip(lines[1:], NAMES, strict=True):
        said = {True: "yes", False: "no", None: "-"}[found.findings[name]["ok"]]
        assert line[here : here + 3].strip() == said
        assert str(found.findings[name]["detail"]) in line


@pytest.mark.parametrize("width", [40, 80, 100, 250])
def test_no_advice_is_cut(pagemap: Pagemap, width: int) -> None:
    """Where columns are too narrow each finding has lines of its own."""
    lines = lines_on(pagemap, width, "doctor")
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for name, finding in report(pagemap).findings.items():
        for said in (name, finding["detail"], finding["remedy"]):
            assert said is None or str(said) in text


def test_without_rights(unprivileged: Pagemap) -> None:
    found = report(unprivileged)
    assert found.code == 0
    assert found.ok("pagemap")
    assert not found.ok("PFNs")
    assert "CAP_SYS_ADMIN" in str(found.findings["PFNs"]["remedy"])


def test_files_of_root_alone(pagemap_as_nobody: Pagemap) -> None:
    found = report(pagemap_as_nobody)
    assert found.code == 0
    for name in ("kpageflags", "kpagecount", "kpagecgroup", "KSM flag"):
        assert not found.ok(name)
        assert "sudo" in str(found.findings[name]["remedy"])


def test_of_a_process_of_another_user(pagemap_as_nobody: Pagemap) -> None:
    found = report(pagemap_as_nobody, os.getpid())
    assert found.code == 77
    for name in ("maps", "pagemap", "wss referenced"):
        assert not found.ok(name)
        assert "EACCES" in str(found.findings[name]["detail"])
        assert "CAP_SYS_PTRACE" in str(found.findings[name]["remedy"])


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_no_such_process(pagemap: Pagemap, unused_pid: int, more: list[str]) -> None:
    code, out, err = pagemap("doctor", unused_pid, *more)
    assert (code, out, len(err)) == (66, b"", 1)
    assert f"no process {unused_pid}" in err[0]


def test_a_zombie(pagemap: Pagemap, zombie: int) -> None:
    code, out, err = pagemap("doctor", zombie)
    assert (code, out, len(err)) == (66, b"", 1)
    assert "zombie" in err[0]
