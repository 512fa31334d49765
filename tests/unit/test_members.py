"""The members of made-up cgroups."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING
from unittest import mock

import pytest

import pagemap
from pagemap.kernel import cgroup_members as members

if TYPE_CHECKING:
    from pathlib import Path


def group(path: Path, procs: bytes) -> Path:
    path.mkdir()
    (path / "cgroup.procs").write_bytes(procs)
    return path


def test_a_cgroup_and_all_below_it(tmp_path: Path) -> None:
    # in version 1 the pids are in no order, and may come twice; 0 is of another PID namespace
    top = group(tmp_path / "top", b"30\n7\n7\n")
    group(group(top / "one", b"0\n12\n") / "inner", b"9\n")
    group(top / "empty", b"")
    group(tmp_path / "beside", b"1\n")
    assert members.pids_of(str(top)) == [7, 9, 12, 30]


def test_children_that_cannot_be_listed(tmp_path: Path) -> None:
    top = group(tmp_path / "top", b"1\n")
    group(top / "gone", b"2\n")
    listed = members._listed

    def fail(code: int, at: str) -> list[int]:
        def read(folder: str) -> set[int]:
            if folder.endswith(at):
                raise OSError(code, os.strerror(code))
            return listed(folder)

        with mock.patch("pagemap.kernel.cgroup_members._listed", read):
            return members.pids_of(str(top))

    for code in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
        assert fail(code, "gone") == [1]
    with pytest.raises(pagemap.AccessDenied, match=r"gone/cgroup\.procs.*CAP_DAC_READ_SEARCH"):
        fail(errno.EACCES, "gone")
    with pytest.raises(pagemap.UsageError, match="is threaded"):
        fail(errno.EOPNOTSUPP, "top")
    with pytest.raises(pagemap.PagemapError, match="Input/output error") as caught:
        fail(errno.EIO, "top")
    assert caught.value.exit_code == 1


def test_what_is_no_cgroup(tmp_path: Path) -> None:
    with pytest.raises(pagemap.NoSuchProcess, match="there is no cgroup"):
        members.pids_of(str(tmp_path / "none"))
    with pytest.raises(pagemap.UsageError, match=r"is no cgroup: it has no cgroup\.procs"):
        members.pids_of(str(tmp_path))
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(pagemap.NoSuchProcess, match="there is no cgroup"):
        members.pids_of(str(file))
