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
from pagemap import sharing
from pagemap._analyses.sharing_walk import MORE_PATHS
from tests import everyone, oracle, workloads, zoo
from tests.live.test_sharing import ALL, check_against_naive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap import Sharing
    from tests.conftest import Start

PAGE = oracle.PAGE
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
    told = sharing(family, only=True, top=ALL)
    check_against_naive(family, told)
    shared = smaps_of(target.pid, target.first, "Shared_Clean", "Shared_Dirty")
    anon = sum(each.anon or 0 for each in told.groups if each.path == "") // PAGE
    # beside the area both have some pages of their C library, and of the heap
    assert shared <= anon <= shared + 64


def test_merged_pages_of_one_process(start: Start) -> None:
    """Pages that KSM merged within one process saved nothing."""
    target = start(workloads.ksm())
    if not everyone.ksm_is_told():
        pytest.skip("this kernel has the flag of merged pages on every anonymous page")
    area = target.first
    frames = [oracle.pfn(entry) for entry in oracle.entries(target.pid, area.start, area.end)]
    merged = {pfn for pfn in frames if pfn is not None and everyone.kind(pfn) == "ksm"}
    assert len(merged) < area.pages
    told = sharing([target.pid], only=True, top=ALL)
    (total,) = told.total
    assert total.ksm == len(merged) * PAGE
    assert total.saved == sum(everyone.word("kpagecount", pfn) - 1 for pfn in merged) * PAGE
    assert total.saved >= (area.pages - len(merged)) * PAGE
    assert [(each.pids, each.ksm) for each in told.groups] == [((target.pid,), len(merged) * PAGE)]


def test_a_page_that_one_process_maps_twice_is_not_shared() -> None:
    with mmap.mmap(-1, 8 * PAGE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS) as memory:
        memory[:] = b"x" * len(memory)
        fd = os.open(f"/proc/self/map_files/{_name_of(memory)}", os.O_RDWR)
        with mmap.mmap(fd, len(memory)) as again:
            os.close(fd)
            again[:] = b"y" * len(again)
            told = sharing([os.getpid()], only=True, top=ALL)
            assert memory[:1] == b"y"
    assert told.total[0].shmem == 0


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
            sharing(family, only=True, top=ALL),
            sharing(family, only=True, top=ALL, size=size),
        )
        if everyone.groups(family) == before:
            assert found[0].total[0].saved == before[1].total() * PAGE
            return found
    pytest.skip("memory does not rest here: somebody moves or merges it all the time")


def test_sets_beyond_all_bounds(random_halves: list[int]) -> None:
    """Processes that map random halves of a file made `sharing` take what memory they liked."""
    size = 50_000
    unbounded, bounded = (told._asdict() for told in both(random_halves, size))
    all_told, told = unbounded["total"].about, bounded["total"].about
    assert all_told["sets"] > HALF
    assert all_told["untold"]["shared"] == 0
    assert told["sets"] * 72 <= size
    assert told["untold"]["shmem"] > HALF * PAGE
    # the total is true all the same, and what is told of sets and saved is no more than is true
    (whole,), (total,) = unbounded["total"], bounded["total"]
    assert total._replace(saved=0) == whole._replace(saved=0)
    assert 0 < total.saved < whole.saved
    groups = {(each.pids, each.path): each.shared for each in unbounded["groups"]}
    assert all(
        each.shared <= groups[each.pids, each.path]
        for each in bounded["groups"]
        if (each.pids, each.path) in groups
    )


def test_names_beyond_all_bounds(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """So did the names of what they map."""
    monkeypatch.setattr(
        "pagemap._analyses.sharing_walk._LABEL_BYTES", 1 << 20
    )  # room for one of them
    family = [start(workloads.python()).pid for _ in range(2)]
    unbounded, bounded = both(family, 2 << 20)
    assert len(unbounded.paths) > 6
    assert {each.path for each in bounded.paths} <= {
        *(each.path for each in unbounded.paths),
        MORE_PATHS,
    }
    assert MORE_PATHS in {each.path for each in bounded.paths}
    assert bounded.total[0][:-1] == unbounded.total[0][:-1]  # all but what is saved


def test_targets_are_what_processes_are_elsewhere() -> None:
    """A target that is no pid was a bare ValueError."""
    assert sharing(["self"], only=True).about["processes"] == 1
    with pytest.raises(pagemap.UsageError, match="find"):
        sharing(["bash"])
    with pytest.raises(TypeError, match="a process is a pid"):
        sharing([1.5])  # type: ignore[list-item]


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
    for limit in (6, 9, 12):
        done = run(limit)
        if done.returncode:
            assert "Too many open files" in done.stderr
            assert "Traceback" not in done.stderr
            continue
        told = json.loads(done.stdout)
        left_out = told.get("about", told).get("left_out", [])
        assert not [each for each in left_out if "open files" in str(each)]


def test_a_file_of_flags_that_ends_early(start: Start, tmp_path: Path) -> None:
    """Frames past the end of /proc/kpageflags were left out without a word."""
    target = start(workloads.dense(64 * PAGE))
    family = [target.pid, target.ask("f")]
    for name in ("self", "meminfo", "kpagecount", "stat", *map(str, family)):
        (tmp_path / name).symlink_to(f"/proc/{name}")
    with open("/proc/kpageflags", "rb") as file:
        (tmp_path / "kpageflags").write_bytes(file.read(8 * 4096))
    told = sharing(family, only=True, procfs=str(tmp_path))
    assert told.about["beyond"] >= 64 * PAGE  # type: ignore[operator]
