"""Texts of the kernel that are longer than a page: where they were cut, lines were missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._kernel.folder import Folder
from tests.unit.test_forged_numbers import OF_PROCESS, copy

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = b"Groups:\t" + b"".join(b"%d " % number for number in range(1000000, 1065536)) + b"\n"
DEEP = "/" + "/".join(["d" * 250] * 16)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """What a copy of /proc has of this process, as that of 4242."""
    (tmp_path / "4242").mkdir()
    copy(OF_PROCESS, Path("/proc/self"), tmp_path / "4242")
    return tmp_path


@pytest.fixture
def ours() -> Iterator[Folder]:
    folder = Folder(os.getpid(), "self", "/proc")
    yield folder
    folder.close()


def test_a_cgroup_behind_long_ones(copied: Path) -> None:
    """It was counted in another one: that of the unified hierarchy, or in none."""
    lines = [f"{number}:name=h{number}:{DEEP}\n" for number in range(12, 5, -1)]
    text = "".join([*lines, "4:memory:/system.slice/nginx.service\n", "0::/\n"])
    (copied / "4242/cgroup").write_text(text)
    rows = pagemap.footprints([4242], procfs=str(copied), names=["cgroup", "container"])
    assert [(row.cgroup, row.container) for row in rows] == [
        ("/system.slice/nginx.service", "nginx.service")
    ]


def test_a_process_of_65536_groups(copied: Path) -> None:
    """It was taken for one that had ended."""
    status = copied / "4242/status"
    (before,) = pagemap.footprints([4242], procfs=str(copied), names=["page_tables", "size"])
    head, found, rest = status.read_bytes().partition(b"Groups:")
    status.write_bytes(head + GROUPS + rest.partition(b"\n")[2])
    assert found
    (row,) = pagemap.footprints([4242], procfs=str(copied), names=["page_tables", "size"])
    assert (row.page_tables, row.size) == (before.page_tables, before.size) != (None, None)


def test_a_file_of_many_lines(ours: Folder) -> None:
    """A read of one gives a page of it: of mountinfo the mounts behind that were not known."""
    read = ours.read("smaps")
    assert len(read) > 3 * 4096
    assert read.endswith(b"\n")
    assert read.count(b"\nVmFlags:") >= Path("/proc/self/maps").read_bytes().count(b"\n") // 2


def test_a_file_without_an_end(copied: Path) -> None:
    """That of a copy may be of any size: none of it is taken for all of it."""
    cgroup, status = copied / "4242/cgroup", copied / "4242/status"
    cgroup.write_bytes(b"0::/wrong\n")
    os.truncate(cgroup, 1 << 40)
    (row,) = pagemap.footprints([4242], procfs=str(copied), names=["cgroup"])
    assert row.cgroup is None
    os.truncate(status, 1 << 40)
    told = pagemap.footprints([4242], procfs=str(copied), names=["page_tables"])
    assert len(told) == 0
    assert "File too large" in str(told.about["left_out"])
