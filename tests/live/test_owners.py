"""Who maps a frame, against the kernel's map counts and entries read one by one."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._space import every_process
from pagemap._space.every_space import Spaces
from pagemap._space.left_out import ENDED
from tests import everyone, oracle, workloads, zoo
from tests.live.as_nobody import as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pagemap import OwnerRow, Table
    from tests.conftest import Start

PAGE = oracle.PAGE
TRIES = 5  # other processes come, go and merge pages while we look


pytestmark = pytest.mark.usefixtures("need_frames")


def frame_at(pid: int, address: int) -> int:
    """The PFN of a page that must be present."""
    (entry,) = oracle.entries(pid, address, address + PAGE)
    frame = oracle.pfn(entry)
    assert frame is not None
    return frame


def places(mappers: Iterable[OwnerRow]) -> list[tuple[int, int]]:
    return [(each.pid, each.address) for each in mappers]


def frame_of(table: Table[OwnerRow]) -> dict[str, Any]:
    """What is told of the one frame that was looked for."""
    about: Any = table.about
    (frame,) = about["frames"]
    assert isinstance(frame, dict)
    return frame


def ended(table: Table[OwnerRow]) -> set[int]:
    """Those that ended meanwhile."""
    about: Any = table.about
    return {each["pid"] for each in about["left_out"] if each["reason"] == ENDED}


def test_a_page_of_two_hundred_children(start: Start) -> None:
    target = start(workloads.dense(16 * PAGE))
    children = [target.ask("f") for _ in range(200)]
    target.stop()
    address = target.first.start + 3 * PAGE
    frame = frame_at(target.pid, address)
    found = pagemap.owners([frame])
    assert places(found) == [(pid, address) for pid in sorted([target.pid, *children])]
    assert everyone.word("kpagecount", frame) == len(found) == 201
    told = frame_of(found)
    assert (told["pfn"], told["mapcount"], told["found"]) == (hex(frame), 201, 201)
    assert told["unexplained"] == 0
    assert {(each.pfn, each.mapcount) for each in found} == {(frame, 201)}
    assert {(each.flags or 0) & everyone.ANON for each in found} == {everyone.ANON}
    assert not any(each.exclusive for each in found)
    assert {each.perms for each in found} == {"rw-p"}
    assert all(each.start <= address < each.end for each in found)
    assert {each.name for each in found} == {found[0].name}


def test_a_private_page_is_found_and_the_search_ends(start: Start) -> None:
    target = start(workloads.dense(16 * PAGE))
    target.stop()
    done: list[int] = []
    frame = frame_at(target.pid, target.first.start)
    (only,) = pagemap.owners([frame], progress=lambda at, _: done.append(at), threads=1)
    assert (only.pid, only.address, only.exclusive) == (target.pid, target.first.start, True)
    before = sum(pid < target.pid for pid in everyone.pids())
    assert all(number <= before for number in done)


def test_a_page_of_libc_in_every_process(start: Start) -> None:
    target = start(workloads.bash())
    start(workloads.bash())
    start(workloads.python())
    line = next(
        line
        for line in oracle.maps(target.pid)
        if b"libc" in line.label and any(pfns_of(target.pid, line))
    )
    frame = next(pfn for pfn in pfns_of(target.pid, line) if pfn)
    before = everyone.mappers(frame, everyone.pids(), label=line.label)
    table = pagemap.owners([frame])
    # who is about to call exec after vfork has the memory of another, and is told with it
    found = {(pid, each.address) for each in table for pid in (each.pid, *each.sharers)}
    after = everyone.mappers(frame, everyone.pids(), label=line.label)
    assert len(before & after) >= 2
    # who ends or begins meanwhile may be seen or not; who was there all the time must be
    gone = ended(table)
    assert before & after <= found
    lived = {pid for pid, _ in after} & {pid for pid, _ in before}
    assert {(pid, at) for pid, at in found if pid in lived and pid not in gone} <= before | after
    told = frame_of(table)
    assert told["mapcount"] - told["unexplained"] <= len(found)


def pfns_of(pid: int, line: oracle.MapsLine) -> list[int | None]:
    return [oracle.pfn(entry) for entry in oracle.entries(pid, line.start, line.end)]


def test_a_merged_page(start: Start) -> None:
    target = start(workloads.ksm())
    target.stop()
    area = target.first
    for _ in range(TRIES):
        frame = frame_at(target.pid, area.start)
        naive = everyone.mappers(frame, [target.pid])
        table = pagemap.owners([frame])
        found = places(table)
        counted = everyone.word("kpagecount", frame)
        if counted == len(found) and set(found) >= naive:
            break
    assert {each for each in found if each[0] == target.pid} == naive
    assert len(naive) > 1
    assert counted == len(found)
    assert int(frame_of(table)["flags"], 16) & everyone.KSM
    assert "ksm" in frame_of(table)["names"].split(",")


@pytest.mark.parametrize("name", ["anonymous", "memfd"])
def test_a_page_of_shared_memory(name: str, start: Start) -> None:
    target = start(workloads.shared())
    child = target.ask("f")
    target.stop()
    address = target.areas[name].start + 5 * PAGE
    frame = frame_at(target.pid, address)
    # shared memory is not copied into the child's page table: it has what it has touched itself
    expected = sorted(everyone.mappers(frame, [target.pid, child]))
    assert places(pagemap.owners([frame])) == expected
    assert everyone.word("kpagecount", frame) == len(expected) >= 1


def test_a_file_thrice_in_each_of_two(start: Start) -> None:
    with workloads.temporary_file(b"both", 8 * PAGE) as path:
        targets = [start(workloads.file_at(path, 8 * PAGE)) for _ in range(2)]
        for target in targets:
            target.stop()
        areas = targets[0].areas
        frame = frame_at(targets[0].pid, areas["shared"].start + PAGE)
        found = pagemap.owners([frame])
        expected = everyone.mappers(frame, [target.pid for target in targets])
        assert set(places(found)) == expected
        assert len(found) == len(expected) == everyone.word("kpagecount", frame) == 4
        assert {os.fsencode(each.path) for each in found} == {path}


def test_what_is_mapped_since_ends_no_search(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    """Mappings made after the kernel was asked for their number stood for others, unseen ones."""
    go_through = Spaces.go_through
    held: list[mmap.mmap] = []
    with workloads.temporary_file(b"since", PAGE) as path, open(path, "rb") as file:

        def map_it() -> None:
            held.append(mmap.mmap(file.fileno(), PAGE, prot=mmap.PROT_READ))
            assert held[-1][0] is not None

        def after_more_is_mapped(spaces: Spaces, *args: Any, **rest: Any) -> Any:
            map_it()
            map_it()
            return go_through(spaces, *args, **rest)

        map_it()
        target = start(workloads.file_at(path, PAGE))
        target.stop()
        frame = frame_at(target.pid, target.areas["shared"].start)
        before = everyone.mappers(frame, [os.getpid(), target.pid])
        monkeypatch.setattr(Spaces, "go_through", after_more_is_mapped)
        monkeypatch.setattr(every_process, "pids", lambda _: [os.getpid(), target.pid])
        found = set(places(pagemap.owners([frame], threads=1)))
        assert before < found
        assert len(found) == len(before) + 2
        for each in held:
            each.close()


@pytest.mark.parametrize("kind", ["thp", "hugetlb"])
def test_a_page_of_a_huge_page(kind: str, start: Start) -> None:
    target = start(workloads.KINDS[kind]())
    child = target.ask("f")
    target.stop()
    address = target.first.start + 7 * PAGE
    frame = frame_at(target.pid, address)
    expected = sorted(everyone.mappers(frame, [target.pid, child]))
    assert (
        places(pagemap.owners([frame]))
        == expected
        == sorted([(target.pid, address), (child, address)])
    )


@pytest.mark.parametrize("deed", [b"writes", b"keeps"])
def test_who_has_a_page_of_a_huge_page_alone(deed: bytes, start: Start) -> None:
    """All pages of a huge page were exclusive, or none, as its first one is."""
    target = start(zoo.forked_thp(deed))
    for page in (0, 7):
        address = target.first.start + page * PAGE
        frame = frame_at(target.pid, address)
        found = pagemap.owners([frame])
        expected = sorted(everyone.mappers(frame, [target.pid, *target.children]))
        assert places(found) == expected
        assert [each.exclusive for each in found] == [len(expected) == 1] * len(expected)
        assert len(expected) == everyone.word("kpagecount", frame)


def test_the_page_of_zeros(start: Start) -> None:
    target = start(workloads.zero(32 * PAGE))
    target.stop()
    area = target.first
    frame = frame_at(target.pid, area.start)
    table = pagemap.owners([frame])
    ours = [at for pid, at in places(table) if pid == target.pid and area.start <= at < area.end]
    assert ours == list(range(area.start, area.end, PAGE))
    assert frame_of(table)["unexplained"] == 0  # the kernel does not count them
    # and nobody makes the table as long as they like
    few = pagemap.owners([frame], most=7)
    told = frame_of(few)
    assert len(few) == told["listed"] == 7
    assert told["found"] >= area.pages


def test_explained_is_not_complete(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    """`complete` was true beside processes in `left_out`, where all mappings were found."""
    target = start(workloads.dense(4 * PAGE))
    target.stop()
    about = Spaces.about
    lost = {"left_out": [{"pid": 1, "name": "x", "reason": "y"}], "complete": False}
    monkeypatch.setattr(Spaces, "about", lambda spaces: {**about(spaces), **lost})
    table = pagemap.owners([frame_at(target.pid, target.first.start)])
    assert (table.about["complete"], table.about["explained"]) == (False, True)


def test_several_frames_at_once(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    child = target.ask("f")
    target.stop()
    addresses = range(target.first.start, target.first.end, 3 * PAGE)
    frames = {frame_at(target.pid, at): at for at in addresses}
    found = pagemap.owners(frames)
    for pid in (target.pid, child):
        assert {each.pfn: each.address for each in found if each.pid == pid} == frames
    assert len(found) == 2 * len(frames)
    about: Any = found.about
    assert [frame["pfn"] for frame in about["frames"]] == list(map(hex, frames))
    assert {frame["found"] for frame in about["frames"]} == {2}


def test_frames_out_of_range() -> None:
    with pagemap._kernel.frames.FrameReader() as reader:
        end = reader.end
    with pytest.raises(pagemap.UsageError, match="out of range"):
        pagemap.owners([end])
    assert frame_of(pagemap.owners([end - 1]))["pfn"] == hex(end - 1)


def test_without_rights(need_root: None) -> None:
    with pytest.raises(pagemap.AccessDenied, match="/proc/kpageflags"):
        as_nobody(lambda: len(pagemap.owners([1])))
