"""The directory of a memory cgroup, by its inode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pagemap._kernel.cgroups import directory_of

if TYPE_CHECKING:
    from pathlib import Path


def machine(root: Path, *lines: str) -> str:
    """A /proc with these mounts."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mounts").write_text("".join(f"{line}\n" for line in lines))
    return str(root / "proc")


def test_in_the_unified_hierarchy(tmp_path: Path) -> None:
    root = tmp_path / "a cgroup"
    deep = root / "system.slice/one.service"
    deep.mkdir(parents=True)
    (root / "cgroup.procs").touch()
    mount = str(root).replace(" ", "\\040")
    procfs = machine(tmp_path, "proc /proc proc rw 0 0", f"cgroup2 {mount} cgroup2 rw 0 0")
    for folder in (root, deep.parent, deep):
        assert directory_of(folder.stat().st_ino, procfs=procfs) == str(folder)
    assert directory_of((root / "cgroup.procs").stat().st_ino, procfs=procfs) is None


def test_in_a_hierarchy_of_its_own(tmp_path: Path) -> None:
    for name in ("unified", "memory", "cpu"):
        (tmp_path / name / "group").mkdir(parents=True)
    procfs = machine(
        tmp_path,
        f"cgroup2 {tmp_path}/unified cgroup2 rw 0 0",
        f"cgroup {tmp_path}/cpu cgroup rw,cpu 0 0",
        f"cgroup {tmp_path}/memory cgroup rw,nosuid,memory 0 0",
    )
    wanted = tmp_path / "memory/group"
    assert directory_of(wanted.stat().st_ino, procfs=procfs) == str(wanted)
    for name in ("unified", "cpu"):
        inode = (tmp_path / name / "group").stat().st_ino
        assert directory_of(inode, procfs=procfs) is None


def test_nothing_to_be_seen(tmp_path: Path) -> None:
    assert directory_of(7, procfs=str(tmp_path)) is None
    procfs = machine(tmp_path, f"cgroup2 {tmp_path}/gone cgroup2 rw 0 0")
    assert directory_of(7, procfs=procfs) is None
