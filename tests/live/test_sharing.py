"""Who shares what, against every entry and every word read one by one."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import mmap
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.sharing import Amounts, Sharing
from pagemap._kernel.frames import FrameReader
from pagemap._render.sharing import write_csv, write_json, write_text
from tests import everyone, oracle, workloads
from tests.kernel_settings import THP, Unavailable, setting
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import Start

PAGE = oracle.PAGE
ALL = 1_000_000


@pytest.fixture
def need_frames(need_pfns: None) -> None:
    """Skip where the kernel's words about frames cannot be read."""
    if not os.access("/proc/kpageflags", os.R_OK):
        pytest.skip("/proc/kpageflags is root's: needs CAP_DAC_READ_SEARCH")


pytestmark = pytest.mark.usefixtures("need_frames")


def kinds(pages: Amounts) -> Counter[str]:
    return Counter(pages._asdict())


def check_against_naive(family: Sequence[int], sharing: Sharing) -> None:
    """All that `sharing` tells of a family that is at rest, and of nobody else."""
    naive, saved = everyone.groups(family)
    # the page of zeros alone makes no group
    wanted = {key: count for key, count in naive.items() if set(count) - {"zero"}}
    assert {(each.pids, each.path): +kinds(each.pages) for each in sharing.groups} == wanted
    paths: dict[str, Counter[str]] = {}
    for (_, path), count in naive.items():
        paths[path] = paths.get(path, Counter()) + count
    told = {each.path: each for each in sharing.paths}
    assert {path: +kinds(each.pages) for path, each in told.items()} == {
        path: count for path, count in paths.items() if set(count) - {"zero"}
    }
    assert {path: each.saved for path, each in told.items()} == {p: saved[p] for p in told}
    assert sharing.saved == saved.total()
    for one, other in itertools.combinations(family, 2):
        count = sum((c for (pids, _), c in naive.items() if {one, other} <= {*pids}), Counter())
        pair = [each for each in sharing.pairs if {each.pid, each.other} == {one, other}]
        assert [+kinds(each.pages) for each in pair] == ([count] if set(count) - {"zero"} else [])
    for each in sharing.processes:
        count = sum((c for (pids, _), c in naive.items() if each.pid in pids), Counter())
        assert +kinds(each.pages) == count
    assert +kinds(sharing.total) == sum(paths.values(), Counter())


def at_rest(target: workloads.Target, children: int) -> list[int]:
    """The target and so many children that it forked, none of which does anything."""
    family = [target.pid, *(target.ask("f") for _ in range(children))]
    for pid in family:  # a child that has just begun still touches its libc
        everyone.wait_asleep(pid)
    target.stop()
    return family


@pytest.mark.parametrize("kind", ["dense", "shared", "file", "ksm", "thp", "zero", "many"])
def test_a_family_page_by_page(kind: str, start: Start) -> None:
    maker = {"dense": lambda: workloads.dense(64 * PAGE), "many": lambda: workloads.many(300)}
    target = start(maker.get(kind, workloads.KINDS[kind])())
    family = at_rest(target, 4)
    check_against_naive(family, Sharing(family, only=True, top=ALL))


def test_strangers_page_by_page(start: Start) -> None:
    with workloads.temporary_file(b"both", 64 * PAGE) as path:
        targets = [start(workloads.file_at(path, 64 * PAGE)) for _ in range(2)]
        targets.append(start(workloads.bash()))
        for target in targets:
            target.stop()
        pids = [target.pid for target in targets]
        sharing = Sharing(pids, only=True, top=ALL)
        check_against_naive(pids, sharing)
        # where temporary files lie in a tmpfs, their pages are those of shared memory
        shared = [each.pages for each in sharing.paths if os.fsencode(each.path) == path]
        assert [(pages.file, pages.shmem) for pages in shared] in ([(64, 0)], [(0, 64)])


@pytest.fixture
def huge_memfd() -> Iterator[tuple[bytes, int]]:
    """The path and the size of shared memory in huge pages."""
    size = 4 << 20
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(setting(THP / "shmem_enabled", "advise"))
        except Unavailable as error:
            pytest.skip(str(error))
        fd = os.memfd_create("huge")
        stack.callback(os.close, fd)
        os.ftruncate(fd, size)
        area = stack.enter_context(mmap.mmap(fd, size))
        area.madvise(mmap.MADV_HUGEPAGE)
        area[::PAGE] = bytes([1]) * (size // PAGE)
        yield b"/proc/%d/fd/%d" % (os.getpid(), fd), size


def test_shared_memory_in_huge_pages(huge_memfd: tuple[bytes, int], start: Start) -> None:
    """It is shared memory to its last page, also where the kernel tells that of the first alone."""
    path, size = huge_memfd
    targets = [start(workloads.file_at(path, size)) for _ in range(2)]
    for target in targets:
        target.stop()
    area = targets[0].areas["shared"]
    frames = [oracle.pfn(entry) for entry in oracle.entries(targets[0].pid, area.start, area.end)]
    words = [everyone.word("kpageflags", frame) for frame in frames if frame is not None]
    if len(words) != size // PAGE or not all(each & everyone.TAIL for each in words[1:512]):
        pytest.skip("memory is too fragmented for huge pages, or shared memory has none")
    pids = [target.pid for target in targets]
    sharing = Sharing(pids, only=True, top=ALL)
    check_against_naive(pids, sharing)
    shared = [each.pages for each in sharing.paths if "memfd:huge" in each.path]
    assert [(pages.shmem, pages.file) for pages in shared] == [(size // PAGE, 0)]


def test_whether_merged_pages_are_told(need_root: None) -> None:
    assert FrameReader().tells_ksm() is everyone.ksm_is_told()


def test_where_merged_pages_are_not_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are anonymous, and no output calls none of them merged."""
    monkeypatch.setattr(FrameReader, "tells_ksm", lambda _: False)
    family = at_rest(start(workloads.ksm()), 2)
    wanted = sum(everyone.groups(family)[0].values(), Counter())
    if everyone.ksm_is_told():
        assert wanted["ksm"]
    wanted["anonymous"] += wanted.pop("ksm", 0)
    sharing = Sharing(family, only=True, top=ALL)
    assert not sharing.ksm_told
    assert +kinds(sharing.total) == wanted
    written: list[bytes] = []
    write_json(sharing, ["total", "groups"], written.append)
    told = json.loads(b"".join(written))
    assert (told["ksm_told"], told["total"]["ksm"]) == (False, None)
    assert {each["ksm"] for each in told["groups"]} == {None}
    written.clear()
    write_csv(sharing, "total", written.append)
    (row,) = csv.DictReader(b"".join(written).decode().splitlines())
    assert (row["ksm"], row["anonymous"]) == ("", str(wanted["anonymous"] * PAGE))
    written.clear()
    write_text(sharing, ["groups"], 20, written.append)
    assert b"KSM" not in b"".join(written)


def test_where_nobody_knows_of_merged_pages(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameReader, "tells_ksm", lambda _: None)
    family = at_rest(start(workloads.dense(64 * PAGE)), 1)
    sharing = Sharing(family, only=True, top=ALL)
    assert sharing.ksm_told is None
    written: list[bytes] = []
    write_json(sharing, ["total"], written.append)
    told = json.loads(b"".join(written))
    assert told["ksm_told"] is None
    assert told["total"]["ksm"] == sharing.total.ksm * PAGE


@pytest.mark.parametrize("frames", [1 << 12, 100_003])
def test_windows_tell_the_same(frames: int, start: Start) -> None:
    target = start(workloads.shared(64 * PAGE))
    family = at_rest(target, 2)
    if pagemap._kernel.frames.FrameReader().end > 200 * frames:
        frames = pagemap._kernel.frames.FrameReader().end // 200
    check_against_naive(family, Sharing(family, only=True, top=ALL, window=frames))


def test_a_child_among_all_processes(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    _, child, other = at_rest(target, 2)
    stranger = start(workloads.idle())
    sharing = Sharing(top=ALL)
    group = next(
        each
        for each in sharing.groups
        if set(each.pids) == {target.pid, child, other} and each.pages.anonymous >= 64
    )
    assert group.path == ""
    pairs = {frozenset((each.pid, each.other)): each.pages for each in sharing.pairs}
    for pair in itertools.combinations((target.pid, child, other), 2):
        assert pairs[frozenset(pair)].anonymous >= 64
    assert pairs[frozenset((target.pid, stranger.pid))].anonymous == 0
    assert pairs[frozenset((target.pid, stranger.pid))].file > 0  # libc
    assert all(each.pid < each.other for each in sharing.pairs)


def test_only_what_a_target_shares(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    _, child = at_rest(target, 1)
    strangers = [start(workloads.bash()) for _ in range(2)]
    sharing = Sharing([child], top=ALL)
    assert all(each.pids[0] == child for each in sharing.groups)
    assert all(each.pid == child for each in sharing.pairs)
    assert any(each.other == target.pid and each.pages.anonymous >= 64 for each in sharing.pairs)
    # bash maps itself, and no target does
    assert not any("bash" in each.path for each in sharing.paths)
    assert {each.pid for each in strangers} <= {each.pid for each in sharing.processes}


def test_the_frames_of_most(start: Start) -> None:
    target = start(workloads.dense(8 * PAGE))
    family = at_rest(target, 30)
    sharing = Sharing(family, only=True, top=5)
    assert len(sharing.frames) == 5
    for each in sharing.frames:
        assert each.processes == len(family)
        assert each.mapcount is not None
        assert each.mapcount >= each.processes  # libc is others' too
        assert each.kind == everyone.kind(each.pfn)
    assert len(sharing.pairs) == len(sharing.groups) == 5


def test_a_child_of_vfork_is_one_with_its_parent(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    child = target.ask("v")
    sharing = Sharing([target.pid, child], only=True)
    assert sharing.spaces.sharers == {target.pid: [child]}
    assert (sharing.processes, sharing.pairs, sharing.groups) == ([], [], [])


def test_targets_that_cannot_be_read(start: Start, need_root: None) -> None:
    with pytest.raises(pagemap.NoSuchProcess):
        Sharing([int(Path("/proc/sys/kernel/pid_max").read_text())])
    with pytest.raises(pagemap.AccessDenied, match="/proc/kpageflags"):
        as_nobody(lambda: Sharing().sets)


def test_memory(start: Start) -> None:
    """What the docstring promises: 4 bytes for each frame, 144 for each set, and a little."""
    target = start(workloads.dense(64 << 20))
    at_rest(target, 3)
    script = (
        "import resource\n"
        "from pagemap._analyses.sharing import Sharing\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before = peak()\n"
        "sharing = Sharing(top=10)\n"
        "print(peak() - before, sharing.sets, len(sharing.processes))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    took, sets, processes = map(int, run.stdout.split())
    total = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    assert total is not None
    frames = int(total[1]) * 1024 // PAGE
    pairs = processes * processes // 2 * 48
    # while sets move into more room there are the old ones too; threads have buffers of their own
    assert took <= 4 * frames + 2 * 144 * max(sets, 4096) + pairs + (16 << 20)
