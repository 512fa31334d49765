"""All processes of a made-up /proc."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING
from unittest import mock

import pytest

import pagemap
from pagemap._analyses import footprints as everyone
from pagemap._analyses.footprint import read_sums
from pagemap._kernel import meminfo
from pagemap._kernel.folder import Folder
from tests.unit import fake_proc
from tests.unit.test_smaps import RECORD, ROLLUP

if TYPE_CHECKING:
    from pathlib import Path


def process(root: Path, pid: int, *, stat: str = fake_proc.ORDINARY, **files: bytes) -> None:
    fake_proc.make(root, pid=pid, stat=stat)
    for name, data in files.items():
        (root / str(pid) / name).write_bytes(data)


def test_totals(tmp_path: Path) -> None:
    process(tmp_path, 10, smaps_rollup=ROLLUP)
    process(tmp_path, 11, stat=fake_proc.KERNEL_THREAD, smaps_rollup=b"")
    process(tmp_path, 12, stat=fake_proc.ZOMBIE, smaps_rollup=b"")
    process(tmp_path, 14, smaps_rollup=ROLLUP, comm=b"two\nlines\n")
    survey = everyone.Survey([10, 11, 12, 13, 14], procfs=str(tmp_path))
    rows = [(pid, name, held.rss) for pid, name, held in survey.totals()]
    assert rows == [(10, "fake", 884 * 1024), (14, "two\nlines", 884 * 1024)]
    assert survey.kernel_threads == [11]
    assert [(each.pid, each.name, type(each.error)) for each in survey.passed] == [
        (12, "fake", pagemap.NoSuchProcess),
        (13, None, pagemap.NoSuchProcess),
    ]


def test_who_forbids_reading(tmp_path: Path) -> None:
    process(tmp_path, 10, smaps_rollup=ROLLUP)
    process(tmp_path, 11, smaps_rollup=ROLLUP)
    process(tmp_path, 12, stat=fake_proc.KERNEL_THREAD)
    really_open = Folder.open

    def refuse(folder: Folder, name: str) -> int:
        if folder.pid in (10, 12) and name == "smaps_rollup":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return really_open(folder, name)

    survey = everyone.Survey([10, 11, 12], procfs=str(tmp_path))
    with mock.patch.object(Folder, "open", refuse):
        assert [pid for pid, _, _ in survey.totals()] == [11]
    assert survey.kernel_threads == [12]
    (passed,) = survey.passed
    assert passed[:2] == (10, "fake")
    assert isinstance(passed.error, pagemap.AccessDenied)
    assert "cannot read the memory sums of process 10" in str(passed.error)


def test_a_kernel_without_rollups(tmp_path: Path) -> None:
    process(tmp_path, 10, smaps=RECORD + RECORD)
    folder = Folder(10, "10", str(tmp_path))
    assert read_sums(folder).rss == 16384
    folder.close()


def test_a_kernel_without_sums(tmp_path: Path) -> None:
    process(tmp_path, 10)
    folder = Folder(10, "10", str(tmp_path))
    with pytest.raises(pagemap.Unsupported, match="CONFIG_PROC_PAGE_MONITOR") as caught:
        read_sums(folder)
    folder.close()
    assert caught.value.path == f"{tmp_path}/10/smaps"


def test_the_memory_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       24683656 kB\nMemFree: 1 kB\n")
    procfs = str(tmp_path)
    assert meminfo.amount("MemTotal", procfs=procfs) == 24683656 * 1024
    assert meminfo.amount("MemFree", procfs=procfs) == 1024
    assert meminfo.amount("MemAvailable", procfs=procfs) is None
    for text in ("", "MemTotal:\n", "MemTotal: much kB\n", "MemTotal"):
        (tmp_path / "meminfo").write_text(text)
        assert meminfo.amount("MemTotal", procfs=procfs) is None
    (tmp_path / "meminfo").unlink()
    assert meminfo.amount("MemTotal", procfs=procfs) is None
