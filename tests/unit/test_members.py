"""The members of made-up cgroups."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING
from unittest import mock

import pytest

import pagemap
from pagemap._kernel import cgroup_members as members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def made_up() -> Iterator[None]:
    """Folders of any file system are taken for cgroups."""
    with mock.patch("pagemap._kernel.cgroup_members.kind_of", return_value="cgroup2"):
        yield


def group(path: Path, procs: bytes) -> Path:
    path.mkdir()
    (path / "cgroup.procs").write_bytes(procs)
    return path


@pytest.mark.usefixtures("made_up")
def test_a_cgroup_and_all_below_it(tmp_path: Path) -> None:
    # in version 1 the pids are in no order, and may come twice; 0 is of another PID namespace
    top = group(tmp_path / "top", b"30\n7\n7\n")
    group(group(top / "one", b"0\n12\n") / "inner", b"9\n")
    group(top / "empty", b"")
    group(tmp_path / "beside", b"1\n")
    assert members.pids_of(str(top)) == [7, 9, 12, 30]


@pytest.mark.usefixtures("made_up")
def test_a_path_as_the_process_has_it(tmp_path: Path) -> None:
    """What `footprint` shows of a process was no cgroup to `footprint`."""
    top = group(tmp_path / "top", b"30\n")
    group(top / "user.slice", b"9\n")
    with mock.patch("pagemap._kernel.cgroup_members.roots", return_value=[str(top)]):
        assert members.pids_of("/user.slice") == [9]
        assert members.pids_of("/") == [9, 30]
        with pytest.raises(pagemap.NoSuchProcess, match=r"there is no cgroup '/gone\.slice'"):
            members.pids_of("/gone.slice")


@pytest.mark.usefixtures("made_up")
def test_children_that_cannot_be_listed(tmp_path: Path) -> None:
    top = group(tmp_path / "top", b"1\n")
    group(top / "gone", b"2\n")
    listed = members._listed

    def fail(code: int, at: str) -> list[int]:
        def read(folder: str) -> set[int]:
            if folder.endswith(at):
                raise OSError(code, os.strerror(code))
            return listed(folder)

        with mock.patch("pagemap._kernel.cgroup_members._listed", read):
            return members.pids_of(str(top))

    for code in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
        assert fail(code, "gone") == [1]
    with pytest.raises(pagemap.AccessDenied, match=r"gone/cgroup\.procs.*CAP_DAC_READ_SEARCH"):
        fail(errno.EACCES, "gone")
    with pytest.raises(pagemap.UsageError, match="is threaded"):
        fail(errno.EOPNOTSUPP, "top")
    with pytest.raises(pagemap.PagemapError, match="Input/output error"):
        fail(errno.EIO, "top")


def test_what_is_no_cgroup(tmp_path: Path) -> None:
    with pytest.raises(pagemap.NoSuchProcess, match="there is no cgroup"):
        members.pids_of(str(tmp_path / "none"))
    with pytest.raises(pagemap.UsageError, match=r"is not a cgroup: it has no cgroup\.procs"):
        members.pids_of(str(tmp_path))
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(pagemap.NoSuchProcess, match="there is no cgroup"):
        members.pids_of(str(file))


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize("word", ["abc", "-5", "12a", "99999999999999999999999"])
def test_what_is_no_pid(tmp_path: Path, word: str) -> None:
    """It was an unnamed ValueError, or taken for a pid."""
    group(tmp_path / "top", f"7\n{word}\n".encode())
    with pytest.raises(
        pagemap.UsageError, match=rf"is not a cgroup: .*{word[:10]}' in it is not a pid"
    ):
        members.pids_of(str(tmp_path / "top"))
