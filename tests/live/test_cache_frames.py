"""Which parts of files are cached, what their frames are, who has them, and who is charged."""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, page_words, workloads
from tests.live.as_nobody import NOBODY, as_nobody
from tests.live.test_cached_files import cached
from tests.live.test_memory_cgroups import memory_cgroup

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Start

__all__ = ["memory_cgroup"]

PAGE = oracle.PAGE
ACTIVE, MMAP = 1 << 6, 1 << 11


def percents(pages: list[bool]) -> tuple[int, ...]:
    """What of each of up to 32 parts is cached: the ends of parts are rounded down."""
    count = min(32, len(pages))
    found = []
    for part in range(count):
        of = pages[len(pages) * part // count : len(pages) * (part + 1) // count]
        share = sum(of) * 100 // len(of)
        found.append(max(share, 1) if any(of) else 0)
    return tuple(found)


def test_which_parts_are_cached(tmp_path: Path) -> None:
    drawn = random.Random(7)
    want = {}
    for number, pages in enumerate((1, 2, 31, 32, 33, 100, 1000)):
        path = tmp_path / f"file {number}"
        with path.open("wb") as file:
            file.truncate(pages * PAGE - number)
            for page in drawn.sample(range(pages), pages // 2):
                os.pwrite(file.fileno(), b"x", page * PAGE)
        want[str(path)] = percents(cached(path))
    (tmp_path / "empty").touch()
    (tmp_path / "whole").write_bytes(b"x" * 50 * PAGE)
    want |= {str(tmp_path / "empty"): (), str(tmp_path / "whole"): (100,) * 32}
    found = pagemap.cache([str(tmp_path)], least=0, residency=True)
    assert {row.path: row.residency for row in found} == want
    assert {row.residency for row in pagemap.cache([str(tmp_path)])} == {None}
    (row,) = pagemap.cache([str(tmp_path / "whole")], residency=True)
    assert row.residency == (100,) * 32
    assert row.active is row.mapped is row.mapcount is None


@pytest.mark.usefixtures("need_frames")
def test_what_frames_of_files_are(tmp_path: Path, start: Start) -> None:
    """Against the words of the frames, which a list of the pages names; nothing is changed."""
    names = [tmp_path / f"file {number}" for number in range(40)]
    for number, path in enumerate(names):
        path.write_bytes(os.urandom(number * PAGE + 1))
    start(workloads.file_at(os.fsencode(names[9]), 9 * PAGE))
    os.sync()
    want = {}
    for path in names:
        rows = [row for table in pagemap.page_runs(files=[str(path)], each=True, mapcounts=True)
                for row in table]  # fmt: skip
        words = page_words.words([row.pfn or 0 for row in rows])
        want[str(path)] = (
            sum(bool((word or 0) & MMAP) for word in words) * PAGE,
            max(row.mapcount or 0 for row in rows),
        )
    for _ in range(2):
        found = pagemap.cache([str(tmp_path)], frames=True)
        assert {row.path: (row.mapped, row.mapcount) for row in found} == want
    assert want[str(names[9])][0] == 9 * PAGE
    assert want[str(names[9])][1] >= 1
    active = {row.path: row.active for row in found}
    for path in names:
        pfns = [row.pfn or 0 for table in pagemap.page_runs(files=[str(path)], each=True)
                for row in table]  # fmt: skip
        words = page_words.words(pfns)
        assert active[str(path)] == sum(bool((word or 0) & ACTIVE) for word in words) * PAGE
    assert all((row.cached or 0) >= (row.active or 0) for row in found)
    (row,) = pagemap.cache([str(names[9])], frames=True)
    assert (row.mapped, row.mapcount) == want[str(names[9])]


def test_files_that_processes_have(tmp_path: Path, start: Start) -> None:
    """Each once, with who has it: by a descriptor, by mappings, and without a name."""
    mapped, opened = tmp_path / "mapped", tmp_path / "opened"
    mapped.write_bytes(b"x" * 4 * PAGE)
    opened.write_bytes(b"x" * 3 * PAGE)
    target = start(workloads.file_at(os.fsencode(mapped), 4 * PAGE))
    fd = os.memfd_create("of the test")
    one = os.open(opened, os.O_RDONLY)
    other = os.open(opened, os.O_RDONLY)
    try:
        os.pwrite(fd, b"x", 6 * PAGE)
        opened.unlink()
        table = pagemap.cache_held(least=0)
        rows = {row.inode: row for row in table}
        about = os.fstat(one)
        row = rows[about.st_ino]
        assert (row.path, row.deleted, row.descriptors, row.mappings) == (str(opened), True, 2, 0)
        assert (row.pids, row.processes) == ((os.getpid(),), 1)
        assert row.size == 3 * PAGE
        row = rows[os.fstat(fd).st_ino]
        assert (row.path, row.size, row.cached) == ("/memfd:of the test", 6 * PAGE + 1, PAGE)
        assert row.deleted
    finally:
        for each in (fd, one, other):
            os.close(each)
    if os.geteuid() == 0:
        row = rows[mapped.stat().st_ino]
        assert (row.path, row.deleted, row.pids) == (str(mapped), False, (target.pid,))
        assert row.mappings == sum(line.path == str(mapped) for line in oracle.maps(target.pid))
    assert len({(row.dev, row.inode) for row in table}) == len(table)
    assert not any(row.path.startswith(("/proc/", "/sys/")) for row in table)


def test_only_ones_own_without_rights(need_root: None, tmp_path: Path) -> None:
    """Of a file of one's own: programs and libraries may be on a file system that is not asked."""

    def found() -> tuple[int, set[int], bool]:
        table = pagemap.cache_held(least=0)
        pids = {pid for row in table for pid in row.pids}
        return os.getpid(), pids, bool(table.about["complete"])

    with (tmp_path / "held").open("wb", buffering=0) as file:
        file.write(b"x")
        os.chown(file.fileno(), NOBODY, NOBODY)
        own, pids, complete = as_nobody(found)
    assert own in pids
    assert os.getpid() not in pids
    assert not complete
    with pytest.raises(pagemap.AccessDenied, match="kpageflags"):
        as_nobody(lambda: pagemap.cache_charged(["/etc"]))


@pytest.mark.usefixtures("need_frames")
def test_who_is_charged(memory_cgroup: Path, tmp_path: Path) -> None:
    """Pages are charged to whom has brought them in; both cgroups have their part of one file."""
    if not oracle.may_read("/proc/kpagecgroup"):
        pytest.skip("/proc/kpagecgroup: the kernel has no CONFIG_MEMCG")
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"x")
    script = 'echo $$ > "$0"; exec dd if=/dev/zero of="$1" bs=64k count=64 status=none'
    words = ["sh", "-c", script, str(memory_cgroup / "cgroup.procs"), str(path)]
    assert os.spawnvp(os.P_WAIT, "sh", words) == 0
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(b"y" * (1 << 20))
    table = pagemap.cache_charged([str(tmp_path)])
    rows = {row.cgroup: row for row in table if row.path == str(path)}
    row = rows.pop(str(memory_cgroup))
    assert row.cached == 4 << 20
    assert row.cgroup_inode == memory_cgroup.stat().st_ino
    assert row.inode == path.stat().st_ino
    assert sum(each.cached for each in rows.values()) == 1 << 20
    (total,) = [each for each in pagemap.cache_cgroups([table]) if each.cgroup == row.cgroup]
    assert (total.cached, total.files, total.active) == (row.cached, 1, row.active)
    text = (memory_cgroup / "memory.stat").read_text()
    known = {
        name: int(size) for name, size in re.findall(r"^(cache|file) (\d+)$", text, re.MULTILINE)
    }
    assert total.kernel is not None
    assert abs(total.kernel - sum(known.values())) <= 1 << 20
    assert abs(total.kernel - total.cached) <= 1 << 20
    path.unlink()  # what is charged keeps the cgroup


def test_looking_does_not_map_what_is_not_cached(
    need_root: None, need_pfns: None, tmp_path: Path
) -> None:
    """A sparse terabyte with two pages: it would take long, and read in the rest."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")
    path = tmp_path / "sparse"
    path.write_bytes(b"x")
    if pagemap.cache([str(path)])[0].told != "cachestat":
        pytest.skip("this kernel has no cachestat (6.5)")
    with path.open("r+b") as file:
        file.truncate(1 << 40)
        os.pwrite(file.fileno(), b"x", 1 << 39)
    before = pagemap.cache([str(path)])[0]
    (row,) = pagemap.cache([str(path)], frames=True, residency=True)
    assert row.cached == before.cached == 2 * PAGE
    assert row.residency == (1, *[0] * 15, 1, *[0] * 15)
    assert row.mapped == 0
