"""`pagemap segments`: whole outputs, and every error with its exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20


@pytest.mark.usefixtures("need_pfns")
def test_a_range(pagemap: Pagemap, start: Start) -> None:
    """All of it, in order of address; or the largest first."""
    target = start(workloads.dense(4 * MIB))
    target.stop()
    area = target.first
    words = ["segments", str(target.pid), "--range", f"{area.start:#x}-{area.end:#x}"]
    code, out, err = pagemap(*words, "--transfer", str(PAGE), "--json")
    assert (code, err) == (0, [])
    document = json.loads(out)
    assert (document["schema"], document["version"]) == ("pagemap.segments", 1)
    assert document["about"]["pid"] == target.pid
    assert document["total"] == {"size": 4 * MIB, "transfers": 4 * MIB // PAGE}
    starts = [int(row["start"], 16) for row in document["rows"]]
    assert starts == sorted(starts)
    assert starts[0] == area.start
    code, out, _ = pagemap(*words, "--sort", "size", "--top", "3", "--columns", "size", "--csv")
    assert code == 0
    sizes = [int(line) for line in out.split()[1:]]
    assert sizes == sorted((row["size"] for row in document["rows"]), reverse=True)[:3]
    code, out, _ = pagemap(*words, "--by", "node", "--json")
    assert [row["size"] for row in json.loads(out)["rows"]] == [4 * MIB]


def test_errors(pagemap: Pagemap, unused_pid: int) -> None:
    assert pagemap("segments", unused_pid)[:2] == (66, b"")
    for line in ("self --transfer 0", "self --transfer 4k", "self --range 5-4", ""):
        assert pagemap("segments", *line.split())[:2] == (2, b""), line


def test_without_rights(unprivileged: Pagemap) -> None:
    code, out, err = unprivileged("segments", "self")
    assert (code, out) == (77, b"")
    assert "CAP_SYS_ADMIN" in err[0]


@pytest.mark.usefixtures("need_pfns")
def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int) -> None:
    code, out, err = pagemap("segments", kernel_thread, "--json")
    assert (code, json.loads(out)["rows"]) == (0, [])
    assert err == [f"pagemap: process {kernel_thread} is a kernel thread: it has no mappings"]
