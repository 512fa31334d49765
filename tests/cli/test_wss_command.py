"""`pagemap wss`, through its front door."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import looks, oracle, touching, workloads
from tests.touching import SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Pagemap

SLACK = 2 * oracle.PAGE


@pytest.fixture
def toucher() -> Iterator[touching.Toucher]:
    with touching.toucher() as process:
        yield process


def begun(toucher: touching.Toucher) -> bool:
    """Whether the marks of what was touched have been taken away: that of `cold` stays away."""
    accounts = oracle.parse_smaps(Path(f"/proc/{toucher.pid}/smaps").read_bytes())
    (heap,) = (each for each in accounts if each.start == toucher.hot.start)
    return heap.sizes["Referenced"] <= SIZE + SLACK


@contextlib.contextmanager
def killed(
    toucher: touching.Toucher, when: Callable[[touching.Toucher], bool], later: float = 0
) -> Iterator[None]:
    """Kill it so many seconds after what is waited for."""

    def kill() -> None:
        workloads.wait_until(lambda: when(toucher))
        time.sleep(later)
        os.kill(toucher.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()


def rows_of(out: bytes) -> dict[int, dict[str, Any]]:
    return {int(row["start"], 16): row for row in json.loads(out)["rows"]}


def test_which_half_is_cold(pagemap: Pagemap, toucher: touching.Toucher) -> None:
    words = ("--over", "500ms", "--idle", "100ms,0.25", "--method", "referenced", "--json")

    def look() -> tuple[tuple[bytes, list[bool]], object]:
        code, out, err = pagemap("wss", toucher.pid, *words)
        assert (code, len(err)) == (0, 1)
        assert err[0].startswith("pagemap: method referenced: approximate, by mapping: ")
        row = rows_of(out)[toucher.hot.start]
        assert row["rss"] == 2 * SIZE == row["touched"] + row["idle_500ms"]
        names = ("touched", "idle_100ms", "idle_250ms", "idle_500ms")
        # on a busy machine it has not always had a turn in 100 ms
        return (out, [abs(row[name] - SIZE) <= SLACK for name in names]), (out, [True] * 4)

    out, _ = looks.agreed(look)
    data = json.loads(out)
    assert (data["schema"], data["version"]) == ("pagemap.working_set", 1)
    assert data["about"]["method"] == "referenced"
    assert data["total"]["touched"] == sum(each["touched"] for each in data["rows"])


@pytest.mark.parametrize("sort", [(), ("--sort", "rss")])
def test_what_was_read_when_it_exits(
    pagemap: Pagemap, toucher: touching.Toucher, sort: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "rows"
    words = ("--over", "1m", "--idle", "100ms", "--method", "referenced", "--json", *sort)
    with killed(toucher, begun, later=0.7):
        code, out, err = pagemap("wss", toucher.pid, *words, "-o", str(file))
    assert (code, out) == (75, b"")
    assert err[-1] == f"pagemap: process {toucher.pid} exited before it was read to the end"
    data = json.loads(file.read_bytes())
    row = rows_of(file.read_bytes())[toucher.hot.start]
    assert abs(row["idle_100ms"] - SIZE) <= SLACK
    assert (row["touched"], row["idle_60s"]) == (None, None)
    assert (data["about"]["whole_window"], data["total"]["touched"]) == (False, None)


def test_one_that_exits_before_anything_is_read(
    pagemap: Pagemap, toucher: touching.Toucher
) -> None:
    with killed(toucher, begun):
        code, out, err = pagemap("wss", toucher.pid, "--over", "1h", "--method", "referenced")
    assert (code, out) == (75, b"")
    assert err == [f"pagemap: process {toucher.pid} exited before it was read to the end"]


def test_windows_one_after_another(pagemap: Pagemap, toucher: touching.Toucher) -> None:
    """Until it exits: of the process that it was at the beginning."""
    words = ("--over", "100ms", "--every", "200ms", "--method", "referenced")
    rows: list[dict[str, Any]] = []
    with pagemap.start("wss", toucher.pid, *words, "--format", "jsonl") as process:
        assert process.stdout
        assert process.stderr
        while len({row["time"] for row in rows}) < 2:
            rows.append(json.loads(process.stdout.readline()))
        os.kill(toucher.pid, signal.SIGKILL)
        rows += map(json.loads, process.stdout.read().splitlines())
        err = process.stderr.read().decode().splitlines()
    assert process.returncode == 75
    assert "exited" in err[-1]
    times = {row["time"] for row in rows}
    assert sum(row["start"] == hex(toucher.hot.start) for row in rows) == len(times)


def test_no_such_process(pagemap: Pagemap, unused_pid: int) -> None:
    code, out, err = pagemap("wss", unused_pid, "--over", "100ms")
    assert (code, out) == (66, b"")
    assert f"there is no process {unused_pid}" in err[0]


def test_a_method_that_this_kernel_lacks(pagemap: Pagemap, tmp_path: Path) -> None:
    if os.path.exists("/sys/kernel/mm/lru_gen"):
        pytest.skip("this kernel has the multi-gen LRU")
    try:
        with touching.memory_cgroup() as folder:
            done = pagemap("wss", "--cgroup", str(folder), "--over", "100ms", "--method", "mglru")
            empty = pagemap("wss", "--cgroup", str(folder), "--over", "100ms")
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))
    assert (done.code, done.out) == (69, b"")
    assert "CONFIG_LRU_GEN" in done.err[0]
    assert empty.code == 0
    assert "has no processes" in empty.err[-1]
    assert pagemap("wss", "--cgroup", str(tmp_path), "--over", "100ms").code == 66
    assert pagemap("wss", "--cgroup", str(tmp_path / "none"), "--over", "100ms").code == 66


def test_a_probe_of_version_1(pagemap: Pagemap) -> None:
    try:
        with touching.memory_cgroup() as folder:
            if (folder / "memory.reclaim").exists():
                pytest.skip("cgroups have version 2 here, which tests/vm probes")
            code, out, err = pagemap("wss", "--cgroup", str(folder), "--over", "100ms", "--probe")
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))
    assert (code, out) == (69, b"")
    assert "it needs cgroup v2" in err[0]


def test_rights(pagemap_as_nobody: Pagemap, toucher: touching.Toucher) -> None:
    code, out, err = pagemap_as_nobody("wss", toucher.pid, "--over", "100ms")
    assert (code, out) == (77, b"")
    assert "permission denied" in err[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "give one TARGET, or --cgroup PATH"),
        ("self --cgroup /x", "give one TARGET, or --cgroup PATH"),
        ("self --over 0", "--over needs a time above 0, in seconds or with a unit"),
        ("self --over 50ms", "--over must be at least 100ms, not 50ms"),
        ("self --over 1d", "--over needs a time above 0"),
        ("self --idle 11s", "--idle has times longer than the window, 10 s; make --over longer"),
        ("self --idle 1s,", "--idle needs a time above 0"),
        ("self --every 5s", "--every must be at least as long as the window, 10 s"),
        ("self --every 10 --watch 10", "give --every or --watch, not both"),
        ("self --method clock", "--method knows no 'clock'; "),
        ("self --method damon,referenced", "--method takes one word"),
        ("self --probe", "--probe is a method of its own, for a cgroup: give --cgroup PATH"),
        ("--cgroup /x --method reclaim", "the method reclaim disturbs the cgroup: ask for it by"),
        ("--cgroup /x --probe --method mglru", "--probe is a method of its own"),
        (
            "self --regions --method referenced",
            "--regions needs the method damon or written, and a TARGET",
        ),
        ("--cgroup /x --regions", "--regions needs the method damon or written, and a TARGET"),
        ("self --columns idle_5s --over 1s", "--columns knows no 'idle_5s'"),
    ],
)
def test_command_lines_that_cannot_be_understood(pagemap: Pagemap, line: str, said: str) -> None:
    code, out, err = pagemap("wss", *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int) -> None:
    code, out, err = pagemap("wss", kernel_thread, "--over", "100ms", "--json")
    assert (code, json.loads(out)["rows"]) == (0, [])
    assert err == [f"pagemap: process {kernel_thread} is a kernel thread: it has no mappings"]


def test_the_largest_first(pagemap: Pagemap, toucher: touching.Toucher) -> None:
    """And nothing of which nothing is resident; by address where rows are parts of mappings."""
    words = "--over", "100ms", "--method", "referenced", "--json"
    code, out, _ = pagemap("wss", toucher.pid, *words)
    assert code == 0
    found = [row["rss"] for row in json.loads(out)["rows"]]
    assert found == sorted(found, reverse=True)
    assert found[-1] > 0
