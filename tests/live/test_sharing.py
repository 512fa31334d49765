"""Who shares what, against every entry and every word read one by one."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap import sharing
from pagemap._kernel.frames import FrameReader
from pagemap._native.sharing import FrameSets
from tests import everyone, oracle, workloads
from tests.kernel_settings import THP, Unavailable, setting
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap import Sharing
    from tests.conftest import Start

PAGE = oracle.PAGE
ALL = 1_000_000


pytestmark = pytest.mark.usefixtures("need_frames")


KINDS = ("anon", "file", "shmem", "ksm", "other", "zero")


def kinds(row: Any) -> Counter[str]:
    """Pages by kind, of a row that has bytes."""
    return Counter({kind: (getattr(row, kind) or 0) // PAGE for kind in KINDS})


def check_against_naive(family: Sequence[int], told: Sharing) -> None:
    """All that is told of a family that is at rest, and of nobody else."""
    naive, saved = everyone.groups(family)
    # the page of zeros alone makes no group
    wanted = {key: count for key, count in naive.items() if set(count) - {"zero"}}
    groups = {(each.pids, each.path): each for each in told.groups}
    assert {key: +kinds(each) for key, each in groups.items()} == wanted
    for each in groups.values():
        assert each.processes == len(each.pids)
        assert each.shared == sum(c for k, c in kinds(each).items() if k != "zero") * PAGE
    paths: dict[str, Counter[str]] = {}
    for (_, path), count in naive.items():
        paths[path] = paths.get(path, Counter()) + count
    of_paths = {each.path: each for each in told.paths}
    assert {path: +kinds(each) for path, each in of_paths.items()} == {
        path: count for path, count in paths.items() if set(count) - {"zero"}
    }
    assert {path: each.saved // PAGE for path, each in of_paths.items()} == {
        path: saved[path] for path in of_paths
    }
    (total,) = told.total
    assert total.saved == saved.total() * PAGE
    for one, other in itertools.combinations(family, 2):
        count = sum((c for (pids, _), c in naive.items() if {one, other} <= {*pids}), Counter())
        pair = [each for each in told.pairs if {each.pid, each.other_pid} == {one, other}]
        assert [+kinds(each) for each in pair] == ([count] if set(count) - {"zero"} else [])
    for process in told.processes:
        count = sum((c for (pids, _), c in naive.items() if process.pid in pids), Counter())
        assert +kinds(process) == count
    assert +kinds(total) == sum(paths.values(), Counter())


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
    check_against_naive(family, sharing(family, only=True, top=ALL))


def test_strangers_page_by_page(start: Start) -> None:
    with workloads.temporary_file(b"both", 64 * PAGE) as path:
        targets = [start(workloads.file_at(path, 64 * PAGE)) for _ in range(2)]
        targets.append(start(workloads.bash()))
        for target in targets:
            target.stop()
        pids = [target.pid for target in targets]
        told = sharing(pids, only=True, top=ALL)
        check_against_naive(pids, told)
        # where temporary files lie in a tmpfs, their pages are those of shared memory
        shared = [each for each in told.paths if os.fsencode(each.path) == path]
        size = 64 * PAGE
        assert [(each.file, each.shmem) for each in shared] in ([(size, 0)], [(0, size)])


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
    told = sharing(pids, only=True, top=ALL)
    check_against_naive(pids, told)
    shared = [each for each in told.paths if "memfd:huge" in each.path]
    assert [(each.shmem, each.file) for each in shared] == [(size, 0)]


def test_whether_merged_pages_are_told(need_root: None) -> None:
    assert FrameReader().tells_ksm() is everyone.ksm_is_told()


def test_where_merged_pages_are_not_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are anonymous, and no output calls none of them merged."""
    monkeypatch.setattr(FrameReader, "tells_ksm", lambda _: False)
    family = at_rest(start(workloads.ksm()), 2)
    wanted = sum(everyone.groups(family)[0].values(), Counter())
    if everyone.ksm_is_told():
        assert wanted["ksm"]
    wanted["anon"] += wanted.pop("ksm", 0)
    told = sharing(family, only=True, top=ALL)
    assert told.about["ksm_told"] is False
    (total,) = told.total
    assert +kinds(total) == wanted
    assert {each.ksm for table in (told.total, told.groups, told.paths) for each in table} == {None}


def test_where_nobody_knows_of_merged_pages(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameReader, "tells_ksm", lambda _: None)
    family = at_rest(start(workloads.dense(64 * PAGE)), 1)
    told = sharing(family, only=True, top=ALL)
    assert told.about["ksm_told"] is None
    assert told.total[0].ksm is not None


@pytest.mark.parametrize("frames", [1 << 12, 100_003])
def test_windows_tell_the_same(frames: int, start: Start) -> None:
    target = start(workloads.shared(64 * PAGE))
    family = at_rest(target, 2)
    if pagemap._kernel.frames.FrameReader().end > 200 * frames:
        frames = pagemap._kernel.frames.FrameReader().end // 200
    check_against_naive(family, sharing(family, only=True, top=ALL, window=frames))


def test_a_child_among_all_processes(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    _, child, other = at_rest(target, 2)
    stranger = start(workloads.idle())
    told = sharing(top=ALL)
    group = next(
        each
        for each in told.groups
        if set(each.pids) == {target.pid, child, other} and (each.anon or 0) >= 64 * PAGE
    )
    assert group.path == ""
    pairs = {frozenset((each.pid, each.other_pid)): each for each in told.pairs}
    for pair in itertools.combinations((target.pid, child, other), 2):
        assert (pairs[frozenset(pair)].anon or 0) >= 64 * PAGE
    assert pairs[frozenset((target.pid, stranger.pid))].anon == 0
    assert (pairs[frozenset((target.pid, stranger.pid))].file or 0) > 0  # libc
    assert all(each.pid < each.other_pid for each in told.pairs)


def test_only_what_a_target_shares(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    _, child = at_rest(target, 1)
    other = start(workloads.idle())
    for _ in range(2):
        start(workloads.bash())
    told = sharing([child], top=ALL)
    assert all(each.pids[0] == child for each in told.groups)
    assert all(each.pid == child for each in told.pairs)
    assert any(
        each.other_pid == target.pid and (each.anon or 0) >= 64 * PAGE for each in told.pairs
    )
    # bash maps itself, and no target does; the other maps the same program
    assert not any("bash" in each.path for each in told.paths)
    assert other.pid in {each.pid for each in told.processes}


def test_the_frames_of_most(start: Start) -> None:
    target = start(workloads.dense(8 * PAGE))
    family = at_rest(target, 30)
    told = sharing(family, only=True, top=5)
    assert len(told.frames) == 5
    for each in told.frames:
        assert each.processes == len(family)
        assert each.mapcount is not None
        assert each.mapcount >= each.processes  # the vdso is others' too
        assert each.kind == everyone.kind(each.pfn)
    assert len(told.pairs) == len(told.groups) == 5


def test_a_child_of_vfork_is_one_with_its_parent(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    child = target.ask("v")
    told = sharing([target.pid, child], only=True)
    assert told.about["sharers"] == {target.pid: [child]}
    assert (len(told.processes), len(told.pairs), len(told.groups)) == (0, 0, 0)


def test_targets_of_one_address_space_among_others(start: Start) -> None:
    """As many processes after them were taken for targets too, with all that they share."""
    strangers = [start(workloads.idle()) for _ in range(2)]
    targets = [start(workloads.dense(64 * PAGE)) for _ in range(24)]
    pids = [target.pid for target in targets]
    children = [target.ask("v") for target in targets]
    told = sharing([*pids, *children], top=ALL)
    assert {each.pids[0] for each in told.groups} <= {*pids}
    assert {each.pid for each in told.pairs} <= {*pids}
    assert {each.pid for each in strangers} <= {each.pid for each in told.processes}


def test_memory_of_those_that_end_before_it_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their frames are free when the kernel is asked what they are: 'other', it was said."""
    size = 4096 * PAGE
    family = at_rest(start(workloads.dense(size)), 1)
    settle = FrameSets.settle

    def end_before(*arguments: Any) -> Iterator[int]:
        for pid in family:
            os.kill(pid, signal.SIGKILL)
        for pid in family:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                while Path(f"/proc/{pid}/statm").read_text() != "0 0 0 0 0 0 0\n":
                    time.sleep(0.001)
        return settle(*arguments)

    monkeypatch.setattr(FrameSets, "settle", end_before)
    told = sharing(family, only=True)
    for part in (told.total, told.processes, told.pairs, told.groups, told.paths):
        assert all(row.shared < size // 2 for row in part)  # but what others were given at once


def test_targets_that_cannot_be_read(start: Start, need_root: None) -> None:
    with pytest.raises(pagemap.NoSuchProcess):
        sharing([int(Path("/proc/sys/kernel/pid_max").read_text())])
    with pytest.raises(pagemap.AccessDenied, match="/proc/kpageflags"):
        as_nobody(lambda: len(sharing()))


def test_memory(start: Start) -> None:
    """What the docstring promises: 4 bytes for each frame, 144 for each set, and a little."""
    target = start(workloads.dense(64 << 20))
    at_rest(target, 3)
    script = (
        "import resource\n"
        "import pagemap\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before = peak()\n"
        "told = pagemap.sharing(top=10)\n"
        "print(peak() - before, told.about['sets'], len(told.processes))\n"
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
