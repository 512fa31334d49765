"""Processes that end at random moments while all of them are looked at.

Nobody who lives on is left out, and who ended is named or was read before. PAGEMAP_EXITS says how
many end (1000 before a release), PAGEMAP_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._analyses import footprint, footprint_groups, footprints
from pagemap._space.every_process import EveryProcess
from tests import oracle, workloads

if TYPE_CHECKING:
    from pagemap import Folder
    from tests.conftest import Start

EXITS = int(os.environ.get("PAGEMAP_EXITS", "40"))
AT_ONCE = 50

# Forks children that end, each after a delay of its own: milliseconds, one a line.
NURSERY = """
import os, sys, time
for line in sys.stdin:
    children = []
    for word in line.split():
        child = os.fork()
        if child == 0:
            time.sleep(float(word) / 1000)
            os._exit(0)
        children.append(child)
    print(*children, flush=True)
    for child in children:
        os.waitpid(child, 0)
    print("reaped", flush=True)
"""


@pytest.mark.parametrize(
    "options", [[], ["--by", "path"], ["--gentle"]], ids=["sums", "maps", "walk"]
)
def test_random_exits(options: list[str], command: list[str], pfns_visible: bool) -> None:
    if options == ["--gentle"] and not (pfns_visible and oracle.may_read("/proc/kpagecount")):
        pytest.skip("a gentle walk needs CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH")
    seed = int(os.environ.get("PAGEMAP_SEED") or random.randrange(1 << 32))
    sys.stdout.write(f"PAGEMAP_SEED={seed} repeats these delays\n")
    rng = random.Random(seed)
    words = [*command, "footprint", "--json", *options]
    began = time.monotonic()
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    whole = 1000 * (time.monotonic() - began)
    gone = 0
    with (
        workloads.idle() as staying,
        subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as nursery,
    ):
        assert nursery.stdin
        assert nursery.stdout
        for _ in range(max(1, EXITS // AT_ONCE)):
            # most of a run is the start of Python: few ends are spent on that
            delays = (rng.uniform(0.2, 1.5) * whole for _ in range(AT_ONCE))
            nursery.stdin.write(" ".join(f"{delay:.2f}" for delay in delays) + "\n")
            nursery.stdin.flush()
            children = set(map(int, nursery.stdout.readline().split()))
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 0, (seed, done.stderr)
            assert "Traceback" not in done.stderr
            data = json.loads(done.stdout)
            left_out = data["about"]["left_out"]
            vanished = {each["pid"] for each in left_out if each["reason"].startswith("ended")}
            assert staying.pid not in vanished
            if len(vanished) == 1:
                assert f"1 process ended or called exec meanwhile: {vanished.pop()}" in done.stderr
            elif vanished:
                assert f"{len(vanished)} processes ended or called exec meanwhile" in done.stderr
            if not options:
                rows = {row["pid"]: row for row in data["rows"]}
                assert {staying.pid, nursery.pid} <= rows.keys()
                assert not vanished & rows.keys()
            gone += len(vanished & children)
            assert nursery.stdout.readline() == "reaped\n"
        nursery.stdin.close()
    sys.stdout.write(f"ended before they were read: {gone}\n")


def test_ends_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them ends right before it is looked at, one after another."""
    targets = [workloads.Target([sys.executable, "-c", "input()"]) for _ in range(10)]
    try:
        pids = [target.pid for target in targets]

        really_open = EveryProcess.folder

        def folder(every: EveryProcess, pid: int) -> Folder:
            number = pids.index(pid)
            if number % 2:
                os.kill(pid, signal.SIGKILL)
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            if number % 4 == 3:
                targets[number].kill()
            return really_open(every, pid)

        monkeypatch.setattr(EveryProcess, "folder", folder)
        table = pagemap.footprints(pids)
        assert [row.pid for row in table] == pids[::2]
        left_out: Any = table.about["left_out"]
        assert [each["pid"] for each in left_out] == pids[1::2]
    finally:
        for target in targets:
            target.kill()


@pytest.mark.parametrize(
    ("columns", "reaped"),
    [(["page_tables"], False), (["user", "cgroup", "oom_score"], True), (["frees"], True)],
    ids=["a zombie", "gone", "gone before all are walked"],
)
def test_ends_before_a_column_that_is_read_later(
    columns: list[str], reaped: bool, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sums were read; but no total may be unknown because of what it has no more."""
    stays, goes = start(workloads.idle()), start(workloads.idle())
    really_read = footprint.read_sums

    def end() -> None:
        os.kill(goes.pid, signal.SIGKILL)
        os.waitid(os.P_PID, goes.pid, os.WEXITED | os.WNOWAIT)
        if reaped:
            goes.kill()

    def read_sums(folder: Folder) -> Any:
        sums = really_read(folder)
        if folder.pid == goes.pid and "frees" not in columns:
            end()
        return sums

    def freed(pids: Any, **options: Any) -> Any:
        end()
        return pagemap.freed(pids, **options)

    monkeypatch.setattr(footprints, "read_sums", read_sums)
    monkeypatch.setattr(footprint_groups, "freed", freed)
    table = pagemap.footprints([stays.pid, goes.pid], names=["pid", "rss", *columns])
    assert [row.pid for row in table] == [stays.pid]
    left_out: Any = table.about["left_out"]
    assert [each["pid"] for each in left_out] == [goes.pid]
    assert left_out[0]["reason"] == "ended or called exec meanwhile"
    assert None not in [getattr(table[0], name) for name in columns]
    for name in {"page_tables", "frees"}.intersection(columns):
        assert getattr(table.total(), name) == getattr(table[0], name)
