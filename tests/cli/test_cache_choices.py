"""`pagemap cache` with bars, frames, the files of processes, and what is charged to cgroups."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import termios
from typing import TYPE_CHECKING, Any

import pytest

from tests import oracle
from tests.cli.test_terminal import ESCAPE, Terminal, colourful, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Pagemap

__all__ = ["terminal"]

PAGE = oracle.PAGE
BARS = {"half": "[OOOO    ]", "whole": "[OO]", "tenth": "[" + "o" + " " * 31 + "]", "empty": "[]"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, pages, cached in (("half", 8, 4), ("whole", 2, 2), ("tenth", 320, 1)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(pages * PAGE)
            file.write(b"x" * cached * PAGE)
    (tmp_path / "empty").touch()
    return tmp_path


@pytest.fixture
def held(tmp_path: Path) -> Iterator[str]:
    """A file that is open in this process, and has no name."""
    path = tmp_path / "held"
    with path.open("wb") as file:
        file.write(b"x" * 5 * PAGE)
        file.flush()
        path.unlink()
        yield str(path)


def rows_of(pagemap: Pagemap, *words: str) -> list[dict[str, Any]]:
    code, out, err = pagemap("cache", *words, "--json")
    assert code == 0, err
    rows: list[dict[str, Any]] = json.loads(out)["rows"]
    return rows


def test_bars(pagemap: Pagemap, folder: Path) -> None:
    code, out, err = pagemap("cache", str(folder), "--all", "--bar")
    assert (code, err) == (0, [])
    lines = out.decode().splitlines()
    assert "RESIDENCY" in lines[0].split()
    for name, bar in BARS.items():
        assert any(f"  {bar}" in line and line.endswith(f"/{name}") for line in lines), name
    rows = {os.path.basename(row["path"]): row for row in rows_of(pagemap, str(folder), "--bar")}
    assert rows["half"]["residency"] == [100] * 4 + [0] * 4
    assert rows["tenth"]["residency"] == [10] + [0] * 31
    assert "active" not in rows["half"]
    assert {"residency", "active"}.isdisjoint(rows_of(pagemap, str(folder))[0])
    (row,) = rows_of(pagemap, str(folder / "whole"), "--columns", "residency,path")
    assert row == {"residency": [100, 100], "path": str(folder / "whole")}


@pytest.mark.parametrize(("encoding", "bar"), [("utf8", "[▁" + " " * 31 + "]"), ("latin-1", None)])
def test_bars_on_a_terminal(
    pagemap: Pagemap, folder: Path, terminal: Terminal, encoding: str, bar: str | None
) -> None:
    """Of the terminal's width they are drawn whole, and in ASCII where it takes nothing else."""
    words = ("cache", str(folder / "tenth"), "--bar")
    env = colourful(PYTHONIOENCODING=encoding)
    process = pagemap.start(*words, stdout=terminal.fd, env=env)
    assert process.communicate(timeout=60)[1] == b""
    text = ESCAPE.sub(b"", terminal.close()).decode(encoding)
    assert (bar or BARS["tenth"]) in text


def test_a_terminal_too_narrow_for_a_bar(
    pagemap: Pagemap, folder: Path, terminal: Terminal
) -> None:
    """The path stays, and amounts come in the place of the bar."""
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    words = ("cache", str(folder / "tenth"), "--bar")
    process = pagemap.start(*words, stdout=terminal.fd, env=colourful())
    assert process.communicate(timeout=60)[1] == b""
    head = ESCAPE.sub(b"", terminal.close()).decode().splitlines()[0]
    assert head.split() == ["CACHED", "SHARE", "PATH"]


def test_files_of_processes(pagemap: Pagemap, held: str) -> None:
    rows = rows_of(pagemap, "--open", "--all")
    (row,) = [each for each in rows if each["path"] == held]
    assert row["deleted"] is True
    assert os.getpid() in row["pids"]
    assert row["cached"] in (5 * PAGE, None)
    code, out, _ = pagemap("cache", "--open", "--top", "1")
    assert code == 0
    assert {"NAMES", "PROCESSES", "CACHED", "PATH"} <= set(out.decode().splitlines()[0].split())


def test_without_rights(unprivileged: Pagemap) -> None:
    """One's own files, with one line for the processes of others."""
    code, out, err = unprivileged("cache", "--open", "--json")
    assert code == 0
    assert any("forbid" in line for line in err)
    assert json.loads(out)["about"]["complete"] is False
    for option in ("--frames", "--charged"):
        code, out, err = unprivileged("cache", "/etc", option)
        assert (code, out) == (77, b"")
        assert "kpageflags" in err[0]


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_frames_and_cgroups(pagemap: Pagemap, folder: Path) -> None:
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")
    rows = {row["path"]: row for row in rows_of(pagemap, str(folder), "--frames")}
    row = rows[str(folder / "half")]
    assert (row["mapped"], row["mapcount"]) == (0, 0)
    assert 0 <= row["active"] <= row["cached"]
    if not oracle.may_read("/proc/kpagecgroup"):
        pytest.skip("/proc/kpagecgroup: the kernel has no CONFIG_MEMCG")
    charged = rows_of(pagemap, str(folder), "--charged")
    assert sum(row["cached"] for row in charged) == 7 * PAGE
    assert {row["path"] for row in charged} == set(rows)
    (total,) = rows_of(pagemap, str(folder), "--by", "cgroup")
    assert (total["cached"], total["files"]) == (7 * PAGE, 3)
    assert total["cgroup"] == charged[0]["cgroup"]
