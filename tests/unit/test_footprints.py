"""Footprints of all processes of a made-up /proc."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import pagemap
from pagemap._kernel import meminfo
from pagemap._kernel.folder import Folder
from tests.unit import fake_proc
from tests.unit.test_smaps import RECORD, ROLLUP

if TYPE_CHECKING:
    from pathlib import Path

KIB = 1024
# What a line of smaps is part of.
PARTS = {
    "Rss": ["rss", "file"],
    "Pss": ["pss", "share"],
    "Anonymous": ["anon", "file"],
    "Shared_Clean": ["shared_clean", "shared", "clean"],
    "Shared_Dirty": ["shared_dirty", "shared", "dirty"],
    "Private_Clean": ["private_clean", "uss", "clean"],
    "Private_Dirty": ["private_dirty", "uss", "dirty"],
    "AnonHugePages": ["thp", "anon_huge"],
    "Shared_Hugetlb": ["shared_hugetlb", "hugetlb"],
    "Private_Hugetlb": ["private_hugetlb", "hugetlb"],
    "Swap": ["swap"],
    "SwapPss": ["swap_pss"],
    "Locked": ["locked"],
    "LazyFree": ["lazyfree"],
    "Referenced": ["referenced"],
}


def process(root: Path, pid: int, *, stat: str = fake_proc.ORDINARY, **files: bytes) -> None:
    # auxiliary vectors that are alike are compared by kcmp, which knows nothing of these
    fake_proc.make(
        root, pid=pid, stat=stat, auxv=b"" if stat != fake_proc.ORDINARY else b"%d" % pid
    )
    for name, data in {"status": b"Name:\tfake\nRssShmem:\t 8 kB\n", **files}.items():
        (root / str(pid) / name).write_bytes(data)


def table(root: Path, **asked: Any) -> pagemap.Table[Any]:
    made: pagemap.Table[Any] = pagemap.footprints(procfs=str(root), **asked)
    return made


def reasons(made: pagemap.Table[Any]) -> list[tuple[int, str | None, str]]:
    left_out: Any = made.about["left_out"]
    return [(each["pid"], each["name"], each["reason"]) for each in left_out]


def test_a_row_is_what_smaps_says(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 3850 kB\n")
    process(tmp_path, 10, smaps_rollup=ROLLUP + b"ShmemPmdMapped: 0 kB\nFilePmdMapped: 0 kB\n")
    (row,) = table(tmp_path)
    kib = {
        "rss": 884,
        "anon": 68,
        "file": 884 - 68 - 8,
        "shmem": 8,
        "pss": 385,
        "uss": 188,
        "swap": 8,
        "swap_pss": 4,
        "shared": 696,
        "dirty": 68,
        "clean": 816,
        "shared_clean": 696,
        "shared_dirty": 0,
        "private_clean": 120,
        "private_dirty": 68,
        "thp": 0,
        "hugetlb": 6144,
        "shared_hugetlb": 2048,
        "private_hugetlb": 4096,
        "locked": 385,
        "lazyfree": 0,
        "referenced": 884,
    }
    wanted = {
        **{name: size * KIB for name, size in kib.items()},
        "pid": 10,
        "sharers": None,  # kcmp knows the pids of /proc alone
        "hugetlb_pss": None,  # how often it is mapped, nobody tells
        "share": 0.1,
        "name": "fake",
        **dict.fromkeys(("user", "cgroup", "cmdline")),
        **dict.fromkeys(("size", "page_tables", "oom_score", "ksm")),  # no line has them
    }
    assert {name: getattr(row, name) for name in wanted} == wanted


def test_hugetlb_that_nobody_shares(tmp_path: Path) -> None:
    rollup = ROLLUP.replace(b"Shared_Hugetlb:     2048", b"Shared_Hugetlb:        0")
    process(tmp_path, 10, smaps_rollup=rollup)
    assert table(tmp_path)[0].hugetlb_pss == 4096 * KIB


def test_what_is_no_sum(tmp_path: Path) -> None:
    """A flag that is new keeps its letters; of what has no line, or no number, nothing is known."""
    sizes = b"".join(RECORD.splitlines(keepends=True)[1:-1])
    last = [
        b"THPeligible:    1\nProtectionKey:         3\nVmFlags: rd zz ?? sl \n",
        b"THPeligible:    0\nProtectionKey:         0\nVmFlags: \n",
        b"THPeligible:    x\nProtectionKey:        -1\nVmFlags: rd\n",
        b"VmFlags: ht\n",
    ]
    starts = range(0x7F0000000000, 0x7F0000004000, 0x1000)
    process(
        tmp_path,
        10,
        smaps=b"".join(
            b"%x-%x r--s 00000000 fe:00 77   /a\n%s%s" % (start, start + 0x1000, sizes, lines)
            for start, lines in zip(starts, last, strict=True)
        ),
    )
    rows = table(tmp_path, by="mapping")
    assert list(rows["vm_flags"]) == ["read zz ?? sealed", "", "read", "hugetlb"]
    assert [row.protection_key for row in rows] == [3, 0, None, None]
    assert [row.thp_eligible for row in rows] == [True, False, None, None]


@pytest.mark.parametrize("lacking", PARTS)
def test_a_line_that_a_kernel_lacks_is_not_known_and_not_0(tmp_path: Path, lacking: str) -> None:
    """Rss and Pss of qemu-user, SwapPss before Linux 4.3, hugetlb before 4.4."""
    (tmp_path / "meminfo").write_text("MemTotal: 3850 kB\n")
    whole = ROLLUP + b"FilePmdMapped: 0 kB\n"
    lines = [line for line in whole.split(b"\n") if not line.startswith(lacking.encode() + b":")]
    process(tmp_path, 10, smaps_rollup=whole)
    process(tmp_path, 11, smaps_rollup=b"\n".join(lines))
    head = RECORD.split(b"\n")[0]
    process(tmp_path, 12, smaps=b"\n".join([head, *lines[1:]]))
    before, *rows = table(tmp_path)
    for row in rows:
        known = before._asdict() | {"pid": row.pid}
        gone = {*PARTS[lacking], *(["shmem"] if lacking in ("Rss", "Anonymous") else [])}
        if lacking in ("Private_Hugetlb", "Shared_Hugetlb"):
            gone.add("hugetlb_pss")
        assert row._asdict() == known | dict.fromkeys(gone), lacking


def test_who_is_left_out(tmp_path: Path) -> None:
    process(tmp_path, 10, smaps_rollup=ROLLUP)
    process(tmp_path, 11, stat=fake_proc.KERNEL_THREAD, smaps_rollup=b"")
    process(tmp_path, 12, stat=fake_proc.ZOMBIE, smaps_rollup=b"")
    process(tmp_path, 14, smaps_rollup=ROLLUP, comm=b"two\nlines\n")
    made = table(tmp_path, pids=[10, 11, 12, 13, 14])
    assert [(row.pid, row.name, row.rss) for row in made] == [
        (10, "fake", 884 * KIB),
        (14, "two\nlines", 884 * KIB),
    ]
    assert reasons(made) == [
        (11, "fake", "a kernel thread has no memory of its own"),
        (12, "fake", "ended or called exec meanwhile"),
        (13, None, "ended or called exec meanwhile"),
    ]
    assert made.about["complete"] is False
    everyone = table(tmp_path)  # nothing was left out that has memory
    assert ([row.pid for row in everyone], reasons(everyone)) == ([10, 14], [])


def test_no_pids_are_none(tmp_path: Path) -> None:
    process(tmp_path, 10, smaps_rollup=ROLLUP)
    assert len(table(tmp_path, pids=[])) == 0


def test_who_forbids_reading(tmp_path: Path) -> None:
    process(tmp_path, 10, smaps_rollup=ROLLUP)
    process(tmp_path, 11, smaps_rollup=ROLLUP)
    process(tmp_path, 12, stat=fake_proc.KERNEL_THREAD)
    really_open = Folder.open

    def refuse(folder: Folder, name: str, *more: Any) -> int:
        if folder.pid in (10, 12) and name == "smaps_rollup":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return really_open(folder, name, *more)

    with mock.patch.object(Folder, "open", refuse):
        made = table(tmp_path)
    assert [row.pid for row in made] == [11]
    assert reasons(made) == [(10, "fake", "permission denied")]


def test_a_kernel_without_rollups(tmp_path: Path) -> None:
    process(tmp_path, 10, smaps=RECORD + RECORD.replace(b"7f00000", b"7f00001"))
    (row,) = table(tmp_path)
    assert (row.rss, row.pss, row.swap_pss) == (16384, 8192, None)
    assert (row.uss, row.shared) == (0, 16384)


def mapped(first: int, last: int, kib: int) -> bytes:
    """A mapping of smaps, of which `kib` are resident."""
    return fake_proc.line(first, last) + b"Rss: %d kB\nPss: %d kB\nVmFlags: rd\n" % (kib, kib)


@pytest.mark.parametrize(
    ("shown", "counted"),
    [
        # all merged after the second was read
        ([(16, 17, 4), (17, 18, 4), (16, 32, 64)], [(16, 32, 64)]),
        # what is below the merged one stays
        (
            [(8, 9, 4), (16, 17, 4), (17, 18, 4), (17, 32, 60)],
            [(8, 9, 4), (16, 17, 4), (17, 32, 60)],
        ),
        # and what lies above is not known where one of them began before
        ([(8, 9, 4), (16, 24, 32), (20, 32, 48)], [(8, 9, 4), (16, 24, 32), (24, 32, None)]),
        # nothing above
        ([(16, 24, 32), (20, 24, 16), (24, 25, 4)], [(16, 24, 32), (24, 25, 4)]),
    ],
)
def test_mappings_that_merge_meanwhile_are_counted_once(
    tmp_path: Path, shown: list[tuple[int, int, int]], counted: list[tuple[int, int, int | None]]
) -> None:
    process(tmp_path, 10, smaps=b"".join(mapped(*each) for each in shown))
    expected = [
        (start * fake_proc.PAGE_SIZE, end * fake_proc.PAGE_SIZE, kib and kib * KIB)
        for start, end, kib in counted
    ]
    made = table(tmp_path, by="mapping")
    assert [(row.start, row.end, row.rss) for row in made] == expected
    known = [kib for *_, kib in counted if kib is not None]
    whole = sum(known) * KIB if len(known) == len(counted) else None
    assert made.total().rss == whole
    assert table(tmp_path)[0].rss == whole  # where there is no smaps_rollup
    with pagemap.Process(10, procfs=str(tmp_path)) as one:
        assert [row.rss for row in one.footprints()] == [row.rss for row in made]


def test_mappings_that_overlap_are_read_again(tmp_path: Path) -> None:
    process(tmp_path, 10, smaps=mapped(16, 24, 32) + mapped(20, 32, 48))
    really_open = Folder.open

    def settle(folder: Folder, name: str, *more: Any) -> int:
        fd = really_open(folder, name, *more)
        if name == "smaps":
            (tmp_path / "10" / "settled").write_bytes(mapped(16, 20, 16) + mapped(20, 32, 48))
            (tmp_path / "10" / "settled").rename(tmp_path / "10" / "smaps")
        return fd

    with mock.patch.object(Folder, "open", settle):
        made = table(tmp_path, by="mapping")
    assert [row.rss for row in made] == [16 * KIB, 48 * KIB]


def test_a_kernel_without_sums(tmp_path: Path) -> None:
    process(tmp_path, 10)
    with pytest.raises(pagemap.Unsupported, match="CONFIG_PROC_PAGE_MONITOR") as caught:
        table(tmp_path)
    assert caught.value.path == f"{tmp_path}/10/smaps"


def test_what_costs_more_is_read_where_it_is_named(tmp_path: Path) -> None:
    process(
        tmp_path,
        10,
        smaps_rollup=ROLLUP,
        status=b"Name:\tRssShmem:\nUid:\t7\t4294967294\t7\t7\nRssShmem:\t4 kB\n",
        cmdline=b"/bin/some thing\0-x\0\0",
        cgroup=b"12:cpu:/cpu\n3:memory,hugetlb:/of memory\n0::/unified\n",
    )
    process(
        tmp_path,
        11,
        smaps_rollup=ROLLUP,
        cgroup=b"0::/unified:1\n",
        status=b"Name:\tx\nVmRSS:\t4 kB\n",
    )
    names = ["pid", "user", "cgroup", "cmdline", "shmem"]
    assert [tuple(row) for row in table(tmp_path, names=names)] == [
        (10, "4294967294", "/of memory", "/bin/some thing -x", 4096),
        (11, None, "/unified:1", None, None),
    ]
    assert table(tmp_path, names=names).schema.names == tuple(names)
    with pytest.raises(pagemap.UsageError, match="knows no 'rs'"):
        table(tmp_path, names=["rs"])
    with pytest.raises(pagemap.UsageError, match="by is one of process, mapping, path, not 'x'"):
        table(tmp_path, by="x")
    with pytest.raises(pagemap.UsageError, match="not both"):
        table(tmp_path, pids=[1], cgroup="/")


def test_one_that_ends_between_its_sums_and_its_status(tmp_path: Path) -> None:
    """Its file and shmem were unknown, and so were the totals of all."""
    process(tmp_path, 10, smaps_rollup=ROLLUP)
    process(tmp_path, 11, smaps_rollup=ROLLUP, status=b"Name:\tx\nState:\tZ (zombie)\n")
    made = table(tmp_path)
    assert [row.pid for row in made] == [10]
    assert [each[0] for each in reasons(made)] == [11]
    assert made.total().shmem == 8 * KIB


@pytest.mark.parametrize("pids", [1234, "1234"])
def test_pids_are_several(pids: Any) -> None:
    """An int said that it is not iterable, and not what is."""
    with pytest.raises(TypeError, match="pids must be an iterable of pids"):
        pagemap.footprints(pids)


def test_the_memory_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       24683656 kB\nMemFree: 1 kB\n")
    procfs = str(tmp_path)
    assert meminfo.amount("MemTotal", procfs=procfs) == 24683656 * 1024
    assert meminfo.amount("MemFree", procfs=procfs) == 1024
    assert meminfo.amount("MemAvailable", procfs=procfs) is None
    for text in ("", "MemTotal:\n", "MemTotal: much kB\n", "MemTotal"):
        (tmp_path / "meminfo").write_text(text)
        assert meminfo.amount("MemTotal", procfs=procfs) is None
    (tmp_path / "meminfo").unlink()
    assert meminfo.amount("MemTotal", procfs=procfs) is None
