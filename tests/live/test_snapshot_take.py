"""Snapshot.take: a file that is there when it is complete, and open."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pagemap import ClosedProcess, NoSuchProcess, PagemapError, Process, Recorder, Snapshot
from tests import oracle, workloads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Start


def test_it_is_open_and_has_what_the_kernel_showed(start: Start, tmp_path: Path) -> None:
    target = start(workloads.dense(1 << 20))
    path = tmp_path / "file"
    path.write_bytes(b"older")
    with Snapshot.take(target.pid, path) as snapshot:
        assert (snapshot.path, snapshot.moments) == (str(path), 1)
        assert snapshot.processes == [target.pid]
        assert snapshot.about["complete"] is True
        assert snapshot.process().record.smaps() is None
        area = target.first
        got = snapshot.process().pages((area.start, area.end)).entries
        assert list(got) == oracle.entries(target.pid, area.start, area.end)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_several_each_once(start: Start, tmp_path: Path) -> None:
    targets = [start(workloads.idle()) for _ in range(2)]
    with Process(targets[1].pid) as second:
        given = (targets[0].pid, second, targets[0].pid)
        with Snapshot.take(given, str(tmp_path / "file"), pfns=False, smaps=True) as snapshot:
            assert snapshot.processes == [each.pid for each in targets]
            for each in targets:
                saved = snapshot.process(each.pid)
                assert not saved.pfns_visible
                assert saved.record.smaps()


def test_nothing_is_left_of_one_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    unused_pid = (1 << 22) + 1  # the kernel gives none so high
    path.write_bytes(b"older")
    with pytest.raises(NoSuchProcess):
        Snapshot.take([os.getpid(), unused_pid], path)
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["folder", "none/file"])
def test_where_no_file_can_be(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PagemapError, match="cannot write") as raised:
        Snapshot.take("self", tmp_path / name)
    assert raised.value.path == str(tmp_path / name)


def test_what_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        Snapshot.take(1.5, tmp_path / "file")  # type: ignore[arg-type]


def test_a_path_of_bytes(tmp_path: Path) -> None:
    """It was taken, and failed with an AttributeError where the path was to be shown."""
    with pytest.raises(PagemapError, match="cannot open"):
        Snapshot(bytes(tmp_path / "none"))  # type: ignore[arg-type]


def test_a_record_without_a_moment(start: Start, tmp_path: Path) -> None:
    """It left an empty file, which the next one would not write to."""
    path = tmp_path / "file"
    target = start(workloads.idle())
    recorder = Recorder(target.pid, str(path))
    recorder.close()
    assert not path.exists()
    with pytest.raises(ClosedProcess, match="closed"):
        recorder.take()
    with Recorder(target.pid, str(path)) as again:
        again.take()
    with pytest.raises(PagemapError, match="give another name"):
        Recorder(target.pid, str(path))


# An error that is kept holds all that its frames held, and is held by them.
IN_CYCLES = """
import gc, sys, pagemap
gc.disable()
for _ in range(20):
    snapshot = pagemap.Snapshot(sys.argv[1])
    process = snapshot.process()
    process.tally()
    cycle = [snapshot, process]
    cycle.append(cycle)
    del snapshot, process, cycle
gc.collect()
"""


def test_snapshots_in_cycles_are_collected(tmp_path: Path) -> None:
    """It was a segmentation fault: of views that were cleared while they were exported."""
    with Snapshot.take(os.getpid(), tmp_path / "file", pfns=False):
        pass
    command = [sys.executable, "-c", IN_CYCLES, str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
