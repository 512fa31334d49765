"""The page cache and frames of machines that lack something, or change, or hide it."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING
from unittest import mock

import pytest

import pagemap
from pagemap._analyses.frame_files import kinds_of
from tests.unit.fake_machine import FILE, FREE, NOPAGE, PAGE, RESERVED, SHMEM, SLAB, words, write
from tests.unit.test_memory_lacking import machine, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.fake_machine import Machine

__all__ = ["machine"]

HEAD, TAIL = 1 << 15, 1 << 16
SWAPCACHE = 1 << 13 | 1 << 14 | 1 << 5


def test_kinds_of_frames(machine: Machine) -> None:
    """Tails of folios say little themselves on old kernels; what is past the end is refused."""
    folio = FILE & ~(1 << 11)
    machine.frames(
        [RESERVED, FREE, SLAB, NOPAGE, *words((1, folio | HEAD), (3, TAIL)), SHMEM, SWAPCACHE, 0]
    )
    found = kinds_of(range(11), procfs=str(machine.proc))
    assert list(found.values()) == [
        ("reserved", False),
        ("free", False),
        ("slab", False),
        ("missing", False),
        *[("file", True)] * 4,
        ("shmem", True),
        ("swapcache", True),
        ("unnamed", False),
    ]
    machine.frames([SWAPCACHE | 1 << 12])
    assert kinds_of([0], procfs=str(machine.proc)) == {0: ("swapcache", False)}
    for pfn in (1, -1):
        with pytest.raises(pagemap.UsageError, match="out of range"):
            kinds_of([pfn], procfs=str(machine.proc))


def test_memory_removed_meanwhile(machine: Machine) -> None:
    """Of a frame that was there, and has no word when it is read."""
    machine.frames(words((4096, FILE)))
    path = machine.proc / "kpageflags"
    told = pagemap.FrameReader.tells_ksm

    def remove(reader: pagemap.FrameReader) -> bool | None:
        os.truncate(path, 8 * 1000)
        return told(reader)

    with mock.patch.object(pagemap.FrameReader, "tells_ksm", remove):
        found = kinds_of([999, 1000, 4095], procfs=str(machine.proc))
    assert found == {999: ("file", True), 1000: ("missing", False), 4095: ("missing", False)}


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM], ids=errno.errorcode.get)
def test_what_is_refused(machine: Machine, code: int) -> None:
    """Without rights, and where a security module forbids it (lockdown)."""
    procfs = str(machine.proc)
    with refused(code):
        with pytest.raises(pagemap.AccessDenied, match="kpageflags"):
            pagemap.frame_files([1], procfs=procfs)
        with pytest.raises(pagemap.AccessDenied, match="kpageflags"):
            pagemap.cache_charged(["/etc"], procfs=procfs)


def test_files_that_the_kernel_has_not(machine: Machine) -> None:
    procfs = str(machine.proc)
    shutil.copy(machine.proc / "kpageflags", machine.proc / "kpagecount")
    with pytest.raises(pagemap.Unsupported, match="CONFIG_MEMCG"):
        pagemap.cache_charged(["/etc"], procfs=procfs)
    (machine.proc / "kpageflags").write_bytes(b"")
    with pytest.raises(pagemap.PagemapError, match="is empty"):
        pagemap.frame_files([1], procfs=procfs)
    (machine.proc / "kpageflags").unlink()
    for call in (
        lambda: pagemap.frame_files([1], procfs=procfs),
        lambda: pagemap.cache_charged(["/etc"], procfs=procfs),
    ):
        with pytest.raises(pagemap.Unsupported, match="CONFIG_PROC_PAGE_MONITOR"):
            call()
    with pytest.raises(pagemap.Unsupported, match="no proc file system is mounted"):
        pagemap.cache_held(procfs=str(machine.proc / "none"))


def charged(*rows: tuple[str | None, int, int]) -> pagemap.Table[pagemap.ChargedFileRow]:
    """Rows of files by cgroup: path, inode of a cgroup, pages."""
    schema = pagemap.ChargedFileRow
    from pagemap._vocabulary.rows.cached_file import CHARGED_FILES

    return pagemap.Table.of_rows(
        CHARGED_FILES,
        [
            schema(path or "", None, pages * PAGE, PAGE, 0, 0, 0, "00:01", number, inode)
            for number, (path, inode, pages) in enumerate(rows)
        ],
    )


@pytest.mark.parametrize("version", [1, 2])
def test_memory_stat_beside(machine: Machine, tmp_path: Path, version: int) -> None:
    """Version 2 tells sums with the cgroups below, version 1 of each alone."""
    root = tmp_path / "cgroups"
    kind, options = ("cgroup2", "rw") if version == 2 else ("cgroup", "rw,memory")
    write(machine.proc / "self/mounts", f"{kind} {root} {kind} {options} 0 0\n")
    text = "anon 0\nfile {}\nshmem {}\n" if version == 2 else (
        "cache {}\nrss 0\nshmem {}\ntotal_rss 1\n"
    )  # fmt: skip
    own, below = (100 * PAGE, 20 * PAGE), (60 * PAGE, 10 * PAGE)
    write(root / "web.service/memory.stat", text.format(*own))
    write(root / "web.service/inner/memory.stat", text.format(*below))
    write(root / "bare/memory.current", "1\n")
    inodes = [(root / name).stat().st_ino for name in ("web.service", "web.service/inner", "bare")]
    table = charged(
        ("/a", inodes[0], 30), ("/b", inodes[0], 3), ("/a", inodes[1], 7), ("/c", inodes[2], 1),
        ("/c", 0, 2), ("/d", 424242, 1),
    )  # fmt: skip
    rows = {row.inode: row for row in pagemap.cache_cgroups([table], procfs=str(machine.proc))}
    row = rows[inodes[0]]
    assert (row.cgroup, row.container) == (str(root / "web.service"), "web.service")
    assert (row.files, row.cached, row.active) == (2, 33 * PAGE, 2 * PAGE)
    assert row.kernel == ((100 - 60) * PAGE if version == 2 else 100 * PAGE)
    assert rows[inodes[1]].kernel == 60 * PAGE
    assert (rows[inodes[2]].kernel, rows[inodes[2]].container) == (None, None)
    assert (rows[0].cgroup, rows[0].kernel) == ("(none)", None)
    assert (rows[424242].cgroup, rows[424242].cached) == (None, PAGE)
    (machine.proc / "self/mounts").unlink()  # no cgroups to be seen
    for row in pagemap.cache_cgroups([table], procfs=str(machine.proc)):
        assert (row.kernel, row.container) == (None, None)
