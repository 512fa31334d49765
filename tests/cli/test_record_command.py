"""`pagemap record`, through its front door."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pagemap._space.snapshot_file import SnapshotFile
from tests import oracle, workloads
from tests.target import wait_until

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start


def moments(path: Path, pid: int) -> int:
    with SnapshotFile(str(path)) as file:
        for number in range(file.moments):
            assert [each.pid for each in file.processes(number)] == [pid]
        return file.moments


def test_for_some_time(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    target = start(workloads.dense(1 << 20))
    path = tmp_path / "record"
    words = ("--every", "100ms", "--for", "450ms", "-o", str(path))
    code, out, err = pagemap("record", target.pid, *words)
    assert (code, out) == (0, b"")
    found = moments(path, target.pid)
    assert 1 <= found <= 5
    assert err == [f"pagemap: {found} moments in {path.stat().st_size} bytes: {path}"]
    with SnapshotFile(str(path)) as file:
        saved = file.processes()[0].table.read(target.first.start // oracle.PAGE, 256).tolist()
    entries = oracle.entries(target.pid, target.first.start, target.first.end)[:256]
    # the frames were others, where the kernel has moved pages since
    assert [entry >> 55 for entry in saved] == [entry >> 55 for entry in entries]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_until_it_is_interrupted(
    pagemap: Pagemap, start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    target = start(workloads.idle())
    path = tmp_path / "record"
    process = pagemap.start("record", str(target.pid), "--every", "10ms", "-o", str(path))
    wait_until(lambda: path.exists() and path.stat().st_size > 20_000)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (0 if number == signal.SIGINT else -number)
    assert moments(path, target.pid) > 1


def test_until_the_target_exits(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    path = tmp_path / "record"
    process = pagemap.start("record", str(target.pid), "--every", "10ms", "-o", str(path))
    wait_until(lambda: path.exists() and path.stat().st_size > 20_000)
    target.kill()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    found = moments(path, target.pid)
    assert f"{found} moments" in err.decode()


def test_a_budget(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    """Of a core it gets a hundredth of a percent: then one moment is all that there is time for."""
    target = start(workloads.idle())
    path = tmp_path / "record"
    words = ("--every", "1ms", "--for", "300ms", "--budget", "0.01", "-o", str(path))
    assert pagemap("record", target.pid, *words).code == 0
    assert moments(path, target.pid) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "", "--every", "1s"],
        ["-o", "/nowhere/file", "--every", "0"],
        ["-o", "/nowhere/file", "--budget", "0"],
        ["-o", "/nowhere/file", "--budget", "a"],
        ["-o", "/nowhere/file", "--for", "-1"],
    ],
)
def test_what_makes_no_sense(pagemap: Pagemap, words: list[str]) -> None:
    assert pagemap("record", "self", *words).code in (1, 2)


def test_an_older_file_stays(pagemap: Pagemap, tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_bytes(b"older")
    code, _, err = pagemap("record", "self", "-o", str(path))
    assert code == 1
    assert "it is there already" in err[-1]
    assert path.read_bytes() == b"older"


def test_to_standard_output(pagemap: Pagemap, tmp_path: Path) -> None:
    """It made a file whose name was a hyphen."""
    code, _, err = pagemap("record", "self", "--for", "100ms", "-o", "-")
    assert code == 2
    assert "give a file with -o FILE" in err[-1]
    assert not Path("-").exists()
