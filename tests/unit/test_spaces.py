"""Which address spaces there are: processes that share one, that end, that hide."""

from __future__ import annotations

import os
from errno import EACCES, ENOSYS, ESRCH
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemap._errors import NoSuchProcess
from pagemap._space import every_space as spaces
from pagemap._space import twins
from pagemap._space.every_space import Spaces
from pagemap._space.twins import Twins
from tests.unit import fake_proc

if TYPE_CHECKING:
    from pathlib import Path


class Kernel:
    """What kcmp says: `memory` is the address space of each pid, `dead` are those that ended."""

    def __init__(self, memory: dict[int, int], dead: set[int], error: int = 0) -> None:
        self.memory = memory
        self.dead = dead
        self.error = error
        self.asked = 0

    def compare(self, pid: int, other: int) -> int:
        """As kcmp(2)."""
        self.asked += 1
        if self.error or {pid, other} & self.dead:
            code = self.error or ESRCH
            raise OSError(code, os.strerror(code))
        one, two = self.memory[pid], self.memory[other]
        return 0 if one == two else 1 if one < two else 2

    def spaces(self, images: dict[int, bytes] | None = None, **wanted: Any) -> Spaces:
        """The spaces of these processes, whose auxiliary vectors are alike unless given."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spaces, "pids", lambda _: sorted(self.memory))
            patch.setattr(twins, "compare_memory", self.compare)
            patch.setattr(Twins, "image", lambda _, pid: (images or {}).get(pid, b"alike"))
            patch.setattr(Twins, "_has_ended", lambda _, pid: pid in self.dead)
            return Spaces(**wanted)


@given(st.dictionaries(st.integers(1, 500), st.integers(1, 30), max_size=60))
def test_each_address_space_once(memory: dict[int, int]) -> None:
    found = Kernel(memory, set()).spaces()
    first = {space: min(p for p in memory if memory[p] == space) for space in memory.values()}
    assert sorted(found.pids) == sorted(first.values())
    for pid in found.pids:
        same = [other for other in sorted(memory) if memory[other] == memory[pid] and other != pid]
        assert found.sharers.get(pid, []) == same
    assert found.sharers_known


@given(
    st.dictionaries(st.integers(1, 100), st.integers(1, 9), max_size=40),
    st.sets(st.integers(1, 100), max_size=20),
)
def test_some_have_ended_by_now(memory: dict[int, int], dead: set[int]) -> None:
    """They are looked at all the same, and will be found to be gone; none who lives is lost."""
    found = Kernel(memory, dead).spaces()
    told = [*found.pids, *(other for others in found.sharers.values() for other in others)]
    assert sorted(told) == sorted(memory)
    living = set(memory) - dead
    for pid, others in found.sharers.items():
        assert all(memory[other] == memory[pid] for other in others)
    assert {memory[pid] for pid in found.pids if pid in living} == {memory[p] for p in living}


def test_many_forked_are_compared_in_an_order() -> None:
    kernel = Kernel({pid: pid * 7919 % 1000 for pid in range(1, 1000)}, set())
    assert len(kernel.spaces().pids) == 999
    assert kernel.asked < 999 * 11


def test_only_those_alike_are_compared() -> None:
    kernel = Kernel(dict.fromkeys(range(1, 50), 1), set())
    assert len(kernel.spaces({pid: b"%d" % pid for pid in range(1, 50)}).pids) == 49
    assert kernel.asked == 0


def test_without_kcmp_they_are_looked_at_apart() -> None:
    kernel = Kernel({1: 1, 2: 1, 3: 1}, set(), error=ENOSYS)
    found = kernel.spaces()
    assert (found.pids, found.sharers, found.sharers_known) == ([1, 2, 3], {}, False)
    assert kernel.asked == 1


def test_targets_come_first_and_alone() -> None:
    kernel = Kernel({1: 1, 2: 2, 3: 1, 4: 4}, set())
    found = kernel.spaces(first=[4, 3, 4])
    assert (found.pids, found.sharers) == ([4, 3, 2], {3: [1]})
    assert kernel.spaces(first=[4, 3], only=True).pids == [4, 3]


def test_what_has_no_memory_does_not_count(tmp_path: Path) -> None:
    for pid, stat, auxv in (
        (1, fake_proc.ORDINARY, b"image"),
        (2, fake_proc.KERNEL_THREAD, b""),
        (3, fake_proc.ZOMBIE, b""),
    ):
        fake_proc.make(tmp_path, pid=pid, stat=stat, auxv=auxv)
    found = Spaces(procfs=str(tmp_path))
    assert (found.pids, found.unreadable, found.vanished) == ([1], {}, [])
    # one that was asked for is opened all the same, which says what is wrong with it
    assert Spaces(procfs=str(tmp_path), first=[3]).pids == [3, 1]
    assert Spaces(procfs=str(tmp_path), first=[9], only=True).pids == [9]


def test_who_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid, stat in ((1, fake_proc.ORDINARY), (2, fake_proc.KERNEL_THREAD)):
        fake_proc.make(tmp_path, pid=pid, stat=stat)

    def forbidden(_: Twins, pid: int) -> bytes:
        raise PermissionError(EACCES, os.strerror(EACCES), str(pid))

    monkeypatch.setattr(Twins, "image", forbidden)
    found = Spaces(procfs=str(tmp_path))
    assert (found.pids, found.unreadable) == ([], {1: "permission denied"})


def test_no_proc(tmp_path: Path) -> None:
    with pytest.raises(NoSuchProcess, match="is /proc mounted"):
        Spaces(procfs=str(tmp_path))
