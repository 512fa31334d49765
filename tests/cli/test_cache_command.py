"""`pagemap cache`, through its front door."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests import oracle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pagemap

PAGE = oracle.PAGE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a", "b c", "d.conf", "e.conf")):
        (tmp_path / name).write_bytes(b"x" * ((number + 1) * 10 * PAGE))
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "f").write_bytes(b"x" * 5)
    (tmp_path / "empty").touch()
    return tmp_path


def test_the_largest_first(pagemap: Pagemap, folder: Path) -> None:
    code, out, err = pagemap("cache", str(folder), "--json", "--sort", "cached", "--top", "3")
    assert (code, err) == (0, [])
    data = json.loads(out)
    assert (data["schema"], data["version"]) == ("pagemap.cache", 1)
    rows = [(os.path.basename(row["path"]), row["cached"]) for row in data["rows"]]
    assert rows == [("e.conf", 40 * PAGE), ("d.conf", 30 * PAGE), ("b c", 20 * PAGE)]
    assert data["total"]["cached"] == 101 * PAGE
    assert data["total"]["size"] == 100 * PAGE + 5


def test_all_and_only_the_large(pagemap: Pagemap, folder: Path) -> None:
    def names(*words: str) -> set[str]:
        code, out, err = pagemap("cache", str(folder), "--format", "jsonl", *words)
        assert (code, err) == (0, [])
        return {os.path.basename(json.loads(line)["path"]) for line in out.splitlines()}

    assert names() == {"a", "b c", "d.conf", "e.conf", "f"}
    assert names("--all") == {"a", "b c", "d.conf", "e.conf", "f", "empty"}
    assert names("--min", "80K") == {"b c", "d.conf", "e.conf"}
    assert names("--min", "0") == names()
    assert names("-x") == names()


def test_a_pattern(pagemap: Pagemap, folder: Path) -> None:
    code, out, err = pagemap("cache", str(folder / "*.conf"), "--format", "jsonl")
    assert (code, err, len(out.splitlines())) == (0, [], 2)
    code, out, err = pagemap("cache", str(folder / "*.none"))
    assert (code, out) == (66, b"")
    (folder / "[x]").write_bytes(b"x")  # the name itself comes first
    code, out, err = pagemap("cache", str(folder / "[x]"), "--format", "jsonl")
    assert (code, len(out.splitlines())) == (0, 1)


@pytest.mark.parametrize("path", ["/proc", "/proc/self/maps", "/sys"])
def test_the_kernels_own_files(pagemap: Pagemap, path: str) -> None:
    """Nothing was shown of them, without a word."""
    code, out, err = pagemap("cache", path, "--json")
    said = f"nothing of {path!r} is in the page cache: the kernel has that file system for itself"
    assert (code, json.loads(out)["rows"], err) == (0, [], [f"pagemap: {said}"])


def test_paths_that_are_not_there(pagemap: Pagemap, folder: Path) -> None:
    code, out, err = pagemap("cache", str(folder / "none"))
    assert (code, out) == (66, b"")
    code, out, err = pagemap("cache", str(folder / "none"), str(folder), "--csv", "--no-header")
    assert (code, len(out.splitlines()), len(err)) == (66, 5, 1)
    assert "No such file" in err[0]


def test_a_folder_that_cannot_be_entered(
    pagemap_as_nobody: Pagemap, tmp_path_factory: pytest.TempPathFactory
) -> None:
    code, out, err = pagemap_as_nobody("cache", "/root")
    assert (code, out) == (77, b"")
    assert "Permission denied" in err[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "no file is named: give PATH, or --open for the files of processes"),
        ("/etc --min 1x", "--min: give a size such as 64K or 2M, not '1x'"),
        ("/etc --min 1K --all", "give --min or --all, not both"),
        ("/etc --open", "give either PATH, or --open for the files of processes"),
        ("--open -x", "-x is for directories, and --open enters none"),
        ("/etc --by cgroup --bar", "--bar is not for --by cgroup, which has rows for cgroups"),
        ("/etc --charged --all", "--all is not for --charged, which has rows for cgroups"),
        ("/etc --columns rss", "--columns knows no 'rss'"),
        ("/etc --by cgrup", "--by knows no 'cgrup'; did you mean cgroup?"),
    ],
)
def test_command_lines_that_cannot_be_understood(pagemap: Pagemap, line: str, said: str) -> None:
    code, out, err = pagemap("cache", *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


def test_an_interrupt(pagemap: Pagemap, folder: Path) -> None:
    process = pagemap.start("cache", str(folder), "--watch", "0.5")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
