"""Readers of `pagemap maps` that leave, targets that go, and what the kernel is asked."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from pagemap._cli import main
from pagemap._process import Process
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start


@pytest.fixture
def many(start: Start) -> workloads.Target:
    """Rows for more than a pipe, and the command's buffers, can hold."""
    return start(workloads.many(30_000))


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"], ["--columns", "path"]])
def test_stdout_closed_early(pagemap: Pagemap, many: workloads.Target, form: list[str]) -> None:
    with pagemap.start("maps", many.pid, *form) as process:
        assert process.stdout
        assert process.stderr
        assert os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


@pytest.mark.parametrize("more", [[], ["--columns", "start"]])
def test_a_target_that_goes_away_midway(
    pagemap: Pagemap, many: workloads.Target, more: list[str]
) -> None:
    """It is an error, and never a short table that passes for a whole one."""
    mappings = len(oracle.maps(many.pid))
    with pagemap.start("maps", many.pid, "--json", *more) as process:
        assert process.stdout
        assert process.stderr
        many.kill()
        out = process.stdout.read()
        err = process.stderr.read().decode().splitlines()
        code = process.wait(timeout=60)
    if code == 0:  # all was read before it went
        assert len(json.loads(out)["rows"]) == mappings
        return
    assert code in (66, 75)  # it may have gone before it was opened
    assert len(err) == 1
    assert f"process {many.pid} " in err[0] or str(many.pid) in err[0]
    assert b'"total"' not in out


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The counts that the kernel is asked for, a sequence for each time."""
    calls: list[object] = []
    real = Process.tally

    def tally(self: Process, counts: list[str] | None = None, **more: int | None) -> object:
        calls.append(None if counts is None else sorted(counts))
        return real(self, counts, **more)

    monkeypatch.setattr(Process, "tally", tally)
    return calls


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("--columns start,present,path,swap", [["present", "swap"]]),
        ("--columns start,size --sort uss", [["uss"]]),
        ("--columns rss --top 0", [["rss"]]),
        ("--columns start,end,size,path --json", [[]]),
        ("--columns path --sort size", [[]]),
    ],
)
def test_only_what_is_shown_is_asked_for(
    asked: list[object], capfd: pytest.CaptureFixture[str], line: str, counts: list[object]
) -> None:
    assert main(["maps", "self", *line.split()]) == 0
    if counts == [["uss"]] and not oracle.counts_mappings():
        counts = [["huge", "hugetlb", "uss"]]  # of huge pages it is not certain then
    assert asked == counts
    assert capfd.readouterr().out
