"""Who maps a frame, of processes that share their memory, have threads, or end meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._kernel import maps, maps_blocks
from pagemap._native.owners import OwnersPiece, SightingBuffer, Wanted
from pagemap._space import every_process
from pagemap._space.every_space import Spaces
from tests import everyone, oracle, workloads, zoo
from tests.live.test_owners import ended, frame_at, frame_of

if TYPE_CHECKING:
    from tests.conftest import Start

PAGE = oracle.PAGE


pytestmark = pytest.mark.usefixtures("need_frames")


def test_a_child_of_vfork_is_not_counted_twice(start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    child = target.ask("v")
    frame = frame_at(target.pid, target.first.start)
    table = pagemap.owners([frame])
    (only,) = table
    assert everyone.word("kpagecount", frame) == 1
    # pids may have wrapped around: then the child comes first
    assert {only.pid, *only.sharers} == {target.pid, child}
    assert table.about["sharers_known"] is True


def test_whoever_lives_is_read_in_the_place_of_one_that_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A short-lived CLONE_VM child was chosen, ended, and its parent was not read."""
    with zoo.ZOO["CLONE_VM"]() as target:
        (child,) = target.children
        monkeypatch.setattr(every_process, "pids", lambda _: [child, target.pid])
        frame = frame_at(target.pid, target.first.start)
        go_through = Spaces.go_through

        def after_it_ended(spaces: Spaces, *args: Any, **rest: Any) -> Any:
            assert spaces.sharers == {child: [target.pid]}
            end(child, target.pid)
            return go_through(spaces, *args, **rest)

        monkeypatch.setattr(Spaces, "go_through", after_it_ended)
        table = pagemap.owners([frame])
        (only,) = table
        assert (only.pid, only.address, only.sharers) == (target.pid, target.first.start, ())
        assert table.about["left_out"] == []
        assert table.about["complete"] is everyone.all_are_seen()


def test_one_that_ends_midway_is_read_on_through_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its maps had not told of yet when the chosen one ended was not looked at."""
    several = partial(maps_blocks.read_blocks, size=512)
    monkeypatch.setattr(maps_blocks, "read_blocks", several)
    with zoo.ZOO["CLONE_VM"]() as target:
        (child,) = target.children
        expected = [line.start for line in oracle.maps(target.pid)]
        met: list[int] = []
        blocks = []

        def choose(text: bytes, _process: object) -> tuple[list[tuple[int, int]], None]:
            blocks.append(text)
            met.extend(mapping.start for mapping in maps.parse(text))
            if child in spaces.pids:
                end(child, target.pid)
            return [(each // PAGE, 1) for each in met[-1:]], None

        monkeypatch.setattr(every_process, "pids", lambda _: [child, target.pid])
        wanted = Wanted([frame_at(target.pid, target.first.start)])
        with Spaces() as spaces:
            make = partial(OwnersPiece, wanted=wanted)
            steps = list(spaces.go_through(choose, make, SightingBuffer, threads=1))
        assert sum(len(found) for _, found in steps) <= 1
        assert met == expected
        assert len(blocks) > 1
        assert spaces.pids == [target.pid]
        assert spaces.left_out == []


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
    (only,) = pagemap.owners([frame])
    assert (only.pid, only.sharers) == (target.pid, ())


def test_a_process_whose_main_thread_has_ended(start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    frame = frame_at(target.pid, target.first.start)
    target.ask("t")
    target.tell("l")
    workloads.wait_until(lambda: everyone.status(target.pid, "State").startswith("Z"))
    (only,) = pagemap.owners([frame])
    assert (only.pid, only.address) == (target.pid, target.first.start)


def test_who_ends_meanwhile_is_named(start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    children = sorted(target.ask("f") for _ in range(20))
    frame = frame_at(target.pid, target.first.start)

    def end_them(_: int, __: int) -> None:
        target.kill()  # the children die with it, each in its own time
        workloads.wait_until(lambda: all(oracle.has_ended(pid) for pid in children))

    table = pagemap.owners([frame], threads=1, progress=end_them)
    assert frame_of(table)["pfn"] == hex(frame)
    assert {target.pid, *children} & ended(table)
