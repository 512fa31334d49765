"""What several processes have: counted once, and parted by what it is and not by its name."""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import oracle, workloads
from tests.kernel_settings import huge_pages

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


@pytest.fixture(params=["vfork", "CLONE_VM"])
def pair(request: pytest.FixtureRequest, start: Start) -> tuple[int, int]:
    """A process with 4 MiB, and its child of vfork, or of clone(CLONE_VM): both run then."""
    if request.param == "vfork":
        target = start(workloads.dense(SIZE))
        return target.pid, target.ask("v")
    target = start(workloads.own_target("clone_vm", SIZE))
    (child,) = target.children
    return target.pid, child


def test_a_child_of_vfork_has_no_memory_of_its_own_in_footprint(
    pagemap: Pagemap, pair: tuple[int, int]
) -> None:
    """One address space of two processes was two rows, and its memory doubled in the total."""
    data, err = shown(pagemap, "footprint", *pair)
    (row,) = data["rows"]
    wanted = oracle.smaps_rollup(pair[0])
    assert (row["pid"], row["sharers"]) == (pair[0], [pair[1]])
    assert row["rss"] == data["total"]["rss"] == wanted["Rss"]
    said = f"pagemap: counted once (vfork, CLONE_VM): process {pair[0]} includes {pair[1]}"
    assert err == [said]
    assert data["about"]["sharers_known"] is True
    assert data["about"]["sharers"] == {str(pair[0]): [pair[1]]}
    _, out, _ = pagemap("footprint", *reversed(pair), "--columns", "pid,sharers,rss")
    assert out.split()[3:5] == [b"%d" % pair[1], b"%d" % pair[0]]


def test_a_child_of_vfork_doubles_no_path(pagemap: Pagemap, pair: tuple[int, int]) -> None:
    rows = shown(pagemap, "footprint", *pair, "--by", "path")[0]["rows"]
    (anonymous,) = (row for row in rows if row["path"] == "")
    wanted = oracle.parse_smaps(Path(f"/proc/{pair[0]}/smaps").read_bytes())
    lines = [line for line in oracle.maps(pair[0]) if not line.path]
    starts = {line.start for line in lines}
    assert anonymous["rss"] == sum(one.sizes["Rss"] for one in wanted if one.start in starts)
    assert (anonymous["processes"], anonymous["mappings"]) == (2, len(lines))
    each = shown(pagemap, "footprint", *pair, "--by", "mapping")[0]["rows"]
    assert [int(row["start"], 16) for row in each] == [line.start for line in oracle.maps(pair[0])]


def test_a_child_of_vfork_has_no_row_of_huge_pages(
    pagemap: Pagemap, pair: tuple[int, int], need_pfns: None
) -> None:
    data, _ = shown(pagemap, "huge")
    rows = {row["pid"]: row["sharers"] for row in data["rows"]}
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
    rows = shown(pagemap, "footprint", *children, "--by", "path")[0]["rows"]
    found = [row for row in rows if row["path"] == path]
    lines = {
        (line.dev, line.inode) for pid in children for line in oracle.maps(pid) if line.path == path
    }
    assert sorted(row["rss"] for row in found) == [3 * PAGE, 5 * PAGE]
    assert {(row["dev"], row["inode"]) for row in found} == lines
    titles = pagemap("footprint", *children, "--by", "path", "--columns", "rss,dev,inode,path")[1]
    assert titles.decode().split()[:4] == ["RSS", "DEV", "INODE", "PATH"]


def in_its_own_mounts(folder: str, pages: int) -> mmap.mmap:
    """The file `folder`/same on a tmpfs that a new mount namespace alone has."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_mounts, private = 0x00020000, 1 << 14 | 1 << 18  # CLONE_NEWNS; MS_REC | MS_PRIVATE
    assert libc.unshare(new_mounts) == 0
    assert libc.mount(b"none", b"/", None, ctypes.c_ulong(private), None) == 0
    assert libc.mount(b"pagemap", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(0), None) == 0
    with open(os.path.join(folder, "same"), "w+b") as file:
        file.write(bytes(pages * PAGE))
        file.flush()
        memory = mmap.mmap(file.fileno(), pages * PAGE)
    memory.write(b"x" * (pages * PAGE))
    return memory


def test_files_of_one_path_in_two_mount_namespaces_are_two_rows(
    pagemap: Pagemap, children: list[int], tmp_path: Path
) -> None:
    """Two containers' files of one path became one row with what both hold."""
    children += [
        forked(lambda: in_its_own_mounts(str(tmp_path), 3)),
        forked(lambda: in_its_own_mounts(str(tmp_path), 5)),
    ]
    path = str(tmp_path / "same")
    rows = shown(pagemap, "footprint", *children, "--by", "path")[0]["rows"]
    found = [row for row in rows if row["path"] == path]
    lines = {
        (line.dev, line.inode) for pid in children for line in oracle.maps(pid) if line.path == path
    }
    assert len(lines) == 2
    assert {(row["dev"], row["inode"]) for row in found} == lines
    assert sorted((row["rss"], row["processes"]) for row in found) == [(3 * PAGE, 1), (5 * PAGE, 1)]


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
    rows = shown(pagemap, "footprint", *children, "--by", "path")[0]["rows"]
    (row,) = (row for row in rows if row["path"] in (first, second))
    assert (row["path"], row["processes"], row["mappings"]) == (first, 2, 2)
    assert row["inode"] == os.stat(first).st_ino


@pytest.fixture
def hugetlb(start: Start) -> tuple[int, int, int]:
    """Two processes with the same pages of shared hugetlb, and how many bytes of it."""
    size = max(8 * MIB, 2 * workloads.huge_page_bytes())

    @contextlib.contextmanager
    def shared() -> Iterator[workloads.Target]:
        count = size // workloads.huge_page_bytes()
        with huge_pages(count), workloads.own_target("hugetlb_shared", size) as target:
            yield target

    target = start(shared())
    (child,) = target.children
    return target.pid, child, size


@pytest.mark.parametrize("view", ["processes", "paths"])
def test_shared_hugetlb_is_not_added_up(
    pagemap: Pagemap, hugetlb: tuple[int, int, int], view: str
) -> None:
    """8 MiB that two processes map were 16 MiB in the total."""
    parent, child, size = hugetlb
    by_path = ["--by", "path"] if view == "paths" else []
    data, _ = shown(pagemap, "footprint", parent, child, *by_path)
    rows = [row for row in data["rows"] if row["hugetlb"] != 0]
    wanted = [oracle.smaps_rollup(pid)["Shared_Hugetlb"] for pid in (parent, child)]
    assert wanted == [size, size]
    told = [size, size] if view == "processes" else [None]
    assert [row["shared_hugetlb"] for row in rows] == told
    assert not {"shared_hugetlb", "hugetlb", "hugetlb_pss"} & set(data["total"])
    assert data["total"]["private_hugetlb"] == 0
    names = "hugetlb,shared_hugetlb,private_hugetlb"
    words = pagemap("footprint", parent, child, "--columns", f"pid,{names}")[1].split()
    assert words[-2:] == [b"total", b"0"]


def test_shares_of_hugetlb_are_all_of_it(
    pagemap: Pagemap, hugetlb: tuple[int, int, int], need_pfns: None
) -> None:
    """Nobody told which part of shared hugetlb is whose; --gentle sees how often it is mapped."""
    parent, child, size = hugetlb
    code, out, _ = pagemap("footprint", parent, child, "--gentle", "--budget", 100, "--json")
    data = json.loads(out)
    assert code == 0
    assert [row["hugetlb_pss"] for row in data["rows"]] == [size // 2, size // 2]
