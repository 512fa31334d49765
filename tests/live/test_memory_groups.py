"""What all memory is for by groups of processes: no frame counts twice, and none is left out."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._cli.exit_codes import message_of
from pagemap._vocabulary.frame_kinds import FRAME_KINDS
from tests import everyone, oracle, workloads, zoo
from tests.live.as_nobody import as_nobody, without_admin
from tests.live.test_sharing_groups import HOSTILE, called, family, need_root_of_frames

if TYPE_CHECKING:
    from pagemap import GroupMemoryRow, Memory

__all__ = ["family", "need_root_of_frames"]  # fixtures

PAGE = oracle.PAGE
KINDS = [kind.name for kind in FRAME_KINDS]
APART = ("reserved", "missing")


@pytest.fixture(scope="module")
def told(family: dict[int, str]) -> Memory:
    """In windows, as of a machine with terabytes: 4 GiB each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pagemap._analyses.memory_groups.WINDOW", 1 << 20)
        return pagemap.memory(by="name")


def test_names_that_look_like_ours(need_root_of_frames: None) -> None:
    """The rows of no group are told from those of processes that call themselves anything."""
    with called(HOSTILE):
        rows = rows_of(pagemap.memory(by="name"))
    processes = {(row.group, row.mapped_by): row.processes for row in rows}
    assert len(processes) == len(rows)
    assert all(processes[name or None, "one"] for name in HOSTILE)
    assert [(row.group, row.mapped_by) for row in rows[-2:]] == [(None, "several"), (None, "none")]


def test_what_both_of_two_with_one_memory_had(
    need_root_of_frames: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both end between two passes: what was counted before stays in the row of their group."""
    monkeypatch.setattr("pagemap._analyses.memory_groups.WINDOW", pagemap.FrameReader().end - 1)
    with zoo.ZOO["CLONE_VM"]() as target:
        pids = [target.pid, *target.children]
        size = target.first.end - target.first.start

        def end_them(done: int, total: int) -> None:
            if done == total and target.pid in pids:
                for pid in (*target.children, pids.pop(0)):
                    os.kill(pid, signal.SIGKILL)
                workloads.wait_until(lambda: everyone.status(target.pid, "State").startswith("Z"))

        told = pagemap.memory(by="process", progress=end_them)
    assert target.pid not in pids
    mine = {str(target.pid), *map(str, target.children)}
    (row,) = (row for row in rows_of(told) if row.group in mine)
    assert row.processes == 1
    assert (row.anon or 0) >= size
    for kind in told.kinds:
        if kind.kind != "missing":
            assert sum(getattr(each, kind.kind) for each in rows_of(told)) == kind.size, kind.kind


def rows_of(told: Memory) -> list[GroupMemoryRow]:
    assert told.groups is not None
    return list(told.groups)


def test_rows_add_up_to_all_memory(told: Memory) -> None:
    """Exactly, kind by kind: both are of the same look at all frames."""
    rows = rows_of(told)
    for kind in told.kinds:
        if kind.kind != "missing":
            assert sum(getattr(row, kind.kind) for row in rows) == kind.size, kind.kind
    for row in rows:
        assert row.size == sum(getattr(row, kind) for kind in KINDS if kind not in APART)
    assert [(row.group, row.mapped_by) for row in rows[-2:]] == [(None, "several"), (None, "none")]
    assert {row.mapped_by for row in rows[:-2]} == {"one"}
    assert len({(row.group, row.mapped_by) for row in rows}) == len(rows)
    assert all(row.processes for row in rows[:-2])
    sizes = [row.size for row in rows[:-2]]
    assert sizes == sorted(sizes, reverse=True)
    unmapped = ("free", "slab", "pagetables", "hugetlb_idle", "swapcache", "offline", "poisoned")
    assert not any(getattr(row, name) for row in rows[:-1] for name in unmapped)
    assert rows[-1].free


def alone(pids: list[int]) -> Counter[str]:
    """The frames that these processes map as often as the kernel counts, by kind."""
    mapped = Counter(frame for pid in pids for _, frame, _ in everyone.pages(pid))
    own = [frame for frame, count in mapped.items() if everyone.word("kpagecount", frame) == count]
    return Counter(map(everyone.kind, own))


def test_what_a_group_alone_maps(told: Memory, family: dict[int, str]) -> None:
    """Against the kernel's own count of mappings; of files others may map a page meanwhile."""
    rows = {row.group: row for row in rows_of(told) if row.mapped_by == "one"}
    (several,) = (row for row in rows_of(told) if row.mapped_by == "several")
    for name in sorted(set(family.values())):
        pids = [pid for pid, each in family.items() if each == name]
        wanted = alone(pids)
        assert rows[name].processes == len(pids)
        assert rows[name].shmem == wanted["shmem"] * PAGE
        assert (rows[name].anon or 0) + (rows[name].ksm or 0) == (
            wanted["anon"] + wanted["ksm"]
        ) * PAGE
    assert told.about["by"] == "name"
    # what they have since the fork, and the file that all of them map
    assert (several.shmem or 0) >= 16 * PAGE
    assert rows["a"].shmem == 10 * PAGE


def test_what_does_not_go_together() -> None:
    for more in ({"cgroups": True}, {"runs": 3}, {"blockers": 3}, {"frames": False}):
        with pytest.raises(pagemap.UsageError, match="by needs frames, and goes with none of"):
            pagemap.memory(by="name", **more)
    with pytest.raises(pagemap.UsageError, match=r"by .*'nam'.*name"):
        pagemap.memory(by="nam")


def test_without_rights(need_root: None) -> None:
    if os.geteuid():
        pytest.skip("gives up rights that it does not have")
    with pytest.raises(pagemap.AccessDenied, match="/proc/kpageflags"):
        as_nobody(lambda: len(pagemap.memory(by="name").kinds))
    with pytest.raises(pagemap.PfnsHidden, match="which groups of processes map memory") as raised:
        without_admin(lambda: len(pagemap.memory(by="name").kinds))
    assert "footprint --by" in message_of(raised.value)  # the way out of the command
