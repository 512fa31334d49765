"""Names with what ends lines elsewhere: the kernel writes all but newlines as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pagemap._errors import TargetVanished
from pagemap._kernel import memory_cgroup, numa_maps
from pagemap._kernel.cgroups import roots
from pagemap._kernel.folder import Folder
from pagemap._kernel.task import cgroup
from pagemap._space.every_space import SeveralSpaces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

MAPPED = b"00400000-00401000 r--p 00000000 08:01 7  /a\r00500000-00600000\n"
BELOW = b"00300000-00301000 r--p 00000000 08:01 7  /b\n"


def test_a_cgroup_is_not_where_its_name_says(tmp_path: Path) -> None:
    """Whoever had a cgroup of his own was counted among others' processes."""
    (tmp_path / "7").mkdir()
    text = "9:name=systemd:/\n4:memory:/mine/a\r4:memory:/system.slice/nginx.service\n0::/\n"
    (tmp_path / "7" / "cgroup").write_bytes(text.encode())
    (tmp_path / "7" / "stat").write_text("7 (a) S 1 6 5 0 -1 4194304\n")
    folder = Folder(7, "7", str(tmp_path))
    wanted = "/mine/a\r4:memory:/system.slice/nginx.service"
    try:
        assert cgroup(folder) == wanted
    finally:
        folder.close()
    (tmp_path / "self").mkdir()
    mount = "30 20 0:27 / /m rw - cgroup none rw,memory\n"
    (tmp_path / "self/mountinfo").write_bytes(
        f"31 20 0:28 / /x\ry rw - tmpfs x rw\n{mount}".encode()
    )
    assert memory_cgroup.of_process(text, procfs=str(tmp_path)) == f"/m{wanted}"


def test_what_is_mounted_there(tmp_path: Path) -> None:
    """Any user's mount was an error of root's command."""
    (tmp_path / "self").mkdir()
    lines = b"x /home/me/a\rb fuse rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    (tmp_path / "self/mounts").write_bytes(lines)
    assert roots(str(tmp_path)) == ["/sys/fs/cgroup"]


@pytest.mark.parametrize("mark", ["\r", "\v", "\f", "\x1c", "\x85", "\u2028"])
def test_a_mapped_file(mark: str) -> None:
    """It had what belongs to another mapping, and lost its own."""
    line = f"400000 default file=/a{mark}500000 mapped=3 N0=3 kernelpagesize_kB=4\n"
    found = numa_maps.parse([line.encode()])
    assert {start: each.nodes for start, each in found.items()} == {0x400000: {0: 3 * 4096}}


class Mapped:
    """A process of two that share memory, of which one ends midway."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def maps_blocks(self) -> Iterator[bytes]:
        yield BELOW
        if self.pid == 1:
            raise TargetVanished("it is gone", pid=1)
        yield MAPPED

    def close(self) -> None:
        pass


class Two(SeveralSpaces):
    def __init__(self) -> None:
        self.pids: list[int] = [1]

    def open(self, pid: int) -> Any:
        return Mapped(pid)

    def instead(self, pid: int, error: Exception) -> int | None:
        return 2 if pid == 1 and isinstance(error, TargetVanished) else None


def test_one_is_read_in_the_place_of_another() -> None:
    """A file of such a name, mapped there, was an error of all that look at all processes."""
    read: list[bytes] = []

    def choose(block: bytes, _process: object) -> tuple[list[tuple[int, int]], None]:
        read.append(block)
        return [], None

    with Two() as spaces:
        assert not list(spaces.go_through(choose, lambda *_: pytest.fail("no piece"), list))
    assert read == [BELOW, MAPPED]
