"""Each process once: those that share memory, that end, that hide, and who was left out."""

from __future__ import annotations

import os
from errno import EACCES, EMFILE, ENOSYS, ESRCH
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemap._errors import AccessDenied, NoSuchProcess, PagemapError, TargetVanished, Unsupported
from pagemap._space import every_process, shared_spaces
from pagemap._space.every_process import EveryProcess
from pagemap._space.left_out import DENIED, ENDED, KERNEL_THREAD
from pagemap._space.shared_spaces import SharedSpaces
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

    def every(
        self, *first: int, images: dict[int, bytes] | None = None, **more: Any
    ) -> EveryProcess:
        """These processes, whose auxiliary vectors are alike unless given."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(every_process, "pids", lambda _: sorted(self.memory))
            patch.setattr(shared_spaces, "compare_memory", self.compare)
            patch.setattr(SharedSpaces, "image", lambda _, pid: (images or {}).get(pid, b"alike"))
            patch.setattr(SharedSpaces, "_has_ended", lambda _, pid: pid in self.dead)
            return EveryProcess(first, **more)


@given(st.dictionaries(st.integers(1, 500), st.integers(1, 30), max_size=60))
def test_each_address_space_once(memory: dict[int, int]) -> None:
    found = Kernel(memory, set()).every()
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
    found = Kernel(memory, dead).every()
    told = [*found.pids, *(other for others in found.sharers.values() for other in others)]
    assert sorted(told) == sorted(memory)
    living = set(memory) - dead
    for pid, others in found.sharers.items():
        assert all(memory[other] == memory[pid] for other in others)
    assert {memory[pid] for pid in found.pids if pid in living} == {memory[p] for p in living}


def test_many_forked_are_compared_in_an_order() -> None:
    kernel = Kernel({pid: pid * 7919 % 1000 for pid in range(1, 1000)}, set())
    assert len(kernel.every().pids) == 999
    assert kernel.asked < 999 * 11


def test_only_those_alike_are_compared() -> None:
    kernel = Kernel(dict.fromkeys(range(1, 50), 1), set())
    assert len(kernel.every(images={pid: b"%d" % pid for pid in range(1, 50)}).pids) == 49
    assert kernel.asked == 0


def test_without_kcmp_they_are_looked_at_apart() -> None:
    kernel = Kernel({1: 1, 2: 1, 3: 1}, set(), error=ENOSYS)
    found = kernel.every()
    assert (found.pids, found.sharers, found.sharers_known) == ([1, 2, 3], {}, False)
    assert kernel.asked == 1


def test_targets_come_first_and_alone() -> None:
    kernel = Kernel({1: 1, 2: 2, 3: 1, 4: 4}, set())
    found = kernel.every(4, 3, 4)
    assert (found.pids, found.named, found.sharers) == ([4, 3, 2], 2, {3: [1]})
    found = kernel.every(1, 3, others=[3, 2, 1])
    assert (found.pids, found.named, found.sharers) == ([1, 2], 1, {1: [3]})
    assert kernel.every(4, 3, others=()).pids == [4, 3]


def test_one_that_ended_is_read_through_another() -> None:
    """Who shares memory with short-lived processes would not be read at all."""
    found = Kernel({1: 1, 2: 1, 3: 1, 4: 4}, set()).every(others=[1, 2, 3, 4])
    gone = {1: TargetVanished, 2: NoSuchProcess, 4: NoSuchProcess}

    def look(pid: int) -> str:
        if pid in gone:
            raise gone[pid](f"{pid} ended", pid=pid)
        return f"read {pid}"

    assert list(found.read(look)) == [(3, "read 3")]
    assert (found.pids, found.sharers) == ([3, 4], {})
    assert [(each.pid, each.reason) for each in found.left_out] == [(4, ENDED)]


def test_of_several_that_ended_the_first_is_left_out() -> None:
    found = Kernel({1: 1, 2: 1}, set()).every(others=[1, 2])

    def look(pid: int) -> None:
        raise TargetVanished(f"{pid} ended", pid=pid)

    assert list(found.read(look)) == []
    assert [each.pid for each in found.left_out] == [1]
    assert str(found.errors[1]) == "1 ended"


def made(procfs: Path, **files: Any) -> None:
    for pid, stat, auxv in (
        (1, fake_proc.ORDINARY, b"image"),
        (2, fake_proc.KERNEL_THREAD, b""),
        (3, fake_proc.ZOMBIE, b""),
    ):
        fake_proc.make(procfs, pid=pid, stat=stat, auxv=auxv, **files)


def test_what_has_no_memory_does_not_count(tmp_path: Path) -> None:
    made(tmp_path)
    found = EveryProcess(procfs=str(tmp_path))
    assert (found.pids, found.left_out, found.sees_all) == ([1], [], True)
    assert found.about() == {
        **dict.fromkeys(("host", "kernel", "boot_id")),  # a copy may be of another machine
        "left_out": [],
        "complete": True,
        "all_namespaces": True,
        "sharers": {},
        "sharers_known": False,  # kcmp knows the pids of /proc alone
    }


def test_what_was_named_and_has_no_memory(tmp_path: Path) -> None:
    """Reading it tells what is wrong."""
    made(tmp_path)
    assert EveryProcess([3], others=(), procfs=str(tmp_path)).pids == [3]
    found = EveryProcess([2, 9], others=(), procfs=str(tmp_path))
    assert found.pids == [9]
    assert list(found.read(lambda pid: found.open(pid).close())) == []
    assert found.left_out == [(2, "fake", KERNEL_THREAD), (9, None, ENDED)]
    assert "there is no process 9" in str(found.errors[9])
    assert found.about()["complete"] is False
    assert found.about()["left_out"] == [each._asdict() for each in found.left_out]


def test_who_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernel threads forbid it too to who is not root, and have nothing to read."""
    made(tmp_path)

    def forbidden(_: SharedSpaces, pid: int) -> bytes:
        raise AccessDenied("denied", errno=EACCES, pid=pid)

    monkeypatch.setattr(SharedSpaces, "image", forbidden)
    found = EveryProcess(procfs=str(tmp_path))
    assert found.pids == [1]
    names = []

    def look(pid: int) -> str:
        found.folder(pid).close()
        names.append(found.names[pid])
        raise AccessDenied("denied", errno=EACCES, pid=pid)

    assert list(found.read(look)) == []
    assert (found.left_out, names) == ([(1, "fake", DENIED)], ["fake"])


@pytest.mark.parametrize(
    "error",
    [
        Unsupported("this kernel has none"),
        PagemapError("cannot open", errno=EMFILE),
    ],
)
def test_what_would_befall_all_is_raised(tmp_path: Path, error: PagemapError) -> None:
    made(tmp_path)
    found = EveryProcess(procfs=str(tmp_path))

    def look(_: int) -> None:
        raise error

    with pytest.raises(PagemapError, match=r"this kernel has none|raise the limit"):
        list(found.read(look))


def test_any_other_error_is_a_reason(tmp_path: Path) -> None:
    made(tmp_path)
    found = EveryProcess(procfs=str(tmp_path))

    def look(_: int) -> None:
        raise PagemapError("its maps are torn")

    assert list(found.read(look)) == []
    assert found.left_out == [(1, "fake", "its maps are torn")]


def test_other_namespaces(tmp_path: Path) -> None:
    """The second process is a kernel thread in the initial PID namespace alone."""
    fake_proc.make(tmp_path, pid=2)
    found = EveryProcess(procfs=str(tmp_path))
    assert (found.sees_all, found.about()["complete"]) == (False, False)
    assert EveryProcess([2], others=(), procfs=str(tmp_path)).sees_all


def test_no_proc(tmp_path: Path) -> None:
    for first in ((), (1,)):
        with pytest.raises(Unsupported, match=f"no proc file system is mounted at {tmp_path}"):
            list(EveryProcess(first, procfs=str(tmp_path)).read(lambda pid: pid))
