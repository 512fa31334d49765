"""Working sets by what only these kernels have: DAMON, the multi-gen LRU, memory.reclaim.

The target touches known pages at known times (tests/toucher.c). Methods that every kernel has are
in tests/live, which runs here too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import oracle, target, touching
from tests.kernel_settings import setting
from tests.touching import SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

KDAMONDS = Path("/sys/kernel/mm/damon/admin/kdamonds")
MGLRU = Path("/sys/kernel/mm/lru_gen/enabled")
SLACK = 64 * oracle.PAGE  # what else the target does, and its stack and libraries


@pytest.fixture
def toucher() -> Iterator[touching.Toucher]:
    with touching.toucher() as process:
        yield process


@pytest.fixture
def cgroup(toucher: touching.Toucher) -> Iterator[Path]:
    """Of version 2; the toucher is in it, whose memory is charged to the root's all the same."""
    with touching.memory_cgroup() as folder:
        (folder / "cgroup.procs").write_text(str(toucher.pid))
        yield folder


@pytest.fixture
def own_cgroup() -> Iterator[tuple[Path, touching.Toucher]]:
    """One whose memory is that of a toucher that began in it."""
    # aging passes over a process that changes its mappings, as it does to empty the TLB
    with touching.memory_cgroup() as folder, touching.toucher(200, folder) as process:
        yield folder, process


@pytest.fixture
def mglru(series: str) -> Iterator[None]:
    """6.1 has it switched off, and on two nodes it is right only without marks of tables."""
    with setting(MGLRU, "0x0003" if series == "6.1" else "0x0007"):
        yield


def kdamonds() -> list[str]:
    """The kernel's threads that monitor."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append(path.read_text().rstrip())
    return [name for name in found if name.startswith("kdamond")]


def test_damon_is_chosen_where_it_works(series: str, toucher: touching.Toucher) -> None:
    table = pagemap.working_set(toucher.pid, over=0.5)
    wanted = "damon" if series == "6.12" else "referenced"
    assert {row.method for row in table} == {wanted} == {table.about["method"]}
    assert list(table.about["passed_over"]) == ([] if series == "6.12" else ["damon"])  # type: ignore[call-overload]
    if series == "6.12":
        assert (KDAMONDS / "nr_kdamonds").read_text() == "0\n"
    else:
        assert not KDAMONDS.exists()


def test_damon_of_a_process_that_exits(series: str, toucher: touching.Toucher) -> None:
    if series != "6.12":
        pytest.skip("needs DAMON, which Debian's 6.1 has not")
    killer = threading.Timer(3, os.kill, [toucher.pid, signal.SIGKILL])
    killer.start()
    with pytest.raises(pagemap.TargetVanished):
        pagemap.working_set(toucher.pid, over=60, idle=[0.5], method="damon")
    killer.join()
    assert (KDAMONDS / "nr_kdamonds").read_text() == "0\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_damon_is_switched_off_when_we_are_killed(
    series: str, toucher: touching.Toucher, number: int, command: list[str]
) -> None:
    if series != "6.12":
        pytest.skip("needs DAMON, which Debian's 6.1 has not")
    process = subprocess.Popen(
        [*command, "wss", str(toucher.pid), "--over", "60s", "--method", "damon"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        target.wait_until(lambda: text(KDAMONDS / "0/state") == "on\n")
        assert kdamonds() == ["kdamond.0"]
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.send_signal(number)
    process.wait()
    target.wait_until(lambda: text(KDAMONDS / "nr_kdamonds") == "0\n")
    target.wait_until(lambda: kdamonds() == [])


def text(path: Path) -> str:
    """What a file tells, if anything: it is refused while another one is written."""
    time.sleep(0.1)
    try:
        return path.read_text()
    except OSError:
        return ""


def test_somebody_elses_damon(series: str, toucher: touching.Toucher) -> None:
    if series != "6.12":
        pytest.skip("needs DAMON, which Debian's 6.1 has not")
    (KDAMONDS / "nr_kdamonds").write_text("1")
    try:
        with pytest.raises(pagemap.PagemapError, match="set up, though not running"):
            pagemap.working_set(toucher.pid, over=0.5, method="damon")
        table = pagemap.working_set(toucher.pid, over=0.5)
        assert table.about["method"] == "referenced"
        assert "somebody else" in str(table.about["passed_over"])
        assert (KDAMONDS / "nr_kdamonds").read_text() == "1\n"
    finally:
        (KDAMONDS / "nr_kdamonds").write_text("0")


def test_generations_of_a_cgroup(own_cgroup: tuple[Path, touching.Toucher], mglru: None) -> None:
    cgroup, toucher = own_cgroup
    found: list[pagemap.Table[Any]] = []

    def measure() -> None:
        found.append(pagemap.working_set(cgroup=str(cgroup), over=9, idle=[3]))

    thread = threading.Thread(target=measure)
    thread.start()
    time.sleep(6)
    toucher.touch_warm()
    thread.join()
    (table,) = found
    anon, file = table
    assert (anon.path, file.path, anon.method, anon.cgroup) == (
        "[anon]",
        "[file]",
        "mglru",
        str(cgroup),
    )
    assert abs(anon.rss - 3 * SIZE) <= 2 * SLACK
    assert abs(anon.idle_3s - 2 * SIZE) <= SLACK  # cold and warm
    assert abs(anon.idle_9s - SIZE) <= SLACK  # cold
    assert abs(anon.touched - 2 * SIZE) <= SLACK
    assert table.about["passed_over"] == {}


def test_generations_of_a_process_that_is_alone(
    own_cgroup: tuple[Path, touching.Toucher], mglru: None
) -> None:
    cgroup, toucher = own_cgroup
    table: pagemap.Table[Any] = pagemap.working_set(toucher.pid, over=2, method="mglru")
    anon = table[0]
    assert (anon.pid, anon.cgroup, anon.path) == (toucher.pid, str(cgroup), "[anon]")
    assert abs(anon.touched - SIZE) <= SLACK
    with touching.toucher() as other:
        (cgroup / "cgroup.procs").write_text(str(other.pid))
        with pytest.raises(pagemap.Unsupported, match="not alone in its cgroup"):
            pagemap.working_set(toucher.pid, over=2, method="mglru")


def test_generations_that_are_switched_off(cgroup: Path) -> None:
    with setting(MGLRU, "0x0000"):
        with pytest.raises(pagemap.Unsupported, match="echo y > "):
            pagemap.working_set(cgroup=str(cgroup), over=0.2, method="mglru")
        table = pagemap.working_set(cgroup=str(cgroup), over=0.2)
    assert table.about["method"] == "referenced"
    assert list(table.about["passed_over"]) == ["mglru"]  # type: ignore[call-overload]


def test_generations_that_would_miss_a_node(series: str, cgroup: Path) -> None:
    if series != "6.1":
        pytest.skip("needs Linux before 6.12")
    with (
        setting(MGLRU, "0x0007"),
        pytest.raises(pagemap.Unsupported, match="echo 3 > "),
    ):
        pagemap.working_set(cgroup=str(cgroup), over=0.2, method="mglru")


def test_a_probe(own_cgroup: tuple[Path, touching.Toucher]) -> None:
    """Without swap it can take only memory of files: of that no more than half."""
    cgroup, toucher = own_cgroup
    before = int((cgroup / "memory.current").read_text())
    table: pagemap.Table[Any] = pagemap.working_set(cgroup=str(cgroup), over=2, method="reclaim")
    (row,) = table
    assert (row.method, row.pid, row.path) == ("reclaim", None, "[all]")
    assert abs(row.rss - before) < SIZE
    assert row.rss - row.idle_2s == row.touched >= row.rss // 2 - SLACK
    assert int((cgroup / "memory.current").read_text()) >= before // 2 - SLACK
    assert 1 <= table.about["steps"] <= 20  # type: ignore[operator]
    assert table.about["stopped_by"]
    # what was written is in memory still, for there is no swap
    assert oracle.smaps_rollup(toucher.pid)["Rss"] >= 3 * SIZE


def test_the_command(own_cgroup: tuple[Path, touching.Toucher], command: list[str]) -> None:
    cgroup, _ = own_cgroup
    done = subprocess.run(
        [*command, "wss", "--cgroup", str(cgroup), "--probe", "--over", "1s", "--json"],
        check=True,
        capture_output=True,
    )
    assert b"method reclaim: an upper bound" in done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["touched"] <= row["rss"]
