"""`pagemap snapshot`, through its front door."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pagemap._space.snapshot_file import SnapshotFile
from tests import oracle, workloads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start


def test_a_file_of_mode_0600(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    target = start(workloads.dense(1 << 20))
    path = tmp_path / "file"
    assert pagemap("snapshot", target.pid, "-o", str(path)) == (0, b"", [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with SnapshotFile(str(path)) as file:
        (record,) = file.processes()
        assert record.pid == target.pid
        area = target.first
        saved = record.table.read(area.start // oracle.PAGE, 256).tolist()
        assert saved == oracle.entries(target.pid, area.start, area.start + 256 * oracle.PAGE)


def test_to_a_pipe(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    code, out, err = pagemap("snapshot", target.pid, "--no-pfns", "-o", "-")
    assert (code, err) == (0, [])
    path = tmp_path / "file"
    path.write_bytes(out)
    with SnapshotFile(str(path)) as file:
        assert [each.pid for each in file.processes()] == [target.pid]
        assert file.processes()[0].about["pfns_visible"] is False


def test_no_half_file(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    """On a disk that is full an older file stays, and nothing is left beside it."""
    target = start(workloads.dense(32 << 20))
    path = tmp_path / "file"
    path.write_bytes(b"older")
    limit = ("bash", "-c", 'ulimit -f 4; exec "$@"', "bash")
    words = ("snapshot", str(target.pid), "-o", str(path))
    process = pagemap.start(*words, prefix=limit)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.decode().splitlines()[-1] == f"pagemap: cannot write {path}: File too large"
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_bytes() == b"older"


def test_no_process(pagemap: Pagemap, unused_pid: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    code, _, err = pagemap("snapshot", unused_pid, "-o", str(path))
    assert code == 66
    assert str(unused_pid) in err[-1]
    assert not path.exists()


def test_without_a_file(pagemap: Pagemap) -> None:
    assert pagemap("snapshot", "self").code == 2
