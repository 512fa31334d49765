"""The first segment of System V of an IPC namespace: its id is 0, and so is its inode in maps.

What has no inode was taken for memory of no file. In a container the first is what a database has.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads
from tests.kernel_settings import Unavailable, huge_pages, zram_swap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap import Mapping

PAGE = oracle.PAGE
SIZE = 1 << 20
SHM_HUGETLB = 0o4000
CODE = """
import ctypes, sys
size, flags, pageout = map(int, sys.argv[1:])
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
CLONE_NEWIPC = 0x08000000
if libc.unshare(CLONE_NEWIPC) or libc.shmget(0, size, 0o600 | flags):
    print("cannot make the first segment of an IPC namespace", flush=True)
    sys.exit()
number = 0
address = libc.shmat(number, None, 0)
libc.shmctl(number, 0, None)
ctypes.memset(address, 1, size)
if pageout:
    libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), 21)
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def owner(size: int, flags: int = 0, *, pageout: bool = False) -> Iterator[tuple[int, Mapping]]:
    """A process with that segment, and what maps has of it; skips where there can be none."""
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(
                workloads.run(sys.executable, "-c", CODE, str(size), str(flags), str(int(pageout)))
            )
        except Unavailable as reason:
            pytest.skip(f"cannot {reason}: needs CAP_SYS_ADMIN")
        with pagemap.Process(target.pid) as process:
            (mapping,) = (each for each in process.maps() if each.path.startswith("/SYSV"))
        assert mapping.inode == 0
        assert mapping.dev != "00:00"
        yield target.pid, mapping


def test_it_is_shared_memory_and_a_file(need_root: None) -> None:
    with owner(SIZE) as (pid, mapping):
        assert mapping.deleted
        rows = pagemap.footprints([pid], by="mapping")
        (row,) = (each for each in rows if each.start == mapping.start)
        assert (row.rss, row.file, row.shmem) == (SIZE, 0, SIZE)
        (named,) = (each for each in pagemap.footprints([pid], by="path") if each.inode == 0)
        assert (named.dev, named.path, named.rss) == (mapping.dev, mapping.path, SIZE)


def test_its_owners_say_where_in_it(need_root: None, need_pfns: None) -> None:
    with owner(SIZE) as (pid, mapping):
        at = mapping.start + 3 * PAGE
        frame = oracle.pfn(*oracle.entries(pid, at, at + PAGE))
        assert frame is not None
        (row,) = (each for each in pagemap.owners([frame]) if each.pid == pid)
        assert (row.address, row.file_offset) == (at, 3 * PAGE)


def test_of_hugetlb_it_is_no_rss(need_root: None) -> None:
    size = 2 * workloads.huge_page_bytes()
    try:
        with huge_pages(2), owner(size, SHM_HUGETLB) as (pid, _):
            with pagemap.Sampler(pid, ["rss", "hugetlb"]) as sampler:
                sample = sampler.sample()
            assert sample.hugetlb == size
            # the kernel's own count, which changes by what a thread has not told yet
            assert abs((sample.rss or 0) - oracle.smaps_rollup(pid)["Rss"]) < size // 4
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_what_of_it_is_in_swap(need_root: None) -> None:
    try:
        with zram_swap(16 * SIZE), owner(SIZE, pageout=True) as (pid, mapping):
            (wanted,) = (
                each.sizes["Swap"]
                for each in oracle.parse_smaps(Path(f"/proc/{pid}/smaps").read_bytes())
                if each.start == mapping.start
            )
            if not wanted:
                pytest.skip("swap: the kernel pushed nothing out (MADV_PAGEOUT)")
            with pagemap.Process(pid) as process:
                (row,) = (each for each in process.tally() if each.start == mapping.start)
            with pagemap.Sampler(pid, ["swap"]) as sampler:
                swap = sampler.sample().swap
            assert row.swap == wanted
            assert swap == oracle.smaps_rollup(pid)["Swap"]
    except Unavailable as reason:
        pytest.skip(str(reason))
