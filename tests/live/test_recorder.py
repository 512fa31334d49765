"""A record has each moment as the kernel showed it, whatever happened between them."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pagemap import PagemapError, TargetVanished
from pagemap._history.recorder import MOST_PATCHES, Recorder
from pagemap._space.snapshot_file import SnapshotFile
from tests import oracle, workloads
from tests.live.test_snapshot import steady
from tests.target import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Start

SIZE = 3000  # pages of each area
SOFT_DIRTY = 1 << 55
# Areas of a process that does as it is told, a line at a time.
PLAYER = """
import ctypes, mmap, sys
libc = ctypes.CDLL(None)
areas, page = {}, mmap.PAGESIZE
print("ready", flush=True)
for line in sys.stdin:
    deed, name, first, count = line.split()
    first, count = int(first), int(count)
    if deed == "map":
        areas[name] = mmap.mmap(-1, count * page, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    elif deed == "unmap":
        areas.pop(name).close()
    elif deed == "touch":
        for number in range(first, first + count):
            areas[name][number * page] = 7
    elif deed == "read":
        for number in range(first, first + count):
            areas[name][number * page]
    elif deed == "drop":
        areas[name].madvise(mmap.MADV_DONTNEED, first * page, count * page)
    print("done", flush=True)
"""


class Player:
    """The process, and what it was told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PLAYER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready\n"
        self.names: list[str] = []
        self.made = 0

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def tell(self, deed: str, name: str, first: int = 0, count: int = SIZE) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{deed} {name} {first} {count}\n")
        self.process.stdin.flush()
        assert self._answer() == "done\n"

    def draw(self, random: random.Random) -> None:
        deed = random.choice(["map", "unmap", "touch", "touch", "read", "drop"])
        if deed == "map" or not self.names:
            self.made += 1
            self.names.append(f"area{self.made}")
            self.tell("map", self.names[-1])
        elif deed == "unmap":
            self.tell(deed, self.names.pop(random.randrange(len(self.names))))
        else:
            first = random.randrange(SIZE)
            count = random.choice([1, 2, random.randrange(1, SIZE + 1)])
            self.tell(deed, random.choice(self.names), first, min(count, SIZE - first))


@pytest.fixture
def player() -> Iterator[Player]:
    made = Player()
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()


def touched(entry: int) -> int:
    """Nothing of a page that was never touched, whose mapping is soft-dirty: it is not recorded."""
    return 0 if entry == SOFT_DIRTY else steady(entry)


def table_of(pid: int) -> dict[tuple[int, int], list[int]]:
    return {
        (each.start, each.end): [
            touched(entry) for entry in oracle.entries(pid, each.start, each.end)
        ]
        for each in oracle.maps(pid)
    }


def saved_table(path: Path, moment: int) -> dict[tuple[int, int], list[int]]:
    with SnapshotFile(str(path)) as file:
        (record,) = file.processes(moment)
        lines = oracle.parse_maps(b"".join(record.maps_blocks()))
        return {
            (each.start, each.end): [
                touched(entry)
                for entry in record.table.read(
                    each.start // oracle.PAGE, (each.end - each.start) // oracle.PAGE
                )
            ]
            for each in lines
        }


@pytest.mark.parametrize("pfns", [True, False])
def test_every_moment_is_as_it_was(player: Player, tmp_path: Path, pfns: bool) -> None:
    draw = random.Random(os.environ.get("PAGEMAP_SEED"))
    path, wanted = tmp_path / "record", []
    mask = -1 if pfns else ~((1 << 55) - 1)
    moments = int(os.environ.get("PAGEMAP_MOMENTS", str(MOST_PATCHES + 4)))
    with Recorder(player.process.pid, str(path), pfns=pfns) as recorder:
        for _ in range(moments):
            for _ in range(draw.randrange(4)):
                player.draw(draw)
            recorder.take()
            wanted.append(table_of(player.process.pid))
        assert recorder.moments == moments
    with SnapshotFile(str(path)) as file:
        assert file.moments == moments
        assert {file.about(number)["full"] for number in range(moments)} == {True, False}
    for number, table in enumerate(wanted):
        masked = {bounds: [entry & mask for entry in entries] for bounds, entries in table.items()}
        assert saved_table(path, number) == masked, number


def test_a_patch_is_small(player: Player, tmp_path: Path) -> None:
    """At most a third where 5 % of the pages changed, all over; next to none of one that rests."""
    player.tell("map", "area", count=20_000)
    player.tell("touch", "area", count=20_000)
    with Recorder(player.process.pid, str(tmp_path / "record")) as recorder:
        full = recorder.take()
        rested = recorder.take()
        draw = random.Random(3)
        for _ in range(1000):
            first = draw.randrange(20_000)
            player.tell("drop", "area", first, 1)
            player.tell("touch", "area", first, 1)
        changed = recorder.take()
    if oracle.pfns_visible():
        # of frames in rows, as a machine that has just booted gives them, all are next to nothing
        assert changed < max(full / 3, 8 * 1000)
        assert rested < max(full / 5, 2000)


def test_it_can_be_read_when_the_recorder_is_killed(start: Start, tmp_path: Path) -> None:
    target = start(workloads.dense(8 << 20))
    path = tmp_path / "record"
    text = (
        "import sys\nfrom pagemap._history.recorder import Recorder\n"
        "recorder = Recorder(int(sys.argv[1]), sys.argv[2])\n"
        "while True: recorder.take()\n"
    )
    words = [sys.executable, "-c", text, str(target.pid), str(path)]
    with subprocess.Popen(words) as process:
        wait_until(lambda: path.exists() and path.stat().st_size > 30_000)
        time.sleep(random.random() / 50)
        process.send_signal(signal.SIGKILL)
    wanted = oracle.entries(target.pid, target.first.start, target.first.start + (8 << 20))
    with SnapshotFile(str(path)) as file:
        assert file.moments > 1
        for number in (0, -1):
            (record,) = file.processes(number)
            saved = record.table.read(target.first.start // oracle.PAGE, 2048)
            assert saved.tolist() == wanted


@pytest.mark.usefixtures("need_pfns")
@pytest.mark.parametrize("space", [0, 30, 1000])
def test_after_a_disk_that_was_full(player: Player, tmp_path: Path, space: int) -> None:
    """Later moments were written at other places than was noted: none could be read."""
    path, wanted = tmp_path / "record", []
    player.tell("map", "area")
    pid = player.process.pid
    with Recorder(pid, str(path)) as recorder:
        for number in range(4):
            player.tell("touch", "area", 500 * number, 500)
            if number != 1:
                recorder.take()
                wanted.append(table_of(pid))
                continue
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (recorder.size + space, limits[1]))
            try:
                with pytest.raises(PagemapError, match="cannot write"):
                    recorder.take()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert path.stat().st_size == recorder.size
    with SnapshotFile(str(path)) as file:
        assert file.moments == len(wanted)
    for number, table in enumerate(wanted):
        assert saved_table(path, number) == table, number


def test_a_target_that_exits(start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    path = tmp_path / "record"
    with Recorder(target.pid, str(path)) as recorder:
        recorder.take()
        target.kill()
        with pytest.raises(TargetVanished):
            recorder.take()
    with SnapshotFile(str(path)) as file:
        assert file.moments == 1
        assert len(file.processes()) == 1


def test_an_older_file_is_not_written_to(start: Start, tmp_path: Path) -> None:
    target = start(workloads.idle())
    path = tmp_path / "record"
    path.write_bytes(b"older")
    with pytest.raises(PagemapError, match="it is there already"):
        Recorder(target.pid, str(path))
    assert path.read_bytes() == b"older"


def test_a_moment_that_is_not_there(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "record"
    with Recorder(start(workloads.idle()).pid, str(path)) as recorder:
        recorder.take()
        recorder.take()
    assert path.stat().st_mode & 0o777 == 0o600
    with SnapshotFile(str(path)) as file:
        assert file.hash(0) != file.hash(1)
        assert file.about(1)["parent"] == file.hash(0)
        with pytest.raises(PagemapError, match="has no moment 2: it has 2, from 0 to 1"):
            file.processes(2)
