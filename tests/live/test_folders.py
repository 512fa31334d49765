"""Folders of files are entered below the one that lists them, and no other."""

from __future__ import annotations

import itertools
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from pagemap._kernel.files_below import files_in
from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pagemap
    from pagemap._kernel.page_files import OpenFile

PAGE = oracle.PAGE
MIB = 1 << 20


def unexpected(error: pagemap.PagemapError) -> None:
    """What to tell of a folder or file where all can be opened."""
    raise error


def opened(files: Iterable[OpenFile]) -> dict[str, int]:
    """Names and inodes of the files, each of which is closed."""
    found = {}
    for file in files:
        found[file.path] = os.fstat(file.fd).st_ino
        file.close()
    return found


@pytest.mark.parametrize("back", [False, True])
def test_a_folder_that_becomes_a_link_leads_nowhere(tmp_path: Path, back: bool) -> None:
    """Whoever owned a folder on the way had root walk any folder of the same file system."""
    tree, moved, secret = tmp_path / "tree", tmp_path / "moved", tmp_path / "secret"
    for folder in (tree / "a" / "sub", tree / "a" / "two", secret / "sub", secret / "two"):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x")
    (tree / "a" / "first").write_bytes(b"x")
    failed: list[pagemap.PagemapError] = []
    walk = files_in(str(tree), failed.append)
    begun = opened(itertools.islice(walk, 2 if back else 1))
    (tree / "a").rename(moved)  # renameat2 can do both at once
    (tree / "a").symlink_to(secret)
    found = begun | opened(walk)
    mine = {name: moved / name for name in ("first", "sub/file", "two/file")}
    assert found == {f"{tree}/a/{name}": path.stat().st_ino for name, path in mine.items()}
    assert failed == []


def test_a_folder_that_is_another_by_now_is_not_entered(tmp_path: Path) -> None:
    """It is told, and what comes after it is found, from the top if need be."""
    tree, other = tmp_path / "tree", tmp_path / "other"
    for folder in (tree / "a" / "sub", tree / "b", other):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x")
    (tree / "a" / "zz").write_bytes(b"x")
    failed: list[pagemap.PagemapError] = []
    walk = files_in(str(tree), failed.append)
    names = list(opened(itertools.islice(walk, 1)))  # zz: sub was listed
    (tree / "a" / "sub").rename(tmp_path / "sub")
    other.rename(tree / "a" / "sub")
    names += opened(itertools.islice(walk, 1))
    assert names == [f"{tree}/a/zz", f"{tree}/b/file"]
    assert [error.path for error in failed] == [f"{tree}/a/sub"]
    assert "another folder has taken its place" in str(failed[0])


def test_a_folder_that_moves_while_it_is_read(tmp_path: Path) -> None:
    """The way back does not lead through where it is now."""
    tree, far = tmp_path / "tree", tmp_path / "far"
    far.mkdir()
    for name in ("a/sub", "a/two", "b"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_bytes(b"x")
    walk = files_in(str(tree), unexpected)
    names = list(opened(itertools.islice(walk, 1)))
    (tree / "a" / "sub").rename(far / "sub")
    names += opened(walk)
    assert names == [f"{tree}/{name}/file" for name in ("a/sub", "a/two", "b")]


def test_folders_deeper_than_a_path_may_be_long(tmp_path: Path) -> None:
    """What lay below 4,095 bytes of names was left out, with an error."""
    name, depth = "n" * 200, 30
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    try:
        found = list(opened(files_in(str(tmp_path), unexpected)))
    finally:
        subprocess.run(["rm", "-r", str(tmp_path / name)], check=True)
    assert len(found) == depth + 1
    assert found[-1] == "/".join([str(tmp_path), *[name] * depth, "last"])
