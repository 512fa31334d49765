"""Who maps a frame, against the kernel's map counts and entries read one by one."""

from __future__ import annotations

import contextlib
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.owners import Mapper, Owners
from pagemap._kernel import maps, maps_blocks
from pagemap._space import every_process
from tests import everyone, oracle, workloads, zoo
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import Start

PAGE = oracle.PAGE
TRIES = 5  # other processes come, go and merge pages while we look


@pytest.fixture
def need_frames(need_pfns: None) -> None:
    """Skip where the kernel's words about frames cannot be read."""
    if not os.access("/proc/kpagecount", os.R_OK):
        pytest.skip("/proc/kpagecount is root's: needs CAP_DAC_READ_SEARCH")


pytestmark = pytest.mark.usefixtures("need_frames")


def frame_at(pid: int, address: int) -> int:
    """The PFN of a page that must be present."""
    (entry,) = oracle.entries(pid, address, address + PAGE)
    frame = oracle.pfn(entry)
    assert frame is not None
    return frame


def places(mappers: Iterable[Mapper]) -> list[tuple[int, int]]:
    return [(each.pid, each.address) for each in mappers]


def test_a_page_of_two_hundred_children(start: Start) -> None:
    target = start(workloads.dense(16 * PAGE))
    children = [target.ask("f") for _ in range(200)]
    target.stop()
    address = target.first.start + 3 * PAGE
    frame = frame_at(target.pid, address)
    owners = Owners([frame])
    found = list(owners)
    assert places(found) == [(pid, address) for pid in sorted([target.pid, *children])]
    assert everyone.word("kpagecount", frame) == len(found) == 201
    (told,) = owners.frames
    assert told.mapcount == 201
    assert owners.unexplained(told) == 0
    assert not any(each.exclusive for each in found)
    assert {each.mapping.perms for each in found} == {"rw-p"}
    assert all(each.mapping.start <= address < each.mapping.end for each in found)
    assert {each.name for each in found} == {found[0].name}


def test_a_private_page_is_found_and_the_search_ends(start: Start) -> None:
    target = start(workloads.dense(16 * PAGE))
    target.stop()
    done: list[int] = []
    frame = frame_at(target.pid, target.first.start)
    owners = Owners([frame], progress=lambda at, _: done.append(at), threads=1)
    (only,) = owners
    assert (only.pid, only.address, only.exclusive) == (target.pid, target.first.start, True)
    at = owners.spaces.pids.index(target.pid)
    assert all(number <= at for number in done)


def test_a_page_of_libc_in_every_process(start: Start) -> None:
    target = start(workloads.idle())
    start(workloads.bash())
    start(workloads.python())
    line = next(
        line
        for line in oracle.maps(target.pid)
        if b"libc" in line.label and any(pfns_of(target.pid, line))
    )
    frame = next(pfn for pfn in pfns_of(target.pid, line) if pfn)
    before = everyone.mappers(frame, everyone.pids(), label=line.label)
    owners = Owners([frame])
    found = set(places(owners))
    after = everyone.mappers(frame, everyone.pids(), label=line.label)
    assert len(before & after) >= 2
    # who ends or begins meanwhile may be seen or not; who was there all the time must be
    gone = set(owners.spaces.vanished)
    assert before & after <= found
    lived = {pid for pid, _ in after} & {pid for pid, _ in before}
    assert {(pid, at) for pid, at in found if pid in lived and pid not in gone} <= before | after
    (told,) = owners.frames
    assert told.mapcount is not None
    assert told.mapcount - owners.unexplained(told) <= len(found)


def pfns_of(pid: int, line: oracle.MapsLine) -> list[int | None]:
    return [oracle.pfn(entry) for entry in oracle.entries(pid, line.start, line.end)]


def test_a_merged_page(start: Start) -> None:
    target = start(workloads.ksm())
    target.stop()
    area = target.first
    for _ in range(TRIES):
        frame = frame_at(target.pid, area.start)
        naive = everyone.mappers(frame, [target.pid])
        owners = Owners([frame])
        found = places(owners)
        counted = everyone.word("kpagecount", frame)
        if counted == len(found) and set(found) >= naive:
            break
    assert {each for each in found if each[0] == target.pid} == naive
    assert len(naive) > 1
    assert counted == len(found)
    assert owners.frames[0].flags is not None
    assert int(owners.frames[0].flags) & everyone.KSM


@pytest.mark.parametrize("name", ["anonymous", "memfd"])
def test_a_page_of_shared_memory(name: str, start: Start) -> None:
    target = start(workloads.shared())
    child = target.ask("f")
    target.stop()
    address = target.areas[name].start + 5 * PAGE
    frame = frame_at(target.pid, address)
    # shared memory is not copied into the child's page table: it has what it has touched itself
    expected = sorted(everyone.mappers(frame, [target.pid, child]))
    owners = Owners([frame])
    assert places(owners) == expected
    assert everyone.word("kpagecount", frame) == len(expected) >= 1


def test_a_file_thrice_in_each_of_two(start: Start) -> None:
    with workloads.temporary_file(b"both", 8 * PAGE) as path:
        targets = [start(workloads.file_at(path, 8 * PAGE)) for _ in range(2)]
        for target in targets:
            target.stop()
        areas = targets[0].areas
        frame = frame_at(targets[0].pid, areas["shared"].start + PAGE)
        found = list(Owners([frame]))
        expected = everyone.mappers(frame, [target.pid for target in targets])
        assert set(places(found)) == expected
        assert len(found) == len(expected) == everyone.word("kpagecount", frame) == 4
        assert {os.fsencode(each.mapping.path) for each in found} == {path}


@pytest.mark.parametrize("kind", ["thp", "hugetlb"])
def test_a_page_of_a_huge_page(kind: str, start: Start) -> None:
    target = start(workloads.KINDS[kind]())
    child = target.ask("f")
    target.stop()
    address = target.first.start + 7 * PAGE
    frame = frame_at(target.pid, address)
    expected = sorted(everyone.mappers(frame, [target.pid, child]))
    assert places(Owners([frame])) == expected == sorted([(target.pid, address), (child, address)])


@pytest.mark.parametrize("deed", [b"writes", b"keeps"])
def test_who_has_a_page_of_a_huge_page_alone(deed: bytes, start: Start) -> None:
    """All pages of a huge page were exclusive, or none, as its first one is."""
    target = start(zoo.forked_thp(deed))
    for page in (0, 7):
        address = target.first.start + page * PAGE
        frame = frame_at(target.pid, address)
        found = list(Owners([frame]))
        expected = sorted(everyone.mappers(frame, [target.pid, *target.children]))
        assert places(found) == expected
        assert [each.exclusive for each in found] == [len(expected) == 1] * len(expected)
        assert len(expected) == everyone.word("kpagecount", frame)


def test_the_page_of_zeros(start: Start) -> None:
    target = start(workloads.zero(32 * PAGE))
    target.stop()
    area = target.first
    frame = frame_at(target.pid, area.start)
    owners = Owners([frame])
    ours = [at for pid, at in places(owners) if pid == target.pid and area.start <= at < area.end]
    assert ours == list(range(area.start, area.end, PAGE))
    assert owners.unexplained(owners.frames[0]) == 0  # the kernel does not count them


def test_several_frames_at_once(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    child = target.ask("f")
    target.stop()
    addresses = range(target.first.start, target.first.end, 3 * PAGE)
    frames = {frame_at(target.pid, at): at for at in addresses}
    owners = Owners(frames)
    found = list(owners)
    for pid in (target.pid, child):
        assert {each.pfn: each.address for each in found if each.pid == pid} == frames
    assert len(found) == 2 * len(frames)
    assert [frame.pfn for frame in owners.frames] == list(frames)
    assert set(owners.found.values()) == {2}


def test_a_child_of_vfork_is_not_counted_twice(start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    child = target.ask("v")
    frame = frame_at(target.pid, target.first.start)
    owners = Owners([frame])
    (only,) = owners
    assert everyone.word("kpagecount", frame) == 1
    # pids may have wrapped around: then the child comes first
    assert {only.pid, *only.sharers} == {target.pid, child}
    assert owners.spaces.sharers_known


def test_whoever_lives_is_read_in_the_place_of_one_that_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A short-lived CLONE_VM child was chosen, ended, and its parent was not read."""
    with zoo.ZOO["CLONE_VM"]() as target:
        (child,) = target.children
        monkeypatch.setattr(every_process, "pids", lambda _: [child, target.pid])
        frame = frame_at(target.pid, target.first.start)
        owners = Owners([frame])
        assert owners.spaces.sharers == {child: [target.pid]}
        end(child, target.pid)
        (only,) = owners
        assert (only.pid, only.address, only.sharers) == (target.pid, target.first.start, ())
        assert owners.spaces.vanished == []
        assert owners.complete


def test_one_that_ends_midway_is_read_on_through_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its maps had not told of yet when the chosen one ended was not looked at."""
    several = partial(maps_blocks.read_blocks, size=512)
    monkeypatch.setattr(maps_blocks, "read_blocks", several)
    with zoo.ZOO["CLONE_VM"]() as target:
        (child,) = target.children
        expected = [line.start for line in oracle.maps(target.pid)]
        met: list[int] = []
        blocks = []

        def choose(text: bytes) -> tuple[list[tuple[int, int]], None]:
            blocks.append(text)
            met.extend(mapping.start for mapping in maps.parse(text))
            if child in owners.spaces.pids:
                end(child, target.pid)
            return [(each // PAGE, 1) for each in met[-1:]], None

        monkeypatch.setattr(every_process, "pids", lambda _: [child, target.pid])
        owners = Owners([frame_at(target.pid, target.first.start)], threads=1)
        monkeypatch.setattr(owners, "_choose", choose)
        assert len(list(owners)) <= 1
        assert met == expected
        assert len(blocks) > 1
        assert owners.spaces.pids == [target.pid]
        assert owners.spaces.vanished == []


def end(child: int, parent: int) -> None:
    """End a child, which its parent, that waits for none, leaves a zombie: it has no memory."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    workloads.wait_until(lambda: everyone.status(child, "State").startswith("Z"))
    assert everyone.status(parent, "State")


def test_threads_are_one_process(start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    for _ in range(3):
        target.ask("t")
    frame = frame_at(target.pid, target.first.start)
    (only,) = Owners([frame])
    assert (only.pid, only.sharers) == (target.pid, ())


def test_a_process_whose_main_thread_has_ended(start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    frame = frame_at(target.pid, target.first.start)
    target.ask("t")
    target.tell("l")
    workloads.wait_until(lambda: everyone.status(target.pid, "State").startswith("Z"))
    (only,) = Owners([frame])
    assert (only.pid, only.address) == (target.pid, target.first.start)


def test_who_ends_meanwhile_is_named(start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    children = sorted(target.ask("f") for _ in range(20))
    frame = frame_at(target.pid, target.first.start)
    owners = Owners([frame], threads=1)
    steps = iter(owners)
    first = next(steps)
    target.kill()  # the children die with it, each in its own time
    workloads.wait_until(lambda: all(oracle.has_ended(pid) for pid in children))
    rest = list(steps)
    assert {each.pid for each in [first, *rest]} <= {target.pid, *children}
    assert owners.frames[0].pfn == frame
    assert {target.pid, *children} & set(owners.spaces.vanished)


def test_frames_out_of_range() -> None:
    with pagemap._kernel.frames.FrameReader() as reader:
        end = reader.end
    with pytest.raises(pagemap.UsageError, match="out of range"):
        Owners([end])
    assert Owners([end - 1]).frames[0].pfn == end - 1


def test_without_rights(need_root: None) -> None:
    with pytest.raises(pagemap.AccessDenied, match="/proc/kpageflags"):
        as_nobody(lambda: Owners([1]).found)
