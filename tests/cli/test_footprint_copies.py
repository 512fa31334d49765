"""`pagemap footprint --procfs`, and `pagemap.footprints`, of copied files of /proc."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import looks, workloads
from tests.live.test_nodes import APART

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap

OF_ALL = ("meminfo", "zoneinfo")
OF_EACH = ("stat", "comm", "status", "cmdline", "maps", "smaps", "smaps_rollup", "mountinfo")
MIB = 1 << 20
NODES = Path("/sys/devices/system/node")


class Copy:
    """A stopped process, and a copy of what /proc told of it."""

    def __init__(self, root: Path, pid: int) -> None:
        self.pid = pid
        self.procfs = root / "proc"
        for name in OF_ALL:
            self.take(name)
        for name in (*OF_EACH, "numa_maps", "oom_score"):
            self.take(f"{pid}/{name}")
        thread = self.procfs / "2"  # one of the kernel
        thread.mkdir()
        (thread / "stat").write_text("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0\n")
        (thread / "comm").write_text("kthreadd\n")

    def take(self, name: str) -> None:
        """Copy a file, if there is one: of files in /proc only reading tells the size."""
        path = self.procfs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if Path("/proc", name).exists():
            path.write_bytes(Path("/proc", name).read_bytes())


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    with workloads.dense(4 * MIB) as target:
        target.stop()
        yield Copy(tmp_path_factory.mktemp("copy"), target.pid)


def told(table: Any) -> list[dict[str, Any]]:
    """The rows, but for who shares the process's memory, which a copy does not tell."""
    return [
        {name: value for name, value in row._asdict().items() if name != "sharers"} for row in table
    ]


@pytest.mark.parametrize("by", ["process", "mapping", "path"])
def test_the_same_as_of_the_process(copy: Copy, by: Any) -> None:
    def look() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        for name in ("smaps", "smaps_rollup"):
            copy.take(f"{copy.pid}/{name}")
        saved: Any = pagemap.footprints(by=by, procfs=str(copy.procfs))
        return told(saved), told(pagemap.footprints([copy.pid], by=by))

    looks.agreed(look)
    live: Any = pagemap.footprints([copy.pid], by=by)
    saved: Any = pagemap.footprints(by=by, procfs=str(copy.procfs))
    assert (saved.about["host"], saved.about["kernel"]) == (None, None)
    assert saved.about["memory"] == live.about["memory"]
    assert saved.about["left_out"] == []


def test_nodes(copy: Copy, pagemap: Pagemap) -> None:
    """By numa_maps; which processors a node has is told by sysfs, beside the copy."""
    if not (copy.procfs / f"{copy.pid}/numa_maps").exists():
        pytest.skip("the kernel has no numa_maps (CONFIG_NUMA)")
    words = ("footprint", "--procfs", str(copy.procfs), "--nodes", "--json")
    code, out, err = pagemap(*words)
    (row,) = json.loads(out)["rows"]
    assert code == 0
    assert any("as it was copied" in line for line in err)
    wanted: dict[str, int] = {}
    with process_of(copy.pid) as process:
        for each in process.nodes():
            if each.path not in APART:
                name = f"node_{each.node}"
                wanted[name] = wanted.get(name, 0) + each.resident
    assert {name: row[name] for name in wanted} == wanted
    assert (row["misplaced"], row["remote"]) == (0, None)


def process_of(pid: int) -> pagemap.Process:
    return pagemap.Process(pid)


def test_targets(copy: Copy, pagemap: Pagemap, unused_pid: int) -> None:
    name = (copy.procfs / f"{copy.pid}/comm").read_text().strip()
    user = str(os.geteuid())
    words = ("footprint", "--procfs", str(copy.procfs), "--columns", "pid,oom_score", "--csv")
    score = (copy.procfs / f"{copy.pid}/oom_score").read_text().strip()
    for target in ([name], ["--user", user]):
        code, out, _ = pagemap(*words, *target)
        assert (code, out.decode()) == (0, f"pid,oom_score\n{copy.pid},{score}\n"), target
    assert pagemap(*words, unused_pid)[:2] == (66, b"")


def test_what_a_copy_lacks(copy: Copy, pagemap: Pagemap, tmp_path: Path) -> None:
    words = ("footprint", "--procfs", str(copy.procfs))
    assert pagemap(*words, "--gentle")[:2] == (2, b"")
    assert pagemap(*words, "--cgroup", "/")[:2] == (2, b"")
    code, _, err = pagemap(*words, "--columns", "pid,frees")
    assert (code, err[-1].split("; ")[-1]) == (2, "leave it out")
    for other, why in ((tmp_path, "is no copy of /proc"), (tmp_path / "none", "needs a directory")):
        code, out, err = pagemap("footprint", "--procfs", str(other))
        assert (code, out) == (66, b"")
        assert why in err[-1]
    bare = tmp_path / "proc"
    shutil.copytree(copy.procfs, bare)
    for name in ("zoneinfo", "meminfo", f"{copy.pid}/oom_score", f"{copy.pid}/status"):
        (bare / name).unlink()
    words = ("footprint", "--procfs", str(bare))
    assert pagemap(*words, "--nodes")[:2] == (2, b"")
    code, out, _ = pagemap(*words, "--columns", "pid,share,oom_score,page_tables", "--csv")
    assert (code, out.decode()) == (0, f"pid,share,oom_score,page_tables\n{copy.pid},,,\n")


@pytest.mark.parametrize("kind", ["fifo", "device"])
@pytest.mark.parametrize("whose", ["process", "machine"])
def test_what_is_no_regular_file_is_not_opened(
    pagemap: Pagemap, copy: Copy, tmp_path: Path, whose: str, kind: str
) -> None:
    """A fifo in a copy out of another's hand was waited for; opening a device may do anything."""
    shutil.copytree(copy.procfs, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / str(copy.pid) if whose == "process" else tmp_path
    for path in folder.iterdir():
        if path.is_file() and path.name not in ("stat", "comm"):
            path.unlink()
            if kind == "fifo":
                os.mkfifo(path)
            else:
                path.symlink_to("/dev/zero")  # which has no end
    code, out, err = pagemap("footprint", "--procfs", str(tmp_path), "--json")
    rows = json.loads(out)["rows"]
    if whose == "process":
        assert (code, rows) == (0, [])
        assert f"{copy.pid}" in "\n".join(err)
        code, out, err = pagemap("footprint", "--procfs", str(tmp_path), copy.pid)
        assert (code, out) == (1, b"")
        assert "it is not a regular file" in err[0]
    else:
        assert (code, [row["pid"] for row in rows]) == (0, [copy.pid])
        assert rows[0]["share"] is None, "of a memory whose size is not told"


def test_a_line_that_does_not_end(pagemap: Pagemap, copy: Copy, tmp_path: Path) -> None:
    """A hole of a TiB was read as one line: for hours, and into memory."""
    shutil.copytree(copy.procfs, tmp_path, dirs_exist_ok=True)
    smaps = tmp_path / str(copy.pid) / "smaps"
    with smaps.open("wb") as file:
        file.truncate(1 << 40)
    words = ("footprint", "--by", "mapping", "--procfs", str(tmp_path), copy.pid)
    code, out, err = pagemap(*words)
    assert (code, out) == (1, b"")
    assert "not a line of /proc/PID/maps: '" in err[0]


def test_a_path_of_more_than_a_mebibyte(copy: Copy, pagemap: Pagemap, tmp_path: Path) -> None:
    """As a file has it that lies in thousands of folders; the kernel writes all of it."""
    shutil.copytree(copy.procfs, tmp_path, dirs_exist_ok=True)
    smaps = tmp_path / str(copy.pid) / "smaps"
    lines = smaps.read_bytes().split(b"\n")
    first = next(number for number, line in enumerate(lines) if b" /" in line)
    lines[first] = lines[first].partition(b" /")[0] + b" " + b"/folder" * (MIB // 5)
    smaps.write_bytes(b"\n".join(lines))
    found = []
    for procfs in (copy.procfs, tmp_path):
        words = ("footprint", "--by", "mapping", "--procfs", str(procfs), copy.pid, "--csv")
        code, out, _ = pagemap(*words, "--columns", "size,rss,pss", "--sort", "size")
        assert code == 0
        found.append(out)
    assert found[0] == found[1]
