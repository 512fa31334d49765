"""`pagemap who`: whole outputs, and every error with its exit code."""

from __future__ import annotations

import csv
import io
import json
import mmap
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests import everyone, looks, oracle, page_words, workloads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pagemap, Result
    from tests.conftest import Start

PAGE = oracle.PAGE
LRU = 5  # of kpageflags: what is on no list yet is nameless


class Family:
    """A target and a child that share a page of its area, the frame of which is `pfn`."""

    def __init__(self, target: workloads.Target) -> None:
        self.target = target
        self.pids = sorted([target.pid, target.ask("f")])
        target.stop()
        self.address = target.first.start + PAGE
        (entry,) = oracle.entries(target.pid, self.address, self.address + PAGE)
        pfn = oracle.pfn(entry)
        assert pfn is not None
        self.pfn = pfn
        self.line = next(
            line for line in oracle.maps(target.pid) if line.start <= self.address < line.end
        )


@pytest.fixture
def family(start: Start, need_pfns: None, need_root: None) -> Family:
    """Two processes that share anonymous memory."""
    return Family(start(workloads.dense(4 * PAGE)))


def test_a_table(pagemap: Pagemap, family: Family) -> None:
    code, out, err = pagemap("who", "--pfn", hex(family.pfn))
    assert (code, err) == (0, [])
    lines = out.decode().splitlines()
    columns = ["PID", "NAME", "ADDRESS", "PFN", "EXCLUSIVE", "PERMS", "FILE_OFFSET", "PATH"]
    assert lines[0].split() == columns
    assert [line.split() for line in lines[1:3]] == [
        [
            *(str(pid), everyone.status(pid, "Name"), hex(family.address), hex(family.pfn)),
            *("no", "rw-p", "-", "[anon]"),
        ]
        for pid in family.pids
    ]
    assert lines[3] == f"frame {family.pfn:#x}: mapped twice, by 2 processes"
    assert lines[4] == f"  physical address: {family.pfn * PAGE:#x}"
    flags = lines[5].removeprefix("  flags: ").split(", ")
    assert {"uptodate", "mmap", "anonymous", "swapbacked"} <= set(flags)
    assert lines[6] == "  map count: 2"
    cgroup = everyone.word("kpagecgroup", family.pfn)
    assert f"(inode {cgroup})" in lines.pop() if cgroup else True
    assert len(lines) == 7


def test_json(pagemap: Pagemap, family: Family) -> None:
    code, out, err = pagemap("who", "--phys", hex(family.pfn * PAGE + 17), "--json")
    assert (code, err) == (0, [])
    told = json.loads(out)
    assert (told["schema"], told["version"]) == ("pagemap.who", 3)
    (frame,) = told["about"]["frames"]
    assert told["rows"] == [
        {
            "pid": pid,
            "name": everyone.status(pid, "Name"),
            "address": hex(family.address),
            "pfn": hex(family.pfn),
            "exclusive": False,
            "start": hex(family.line.start),
            "end": hex(family.line.end),
            "perms": "rw-p",
            "offset": "0x0",
            "file_offset": None,
            "flags": frame["flags"],
            "mapcount": 2,
            "cgroup": everyone.word("kpagecgroup", family.pfn) or None,
            "sharers": [],
            "path": "",
        }
        for pid in family.pids
    ]
    assert frame["pfn"] == hex(family.pfn)
    assert frame["physical_address"] == hex(family.pfn * PAGE)
    assert int(frame["flags"], 16) & everyone.ANON
    assert "anonymous" in frame["names"].split(",")
    assert (frame["mapcount"], frame["found"], frame["unexplained"]) == (2, 2, 0)
    assert frame["cgroup"] == (everyone.word("kpagecgroup", family.pfn) or None)
    assert told["about"]["sharers_known"] is True
    assert told["about"]["explained"] is True


def test_csv(pagemap: Pagemap, family: Family) -> None:
    code, out, err = pagemap("who", family.target.pid, hex(family.address + 5), "--csv")
    assert (code, err) == (0, [])
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert [(int(row["pid"]), int(row["address"], 16)) for row in rows] == [
        (pid, family.address) for pid in family.pids
    ]
    assert {(row["pfn"], row["exclusive"], row["sharers"], row["path"]) for row in rows} == {
        (hex(family.pfn), "0", "", "")
    }


def test_several_frames(pagemap: Pagemap, family: Family) -> None:
    area = family.target.first
    pfns = [oracle.pfn(entry) for entry in oracle.entries(family.target.pid, area.start, area.end)]
    words = [word for pfn in pfns for word in ("--pfn", hex(pfn or 0))]
    code, out, err = pagemap("who", *words)
    assert (code, err) == (0, [])
    rows = re.findall(
        r"^ *(\d+)  \S+ +0x([0-9a-f]+) +0x([0-9a-f]+)  no +rw-p +- +\[anon\]$",
        out.decode(),
        re.MULTILINE,
    )
    assert sorted((int(pfn, 16), int(pid), int(at, 16)) for pid, at, pfn in rows) == sorted(
        (pfn, pid, area.start + index * PAGE)
        for index, pfn in enumerate(pfns)
        for pid in family.pids
        if pfn is not None
    )
    assert out.decode().count(": mapped twice, by 2 processes\n") == len(pfns)


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_a_child_of_vfork(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    child = target.ask("v")
    code, out, _ = pagemap("who", target.pid, hex(target.first.start))
    assert code == 0
    lines = out.decode().splitlines()
    one, other = sorted([target.pid, child])
    assert any(line.endswith(": mapped once, by 1 process") for line in lines)
    assert lines[-1] == f"process {one} shares its memory with {other}"


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_a_frame_that_nobody_maps(pagemap: Pagemap) -> None:
    # The first frame is never given out: firmware wants it.
    code, out, _ = pagemap("who", "--pfn", "0")
    assert code == 0
    assert out.decode().splitlines()[1] == "frame 0x0: mapped nowhere"
    assert out.decode().splitlines()[2].startswith("  kind: reserved: kept from the page allocator")
    code, out, _ = pagemap("who", "--pfn", "0", "--csv")
    assert (code, out.count(b"\n")) == (0, 1)


def frame_of(path: Path, at: int) -> int:
    """The frame of a cached page of a file."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE) as memory,
    ):
        assert memory[at] == ord("x")
        start = oracle.address_of(memory)
        (entry,) = oracle.entries(os.getpid(), start + at, start + at + PAGE)
    return oracle.pfn(entry) or 0


def fill_lists(path: Path) -> None:
    """Have each processor put its new pages on the lists of the LRU, which it does by dozens."""
    processors = os.sched_getaffinity(0)
    try:
        for processor in processors:
            os.sched_setaffinity(0, {processor})
            path.write_bytes(bytes(128 * PAGE))
    finally:
        os.sched_setaffinity(0, processors)


def who_of(pagemap: Pagemap, path: Path, at: int, *words: str) -> Result:
    """The answer about that frame, in which the page lay before and lies still.

    The kernel moves pages where it makes room for huge ones, as other tests ask it to.
    """
    for _ in range(looks.TRIES):
        frame = frame_of(path, at)
        (word,) = page_words.words([frame], "kpageflags")
        if not (word or 0) >> LRU & 1:
            fill_lists(path.with_name("others"))
            continue
        result = pagemap("who", "--pfn", hex(frame), *words)
        if frame_of(path, at) == frame:
            return result
    raise AssertionError("the page never stays where it is")


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_a_cached_page_that_nobody_maps(pagemap: Pagemap, tmp_path: Path) -> None:
    """Its file is named where it is searched for; else it is said where it was not looked."""
    path, at = tmp_path / "cached", 2 * PAGE
    path.write_bytes(b"x" * (3 * PAGE))
    with path.open("rb"):
        code, out, err = who_of(pagemap, path, at)
        assert code == 0, err
        found = f"  file: {path}, offset {at:#x}; of process "
        told = [each for each in out.decode().splitlines() if each.startswith(found)]
        assert len(told) == 1, out
        assert str(os.getpid()) in told[0].removeprefix(found).split(", ")
    (tmp_path / "none").symlink_to("nothing")
    code, out, err = who_of(pagemap, path, at, "--search", str(tmp_path / "none"))
    (line,) = (each for each in err if "need not answer" not in each)  # of a stranger's files
    assert code == 0
    assert "none': No such file" in line
    (tmp_path / "none").unlink()
    lines = out.decode().splitlines()
    assert any(re.match(r"  file: not among \d+ files that were searched \(\d+ ", x) for x in lines)
    assert any(line.startswith("  not searched: files that no process has open") for line in lines)
    code, out, err = who_of(pagemap, path, at, "--search", str(tmp_path), "--json")
    assert code == 0, err
    about = json.loads(out)["about"]
    (frame,) = about["frames"]
    assert frame["kind"] in ("file", "shmem")
    status = path.stat()
    assert frame["file"] == {
        "path": str(path),
        "offset": hex(2 * PAGE),
        "dev": f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}",
        "inode": status.st_ino,
        "deleted": False,
        "pids": [],
    }
    assert about["search"]["unsearched"] == []


def test_frames_of_a_file_that_is_no_snapshot(pagemap: Pagemap, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"data")
    said = [f"pagemap: {path} is no snapshot of pagemap"]
    code, out, err = pagemap("who", str(path), "--pfn", "0x1")
    assert (code, out, err[:1]) == (66, b"", said)


@pytest.mark.parametrize("name", ["nothing", "file/below"])
def test_a_search_in_nothing(pagemap: Pagemap, tmp_path: Path, name: str) -> None:
    """It is refused at once, also where the frame is mapped and no file need be searched."""
    (tmp_path / "file").touch()
    path = str(tmp_path / name)
    said = [f"pagemap: there is no {path!r} to search: give a file or a directory"]
    assert pagemap("who", "--pfn", "0x1", "--search", path) == (66, b"", said)


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_a_free_huge_page(pagemap: Pagemap, start: Start) -> None:
    """Of the pool it is known, and not of which file it may be."""
    target = start(workloads.hugetlb(1))
    pool = target.first
    (entry,) = oracle.entries(target.pid, pool.start, pool.start + PAGE)
    target.stop()
    os.kill(target.pid, signal.SIGKILL)
    workloads.wait_until(lambda: oracle.has_ended(target.pid))
    code, out, _ = pagemap("who", "--pfn", hex(oracle.pfn(entry) or 0))
    assert code == 0
    lines = out.decode().splitlines()
    assert any(line.startswith("  kind: hugetlb_idle: ") for line in lines)
    assert "  not searched: files on hugetlbfs" in lines


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_where_in_its_file_a_page_is(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "mapped"
    path.write_bytes(b"x" * (4 * PAGE))
    target = start(workloads.file_at(os.fsencode(path), 4 * PAGE))
    code, out, err = pagemap("who", target.pid, hex(target.first.start + 2 * PAGE), "--json")
    assert (code, err) == (0, [])
    rows = [row for row in json.loads(out)["rows"] if row["pid"] == target.pid]
    assert {row["file_offset"] for row in rows} == {hex(2 * PAGE)}
    assert {row["path"] for row in rows} == {str(path)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "no frame is given: use TARGET ADDRESS, --pfn N, or --phys ADDRESS"),
        ("{pid}", "say which page of {pid}: TARGET is followed by an ADDRESS"),
        ("{pid} 0 --pfn 1", "give either TARGET ADDRESS, or frames by --pfn and --phys"),
        ("{pid} 7000", "address '7000' can be read in two ways: write 0x7000 if it is hexa"),
        ("--pfn xyz", "malformed PFN 'xyz': give 0x and hexadecimal digits"),
        ("--pfn -1", "malformed PFN '-1'"),
        ("--pfn 0x10000000000000000", "PFN '0x10000000000000000' is out of bounds"),
        ("--phys 1M", "malformed physical address '1M'"),
        ("--pfn 424242", "PFN '424242' can be read in two ways"),
        ("--phys 4096", "physical address '4096' can be read in two ways"),
        ("--pfn 1 --threads 0", "--threads needs a number from 1 on, not '0'"),
        ("--pfn 1 --json --csv", "argument --csv: not allowed with argument --json"),
    ],
)
def test_what_cannot_be_understood(pagemap: Pagemap, unused_pid: int, line: str, said: str) -> None:
    code, out, err = pagemap("who", *line.format(pid=unused_pid).split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said.format(pid=unused_pid)}")


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_a_frame_out_of_range(pagemap: Pagemap) -> None:
    for words in (["--pfn", "0xffffffffffffffff"], ["--phys", "0xffffffffffffffff"]):
        code, out, err = pagemap("who", *words)
        assert (code, out, len(err)) == (2, b"", 1)
        assert "is out of range: the last frame of this machine is 0x" in err[0]


def test_a_page_that_is_not_there(pagemap: Pagemap, start: Start, unused_pid: int) -> None:
    target = start(workloads.untouchable(4 * PAGE))
    code, out, err = pagemap("who", target.pid, hex(target.first.start))
    assert (code, out, len(err)) == (1, b"", 1)
    assert "not present" in err[0]
    code, out, err = pagemap("who", target.pid, "0")
    assert (code, out, len(err)) == (1, b"", 1)
    assert "is in no mapping" in err[0]
    assert pagemap("who", unused_pid, "0")[:2] == (66, b"")


def test_without_rights(unprivileged: Pagemap) -> None:
    code, out, err = unprivileged("who", "--pfn", "1")
    assert (code, out) == (77, b"")
    assert err[0].startswith("pagemap: cannot read /proc/kpageflags: permission denied")
    assert "CAP_DAC_READ_SEARCH" in err[0]
    assert "; 'pagemap maps TARGET --columns rss," in err[0]
