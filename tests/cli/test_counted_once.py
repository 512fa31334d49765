"""What several processes have: counted once, and parted by what it is and not by its name."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

MIB = 1 << 20
PAGE = oracle.PAGE
SIZE = 4 * MIB


def shown(pagemap: Pagemap, *arguments: str | int) -> tuple[dict[str, Any], list[str]]:
    code, out, err = pagemap(*arguments, "--json")
    assert code == 0
    return json.loads(out), err


@pytest.fixture
def pair(start: Start) -> tuple[int, int]:
    """A process with 4 MiB, and its child of vfork."""
    target = start(workloads.dense(SIZE))
    return target.pid, target.ask("v")


def test_a_child_of_vfork_has_no_memory_of_its_own_in_footprint(
    pagemap: Pagemap, pair: tuple[int, int]
) -> None:
    """One address space of two processes was two rows, and its memory doubled in the total."""
    data, err = shown(pagemap, "footprint", *pair)
    (row,) = data["processes"]
    wanted = oracle.smaps_rollup(pair[0])
    assert (row["pid"], row["also"]) == (pair[0], [pair[1]])
    assert row["rss"] == data["totals"]["rss"] == wanted["Rss"]
    said = f"pagemap: counted once (vfork, CLONE_VM): process {pair[0]} stands for {pair[1]} too"
    assert err == [said]
    assert data["sharers_known"] is True
    _, out, _ = pagemap("footprint", *reversed(pair), "--columns", "pid,also,rss")
    assert out.split()[3:5] == [b"%d" % pair[1], b"%d" % pair[0]]


def test_a_child_of_vfork_doubles_no_path(pagemap: Pagemap, pair: tuple[int, int]) -> None:
    rows = shown(pagemap, "footprint", *pair, "--by-path")[0]["paths"]
    (anonymous,) = (row for row in rows if row["path"] == "")
    wanted = oracle.parse_smaps(Path(f"/proc/{pair[0]}/smaps").read_bytes())
    lines = [line for line in oracle.maps(pair[0]) if not line.path]
    starts = {line.start for line in lines}
    assert anonymous["rss"] == sum(one.sizes["Rss"] for one in wanted if one.start in starts)
    assert (anonymous["processes"], anonymous["mappings"]) == (2, len(lines))
    each = shown(pagemap, "footprint", *pair, "--maps")[0]["mappings"]
    assert [int(row["start"], 16) for row in each] == [line.start for line in oracle.maps(pair[0])]


def test_a_child_of_vfork_has_no_row_of_huge_pages(
    pagemap: Pagemap, pair: tuple[int, int], need_pfns: None
) -> None:
    data, _ = shown(pagemap, "maps", "--huge", "--all")
    rows = {row["pid"]: row["also"] for row in data["processes"]}
    assert rows[pair[0]] == [pair[1]]
    assert pair[1] not in rows


def forked(make: Callable[[], object]) -> int:
    """A child that keeps what `make` gives, once it is made."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            kept = make()
            os.write(write, b"x")
            while kept:
                signal.pause()
        finally:
            os._exit(1)
    os.close(write)
    done = os.read(read, 1)
    os.close(read)
    if not done:
        os.waitpid(pid, 0)
        pytest.skip("the memory cannot be made here")
    return pid


@pytest.fixture
def children() -> Iterator[list[int]]:
    pids: list[int] = []
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def named_memory(name: str, pages: int) -> mmap.mmap:
    fd = os.memfd_create(name)
    os.truncate(fd, pages * PAGE)
    memory = mmap.mmap(fd, pages * PAGE)
    memory.write(b"x" * (pages * PAGE))
    return memory


def segment(pages: int) -> int:
    """A segment of System V; all that are private are called SYSV00000000."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(0, pages * PAGE, 0o600)
    address = libc.shmat(number, None, 0)
    libc.shmctl(number, 0, None)  # IPC_RMID: it goes with the last who has it
    ctypes.memset(address, 1, pages * PAGE)
    return int(address)


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda pages: named_memory("pagemap by path", pages), "/memfd:pagemap by path (deleted)"),
        (segment, "/SYSV00000000 (deleted)"),
    ],
)
def test_files_of_one_name_are_rows_of_their_own(
    pagemap: Pagemap, children: list[int], make: Callable[[int], object], path: str
) -> None:
    """Two memfds, or two segments, of one name became one row with what both hold."""
    children += [forked(lambda: make(3)), forked(lambda: make(5))]
    rows = shown(pagemap, "footprint", *children, "--by-path")[0]["paths"]
    found = [row for row in rows if row["path"] == path]
    lines = {
        (line.dev, line.inode) for pid in children for line in oracle.maps(pid) if line.path == path
    }
    assert sorted(row["rss"] for row in found) == [3 * PAGE, 5 * PAGE]
    assert {(row["dev"], row["inode"]) for row in found} == lines
    titles = pagemap("footprint", *children, "--by-path")[1].decode().splitlines()[0].split()
    assert titles[-3:] == ["DEV", "INODE", "PATH"]


def test_one_file_of_two_names_is_one_row(
    pagemap: Pagemap, children: list[int], tmp_path: os.PathLike[str]
) -> None:
    first, second = os.path.join(tmp_path, "first"), os.path.join(tmp_path, "second")
    with open(first, "wb") as file:
        file.write(bytes(4 * PAGE))
    os.link(first, second)

    def mapped(path: str) -> mmap.mmap:
        with open(path, "rb") as file:
            memory = mmap.mmap(file.fileno(), 4 * PAGE, prot=mmap.PROT_READ)
        assert memory[0] == memory[-1] == 0
        return memory

    children += [forked(lambda: mapped(first)), forked(lambda: mapped(second))]
    rows = shown(pagemap, "footprint", *children, "--by-path")[0]["paths"]
    (row,) = (row for row in rows if row["path"] in (first, second))
    assert (row["path"], row["processes"], row["mappings"]) == (first, 2, 2)
    assert row["inode"] == os.stat(first).st_ino
