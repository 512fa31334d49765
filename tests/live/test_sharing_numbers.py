"""What `sharing` once told wrongly, or not at all: each fault in the first line of its test."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.sharing import MORE_PATHS, Sharing
from tests import everyone, oracle, workloads, zoo
from tests.live.test_sharing import ALL, check_against_naive, need_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start

PAGE = oracle.PAGE
__all__ = ["need_frames"]
pytestmark = pytest.mark.usefixtures("need_frames")


def smaps_of(pid: int, area: workloads.Area, *fields: str) -> int:
    """What the kernel's smaps says of an area, in pages."""
    maps = oracle.parse_smaps(Path(f"/proc/{pid}/smaps").read_bytes())
    inside = [each for each in maps if area.start <= each.start and each.end <= area.end]
    return sum(each.sizes[field] for each in inside for field in fields) // PAGE


@pytest.mark.parametrize("deed", [b"writes", b"keeps"])
def test_huge_pages_of_a_fork(deed: bytes, start: Start) -> None:
    """What a child shares of huge pages was lost once it had written the first page of each."""
    target = start(zoo.forked_thp(deed))
    family = [target.pid, *target.children]
    sharing = Sharing(family, only=True, top=ALL)
    check_against_naive(family, sharing)
    shared = smaps_of(target.pid, target.first, "Shared_Clean", "Shared_Dirty")
    told = [each.pages.anonymous for each in sharing.groups if each.path == ""]
    # beside the area both have some pages of their C library, and of the heap
    assert shared <= sum(told) <= shared + 64


def test_merged_pages_of_one_process(start: Start) -> None:
    """Pages that KSM merged within one process saved nothing."""
    target = start(workloads.ksm())
    if not everyone.ksm_is_told():
        pytest.skip("this kernel has the flag of merged pages on every anonymous page")
    area = target.first
    frames = [oracle.pfn(entry) for entry in oracle.entries(target.pid, area.start, area.end)]
    merged = {pfn for pfn in frames if pfn is not None and everyone.kind(pfn) == "ksm"}
    assert len(merged) < area.pages
    sharing = Sharing([target.pid], only=True, top=ALL)
    assert sharing.total.ksm == len(merged)
    assert sharing.saved == sum(everyone.word("kpagecount", pfn) - 1 for pfn in merged)
    assert sharing.saved >= area.pages - len(merged)
    assert [(each.pids, each.pages.ksm) for each in sharing.groups] == [
        ((target.pid,), len(merged))
    ]


def test_a_page_that_one_process_maps_twice_is_not_shared() -> None:
    with mmap.mmap(-1, 8 * PAGE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS) as memory:
        memory[:] = b"x" * len(memory)
        fd = os.open(f"/proc/self/map_files/{_name_of(memory)}", os.O_RDWR)
        with mmap.mmap(fd, len(memory)) as again:
            os.close(fd)
            again[:] = b"y" * len(again)
            sharing = Sharing([os.getpid()], only=True, top=ALL)
            assert memory[:1] == b"y"
    assert sharing.total.shmem == 0


def _name_of(memory: mmap.mmap) -> str:
    start = oracle.address_of(memory)
    line = next(line for line in oracle.maps(os.getpid()) if line.start <= start < line.end)
    return f"{line.start:x}-{line.end:x}"


HALF = 2048


# A program of its own: of a fork of the tests all that they have loaded would be looked at too.
TOSSED = """
import mmap, random, sys
fd, pages, number = map(int, sys.argv[1:])
toss = random.Random(number)
memory = mmap.mmap(fd, pages * mmap.PAGESIZE)
memory.madvise(mmap.MADV_RANDOM)
for at in range(0, len(memory), mmap.PAGESIZE):
    if toss.random() < 0.5:
        memory[at] = 2
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def random_halves() -> Iterator[list[int]]:
    """Processes that each touched pages of a memfd by the toss of a coin: few map the same."""
    fd = os.memfd_create("tossed")
    os.ftruncate(fd, 2 * HALF * PAGE)
    with mmap.mmap(fd, 2 * HALF * PAGE) as memory:
        for at in range(0, len(memory), PAGE):
            memory[at] = 1
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", TOSSED, str(fd), str(2 * HALF), str(number)],
                    pass_fds=[fd],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for number in range(16)
        ]
        os.close(fd)
        try:
            for child in children:
                assert child.stdout
                assert child.stdout.readline() == b"\n"
            yield [child.pid for child in children]
        finally:
            for child in children:
                child.kill()


def both(family: list[int], size: int) -> tuple[Sharing, Sharing]:
    """What is told without bounds and within `size` bytes, of a moment in which nothing changed."""
    for _ in range(10):
        before = everyone.groups(family)
        found = (
            Sharing(family, only=True, top=ALL),
            Sharing(family, only=True, top=ALL, size=size),
        )
        if everyone.groups(family) == before:
            assert found[0].saved == before[1].total()
            return found
    pytest.skip("memory does not rest here: somebody moves or merges it all the time")


def test_sets_beyond_all_bounds(random_halves: list[int]) -> None:
    """Processes that map random halves of a file made `sharing` take what memory they liked."""
    size = 50_000
    unbounded, sharing = both(random_halves, size)
    assert unbounded.sets > HALF
    assert unbounded.untold.shared == 0
    assert sharing.sets * 72 <= size
    assert sharing.untold.shmem > HALF
    # the total is true all the same, and what is told of sets and saved is no more than is true
    assert sharing.total == unbounded.total
    assert 0 < sharing.saved < unbounded.saved
    told = {(each.pids, each.path): each.pages for each in unbounded.groups}
    assert all(
        each.pages.shared <= told[each.pids, each.path].shared
        for each in sharing.groups
        if (each.pids, each.path) in told
    )


def test_names_beyond_all_bounds(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """So did the names of what they map."""
    monkeypatch.setattr("pagemap._analyses.sharing._LABEL_BYTES", 1 << 20)  # room for one of them
    family = [start(workloads.python()).pid for _ in range(2)]
    unbounded, sharing = both(family, 2 << 20)
    assert len(unbounded.paths) > 6
    assert {each.path for each in sharing.paths} <= {
        *(each.path for each in unbounded.paths),
        MORE_PATHS.decode(),
    }
    assert MORE_PATHS.decode() in {each.path for each in sharing.paths}
    assert sharing.total == unbounded.total


def test_targets_are_what_processes_are_elsewhere() -> None:
    """A target that is no pid was a bare ValueError."""
    assert Sharing(["self"], only=True).spaces.pids == [os.getpid()]
    with pytest.raises(pagemap.UsageError, match="find"):
        Sharing(["bash"])
    with pytest.raises(TypeError, match="a process is a pid"):
        Sharing([1.5])  # type: ignore[list-item]


COMMANDS = {
    "sharing": ("sharing", "--json"),
    "who": ("who", "{pid}", "{address}", "--json"),
    "footprint": ("footprint", "--json"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_few_open_files(name: str, start: Start, command: list[str]) -> None:
    """With few descriptors `sharing` showed a part of what there is, and called that all."""
    target = start(workloads.dense(8 * PAGE))
    words = [
        word.format(pid=target.pid, address=hex(target.first.start)) for word in COMMANDS[name]
    ]

    def run(limit: int) -> subprocess.CompletedProcess[str]:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        return subprocess.run(
            [*command, *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=limited,
        )

    whole = run(1024)
    assert whole.returncode == 0, whole.stderr
    for limit in (6, 8, 10, 12, 14):
        done = run(limit)
        if done.returncode:
            assert "Too many open files" in done.stderr
            assert "Traceback" not in done.stderr
            continue
        told = json.loads(done.stdout)
        assert told.get("unreadable", []) == json.loads(whole.stdout).get("unreadable", [])
        assert not [each for each in told.get("left_out", []) if "open files" in str(each)]


def test_a_file_of_flags_that_ends_early(start: Start, tmp_path: Path) -> None:
    """Frames past the end of /proc/kpageflags were left out without a word."""
    target = start(workloads.dense(64 * PAGE))
    family = [target.pid, target.ask("f")]
    for name in ("self", "meminfo", "kpagecount", "stat", *map(str, family)):
        (tmp_path / name).symlink_to(f"/proc/{name}")
    with open("/proc/kpageflags", "rb") as file:
        (tmp_path / "kpageflags").write_bytes(file.read(8 * 4096))
    sharing = Sharing(family, only=True, procfs=str(tmp_path))
    assert sharing.beyond >= 64
