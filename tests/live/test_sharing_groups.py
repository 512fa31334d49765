"""What groups of processes share, against every entry and every word read one by one."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import everyone, oracle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pagemap import GroupSharing, Sharing

PAGE = oracle.PAGE
ALL = 1_000_000
KINDS = ("anon", "file", "shmem", "ksm", "other", "zero")
NAMES = ("a", "b", "a", "c", "b")
HOSTILE = ("(shared)", "-", "", "a, b", "a", "b", 'say "b"')

# Five processes with names of their own: all of them have anonymous memory from before the fork,
# which the last has half of anew; a file of memory is all of theirs, one that of "a", one that
# of "b" and "c", and one that the first alone has, twice.
PROGRAM = """
import ctypes, json, mmap, os, signal, sys

PAGE = mmap.PAGESIZE
signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def shared(name, pages):
    fd = os.memfd_create(name)
    os.ftruncate(fd, pages * PAGE)
    return fd


def touched(area):
    for at in range(0, len(area), PAGE):
        area[at] = 1
    return area


private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
common = touched(mmap.mmap(-1, 40 * PAGE, flags=private))
files = {name: shared(name, pages) for name, pages in
         {"every": 16, "of a": 8, "of b, c": 4, "twice": 2}.items()}
ready, done = os.pipe()
pids = []
for number, name in enumerate(sys.argv[1:]):
    pid = os.fork()
    if not pid:
        ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)  # PR_SET_NAME
        kept = [touched(mmap.mmap(files["every"], 0))]
        if name == "a":
            kept.append(touched(mmap.mmap(files["of a"], 0)))
        else:
            kept.append(touched(mmap.mmap(files["of b, c"], 0)))
        if number == 0:
            kept += [touched(mmap.mmap(files["twice"], 0)) for _ in range(2)]
        if number == len(sys.argv) - 2:
            touched(memoryview(common)[: 20 * PAGE])
        own = touched(mmap.mmap(-1, (3 + number) * PAGE, flags=private))
        zeros = mmap.mmap(-1, 2 * PAGE, flags=private)
        kept.append(bytes(zeros))
        os.write(done, b".")
        while True:
            signal.pause()
    pids.append(pid)
    os.read(ready, 1)
print(json.dumps(pids), flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def family(need_root_of_frames: None) -> Iterator[dict[int, str]]:
    """The name of each, by pid; stopped."""
    with called(NAMES) as pids:
        yield pids


@contextlib.contextmanager
def called(names: Sequence[str]) -> Iterator[dict[int, str]]:
    """Processes of these names, by pid; stopped."""
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *names],
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        pids: list[int] = json.loads(process.stdout.readline())
        for pid in pids:
            stack.callback(os.kill, pid, signal.SIGKILL)
            everyone.wait_asleep(pid)
            os.kill(pid, signal.SIGSTOP)
        yield dict(zip(pids, names, strict=True))


@pytest.fixture(scope="module")
def hostile(need_root_of_frames: None) -> Iterator[dict[int, str]]:
    """Processes that call themselves what we call others, or several."""
    with called(HOSTILE) as pids:
        yield pids


@pytest.fixture(scope="module")
def need_root_of_frames() -> None:
    """Skip where PFNs or the kernel's words about frames cannot be read."""
    if not os.access("/proc/kpageflags", os.R_OK):
        pytest.skip("/proc/kpageflags is root's: needs CAP_DAC_READ_SEARCH")
    if not any(entry & (1 << 55) - 1 for entry in oracle.entries(os.getpid(), *mapped())):
        pytest.skip("the kernel hides PFNs: needs CAP_SYS_ADMIN")


def mapped() -> tuple[int, int]:
    line = next(line for line in oracle.maps(os.getpid()) if line.label == b"[stack]")
    return line.start, line.end


def kinds(row: Any) -> Counter[str]:
    """Pages by kind, of a row that has bytes."""
    return +Counter({kind: (getattr(row, kind) or 0) // PAGE for kind in KINDS})


def ask(pids: list[int], by: str = "name") -> GroupSharing:
    return pagemap.sharing(pids, by=by, only=True, top=ALL)


def check(told: GroupSharing, family: dict[int, str]) -> None:
    """All that is told, against the sets of processes and the frames of each."""
    sets: dict[tuple[frozenset[str], str], Counter[str]] = {}
    within: dict[str, Counter[str]] = {name: Counter() for name in family.values()}
    for (pids, path), count in everyone.groups(family)[0].items():
        names = frozenset(family[pid] for pid in pids)
        if len(names) == 1:
            within[family[pids[0]]] += count
        elif set(count) - {"zero"}:
            sets.setdefault((names, path), Counter()).update(count)
        else:
            sets.setdefault((names, path), Counter())
    sets = {key: count for key, count in sets.items() if count}
    assert {(frozenset(row.groups.split(", ")), row.path): kinds(row) for row in told.sets} == sets
    assert all(row.number == len(row.groups.split(", ")) for row in told.sets)
    alone = everyone.alone(family)
    for row in told.groups:
        assert row.group is not None
        count = sum((each for (names, _), each in sets.items() if row.group in names), Counter())
        assert kinds(row) - Counter(zero=ALL) == count - Counter(zero=ALL)
        assert row.shared == sum(c for kind, c in count.items() if kind != "zero") * PAGE
        own = within[row.group]
        assert row.within == sum(c for kind, c in own.items() if kind != "zero") * PAGE
        assert row.alone == alone[row.group] * PAGE
        assert row.processes == list(family.values()).count(row.group)
    assert {row.group for row in told.groups} == set(family.values())
    for pair in told.pairs:
        assert pair.group is not None
        both = {pair.group, pair.other_group}
        count = sum((each for (names, _), each in sets.items() if both <= names), Counter())
        assert pair.shared == sum(c for kind, c in count.items() if kind != "zero") * PAGE
    saved: Counter[str] = Counter()
    for (names, path), count in sets.items():
        saved[path] += sum(c for kind, c in count.items() if kind != "zero") * (len(names) - 1)
    assert {row.path: row.saved // PAGE for row in told.paths} == +saved
    (total,) = told.total
    assert total.within == told.groups.total().within
    assert total.saved == saved.total() * PAGE


def check_sums(told: GroupSharing, every: Sharing) -> None:
    """What groups share, and what is within them, is what processes share."""
    (total,), (whole,) = told.total, every.total
    assert total.shared + total.within == whole.shared


def test_groups_page_by_page(family: dict[int, str]) -> None:
    told = ask(list(family))
    check(told, family)
    check_sums(told, pagemap.sharing(list(family), only=True))
    assert (told.about["by"], told.about["processes"]) == ("name", len(family))
    groups = {row.group: row for row in told.groups}
    assert [groups[name].shmem for name in "abc"] == [16 * PAGE, 20 * PAGE, 20 * PAGE]
    assert (groups["a"].within or 0) >= 8 * PAGE
    assert (groups["c"].within, groups["c"].processes) == (0, 1)


def test_each_process_alone_is_as_without_groups(family: dict[int, str]) -> None:
    told, every = ask(list(family), "process"), pagemap.sharing(list(family), only=True, top=ALL)
    check(told, {pid: str(pid) for pid in family})
    assert [row.shared for row in told.groups] == [row.shared for row in every.processes]
    assert sorted(row.shared for row in told.pairs) == sorted(row.shared for row in every.pairs)
    (total,), (whole,) = told.total, every.total
    assert total[: len(KINDS) + 1] == whole[: len(KINDS) + 1]
    assert (total.within, total.saved) == (0, whole.saved)


def test_one_group_shares_with_nobody(family: dict[int, str]) -> None:
    told = ask(list(family), "user")
    (row,) = told.groups
    (whole,) = pagemap.sharing(list(family), only=True).total
    assert (row.shared, row.within, len(told.pairs), len(told.sets)) == (0, whole.shared, 0, 0)
    assert set(told.total.total()) == {None}  # of one row: there is nothing to add up


def test_a_session_is_named_by_who_leads_it(family: dict[int, str]) -> None:
    (row,) = ask(list(family), "session").groups
    assert row.group == str(os.getsid(min(family)))
    assert row.name == Path("/proc", row.group, "comm").read_text().rstrip("\n")


def test_targets_among_others(family: dict[int, str]) -> None:
    """Only what the targets map is counted, also where a later one is of a group met before."""
    pids = [list(family)[number] for number in (1, 0)]  # of "b", and of "a"
    told = pagemap.sharing(pids, by="name", top=ALL)
    named = {row.group: row for row in told.groups}
    assert {name: named[name].alone is None for name in "abc"} == {
        "a": False,
        "b": False,
        "c": True,
    }
    assert named["c"].within is None  # what no target maps was not counted
    sets = [row for row in told.sets if row.path.startswith("/memfd:every")]
    assert [(row.groups, row.shmem) for row in sets] == [("b, a, c", 16 * PAGE)]
    sets = [row for row in told.sets if row.path.startswith("/memfd:of b, c")]
    assert [(row.groups, row.shmem) for row in sets] == [("b, c", 4 * PAGE)]
    assert (named["a"].within, named["b"].within) == (8 * PAGE, 0)
    assert not any({"b", "a"}.isdisjoint((row.group, row.other_group)) for row in told.pairs)


@pytest.mark.parametrize("frames", [100_003])
def test_windows_tell_the_same(family: dict[int, str], frames: int) -> None:
    end = pagemap.FrameReader().end
    window = max(frames, end // 20)
    check(pagemap.sharing(list(family), by="name", only=True, top=ALL, window=window), family)


def test_where_memory_for_sets_is_used_up(family: dict[int, str]) -> None:
    """Frames that no set tells of are in the total alone; what a group has alone is not known."""
    told = pagemap.sharing(list(family), by="name", only=True, size=0)
    every = pagemap.sharing(list(family), only=True, size=0)
    untold: Any = told.about["untold"]
    assert untold["shared"] > 0
    check_sums(told, every)
    assert {row.alone for row in told.groups} == {None}


def test_names_that_look_like_ours(hostile: dict[int, str]) -> None:
    """Names are quoted where they would not stand apart; none is the one that is not known."""
    told = ask(list(hostile))
    assert {row.group: row.processes for row in told.groups} == {
        name or None: 1 for name in HOSTILE
    }
    (every,) = (row for row in told.sets if row.path.startswith("/memfd:every"))
    assert every.groups == '(shared), "-", -, "a, b", a, b, "say ""b"""'
    assert next(csv.reader([every.groups], skipinitialspace=True)) == [
        name or "-" for name in HOSTILE
    ]
    keys = [(row.groups, row.path) for row in told.sets]
    assert len({*keys}) == len(keys)


def test_an_unknown_kind_of_group() -> None:
    with pytest.raises(pagemap.UsageError, match=r"by .*'nam'.*name"):
        pagemap.sharing(by="nam")
