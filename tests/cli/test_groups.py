"""Groups of processes, against the processes that are in them: in cgroups as managers name them.

PAGEMAP_GROUPED=300 has so many processes; they are in 20 cgroups.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap as library
from tests import ending, looks
from tests.kernel_settings import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Pagemap

PROCESSES = int(os.environ.get("PAGEMAP_GROUPED", "12"))
CGROUPS = 20
KIB = 1 << 10
POD = "b3a9c0de-1111-2222-3333-444455556666"

# Each has some memory of its own, and some that all of them share since the fork.
PROGRAM = """
import json, mmap, os, signal, sys

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
common = mmap.mmap(-1, 1 << 20, flags=flags)
for at in range(0, len(common), mmap.PAGESIZE):
    common[at] = 1
ready, done = os.pipe()
pids = []
for number in range(int(sys.argv[1])):
    pid = os.fork()
    if not pid:
        own = mmap.mmap(-1, (64 + number) << 10, flags=flags)
        for at in range(0, len(own), mmap.PAGESIZE):
            own[at] = 1
        os.write(done, b".")
        while True:
            signal.pause()
    pids.append(pid)
    os.read(ready, 1)
print(json.dumps(pids), flush=True)
signal.pause()
"""


def kinds() -> Iterator[tuple[str, str]]:
    """The path of each cgroup below ours, and the words for it."""
    for number in range(CGROUPS // 5):
        ident = f"{number:012x}" + 52 * "a"
        yield f"docker/{ident}", f"docker {number:012x}"
        yield f"libpod_parent/libpod-{ident}", f"podman {number:012x}"
        unit = f"kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri-containerd-{ident}"
        yield f"{unit}.scope", f"kubernetes pod {POD}, containerd {number:012x}"
        yield f"system.slice/worker-{number}.service", f"worker-{number}.service"
        yield f"lxc.payload.web{number}", f"lxc web{number}"


@pytest.fixture(scope="module")
def grouped() -> Iterator[tuple[list[int], dict[str, set[int]]]]:
    """All pids, stopped, and those of each container by the words for it."""
    try:
        with contextlib.ExitStack() as stack:
            top = stack.enter_context(ending.cgroup())
            groups: dict[str, set[int]] = {}
            folders = []
            for path, words in kinds():
                folder = top.path
                for name in path.split("/"):
                    ending.hand_on(folder)
                    folder /= name
                    folder.mkdir(exist_ok=True)
                folders.append(folder)
                groups[words] = set()
                stack.callback(ending.remove, folder, top.path)
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, str(PROCESSES)],
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            select.select([process.stdout], [], [], 60)
            pids: list[int] = json.loads(process.stdout.readline())
            for number, pid in enumerate(pids):
                at = number % CGROUPS
                (folders[at] / "cgroup.procs").write_text(str(pid))
                list(groups.values())[at].add(pid)
                stack.callback(os.kill, pid, signal.SIGKILL)
                os.kill(pid, signal.SIGSTOP)
            yield pids, {words: members for words, members in groups.items() if members}
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_sums_are_those_of_the_processes(
    pagemap: Pagemap, grouped: tuple[list[int], dict[str, set[int]]]
) -> None:
    pids, groups = grouped
    code, out, _ = pagemap("footprint", *pids, "--json", "--columns", "pid,rss,anon,swap,container")
    rows = json.loads(out)["rows"]
    assert (code, {row["pid"] for row in rows}) == (0, set(pids))
    code, out, _ = pagemap("footprint", *pids, "--json", "--by", "container")
    told = json.loads(out)
    assert code == 0
    for group in told["rows"]:
        mine = [row for row in rows if row["container"] == group["container"]]
        assert {row["pid"] for row in mine} == groups[group["container"]]
        for name in ("rss", "anon", "swap"):
            assert group[name] == sum(row[name] for row in mine)
    assert len(told["rows"]) == len(groups)
    assert told["total"]["rss"] == sum(row["rss"] for row in rows)
    columns = "cgroup,processes,anon,charged"
    code, out, _ = pagemap("footprint", *pids, "--json", "--by", "cgroup", "--columns", columns)
    told = json.loads(out)
    assert sum(row["processes"] for row in told["rows"]) == len(pids)
    # what they touched was charged where they were then; nothing of it moves along
    assert all(row["charged"] is not None for row in told["rows"])


def test_what_each_group_frees(
    need_pfns: None, pagemap: Pagemap, grouped: tuple[list[int], dict[str, set[int]]]
) -> None:
    """The column `frees` is one walk for all; a walk for each group says the same."""
    pids, groups = grouped
    words = ("--by", "container", "--columns", "container,frees")

    def look() -> tuple[list[object], list[object]]:
        code, out, _ = pagemap("footprint", *pids, "--json", *words)
        assert code == 0
        rows = {row.group: row for row in freed(pids, by="container")}
        names = sorted(groups)[:3]
        return [
            {row["container"]: row["frees"] for row in json.loads(out)["rows"]},
            [freed(sorted(groups[name]))[0][1:] for name in names],
        ], [
            {name: row.frees for name, row in rows.items()},
            [rows[name][1:] for name in names],
        ]

    frees, _ = looks.agreed(look)
    assert isinstance(frees, dict)
    (every,) = freed(pids)
    assert sum(frees.values()) <= every.frees
    assert every.processes == len(pids)
    # what was touched before the fork the parent has too: it stays in any case
    assert (every.stays_anon or 0) >= 1 << 20


def test_what_groups_share(
    need_pfns: None, pagemap: Pagemap, grouped: tuple[list[int], dict[str, set[int]]]
) -> None:
    """What groups share, and what each shares within, is what their processes share."""
    pids, groups = grouped
    words = [*map(str, pids), "--targets-only", "--json", "--top", "100000"]
    code, out, _ = pagemap("sharing", *words)
    every = json.loads(out)
    assert code == 0
    code, out, _ = pagemap("sharing", *words, "--by", "container")
    told = json.loads(out)
    assert (code, told["schema"]) == (0, "pagemap.sharing.by")
    ((total,), (whole,)) = told["total"], every["total"]
    assert total["shared"] + total["within"] == whole["shared"]
    assert {row["group"]: row["processes"] for row in told["groups"]} == {
        name: len(members) for name, members in groups.items()
    }
    assert sum(row["within"] for row in told["groups"]) == total["within"]
    assert sum(row["shared"] for row in told["sets"]) == total["shared"]
    # a page of Python that both map is that of two groups, or of one
    (one, other) = sorted(groups)[:2]
    mine = [row for row in every["groups"] if groups[one] & set(row["pids"])]
    apart = [row for row in mine if not groups[one].issuperset(row["pids"])]
    row = next(row for row in told["groups"] if row["group"] == one)
    assert row["shared"] == sum(each["shared"] for each in apart)
    assert row["within"] == sum(each["shared"] for each in mine) - row["shared"]
    both = sum(each["shared"] for each in mine if groups[other] & set(each["pids"]))
    pairs = {frozenset((row["group"], row["other_group"])): row for row in told["pairs"]}
    assert pairs[frozenset((one, other))]["shared"] == both


def test_memory_of_cgroups(grouped: tuple[list[int], dict[str, set[int]]]) -> None:
    """Each cgroup has the words for its container, and rows add up by them."""
    _, groups = grouped
    table = library.memory(frames=False, cgroups=True).cgroups
    assert table is not None
    containers = {row.container: row for row in table.grouped("container")}
    assert set(groups) <= set(containers)
    assert sum(row.rows for row in containers.values()) == len(table)
    assert containers["lxc web0"].kernel is not None


def test_cache_of_cgroups(
    need_pfns: None,
    pagemap: Pagemap,
    grouped: tuple[list[int], dict[str, set[int]]],
    tmp_path: Path,
) -> None:
    """Each has written a file, and what is charged to all of them is what is cached."""
    _, groups = grouped
    table = library.memory(frames=False, cgroups=True).cgroups
    assert table is not None
    folders = {row.container: row.cgroup or "" for row in table if row.container in groups}
    sizes = {}
    for number, (name, folder) in enumerate(folders.items()):
        size = sizes[name] = (number + 1) * 16 * KIB
        enters = 'echo $$ >"$0/cgroup.procs"; exec head -c "$1" /dev/zero >"$2"'
        words = ["sh", "-c", enters, folder, str(size), str(tmp_path / f"{number}")]
        subprocess.run(words, check=True)
    assert len(sizes) == len(groups)
    code, out, _ = pagemap("cache", str(tmp_path), "--json")
    whole = json.loads(out)["total"]["cached"]
    assert (code, whole) == (0, sum(sizes.values()))
    code, out, _ = pagemap("cache", str(tmp_path), "--by", "cgroup", "--json")
    told = json.loads(out)
    assert (code, told["total"]["cached"]) == (0, whole)
    charged = {row["container"]: row["cached"] for row in told["rows"]}
    assert {name: charged[name] for name in sizes} == sizes


def test_memory_of_groups(
    need_pfns: None, pagemap: Pagemap, grouped: tuple[list[int], dict[str, set[int]]]
) -> None:
    """Rows add up to all memory; and each process has some of its own, in the row of its group."""
    pids, _ = grouped
    code, out, _ = pagemap("memory", "--by", "session", "--json")
    told = json.loads(out)
    assert code == 0
    ((shared, none), groups) = (told["rows"][-2:], told["rows"][:-2])
    assert (shared["mapped_by"], none["mapped_by"]) == ("several", "none")
    assert sum(row["processes"] for row in groups) == told["total"]["processes"]
    assert sum(row["size"] for row in told["rows"]) == told["total"]["size"]
    assert abs(told["total"]["size"] - told["about"]["total"]) <= 64 * KIB * KIB
    own = sum((64 + number) * KIB for number in range(len(pids)))
    leads = os.getsid(pids[0])
    (mine,) = [row for row in groups if row["group"] == str(leads)]
    assert mine["name"] == Path(f"/proc/{leads}/comm").read_text().rstrip("\n")
    assert mine["processes"] == len(pids) + 1  # and their parent
    assert mine["anon"] >= own + KIB * KIB  # and what they share among them


def freed(pids: list[int], **more: str) -> library.Table[library.FreedRow]:
    return library.freed(pids, **more)  # type: ignore[arg-type]
