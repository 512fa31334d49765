"""`pagemap maps`: what it counts, against entries one by one and against smaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pagemap._kernel import features
from pagemap._vocabulary.rows.tally import COUNTS
from tests import held, looks, oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE

KINDS: dict[str, workloads.Maker] = {
    name: workloads.KINDS[name]
    for name in ("dense", "file", "odd_path", "shared", "thp", "swapped", "guard", "zero", "bash")
} | {"uffd_wp": workloads.uffd_wp, "many": lambda: workloads.many(3000)}


@pytest.fixture(params=KINDS)
def stopped(request: pytest.FixtureRequest, start: Start) -> workloads.Target:
    target = start(KINDS[request.param]())
    target.stop()
    return target


def document(pagemap: Pagemap, pid: int, *more: str) -> dict[str, Any]:
    code, out, err = pagemap("maps", pid, "--json", *more)
    if not oracle.counts_mappings():  # then it says so where there are huge pages
        err = [line for line in err if "is taken from the page table" not in line]
    assert (code, err) == (0, [])
    about: dict[str, Any] = json.loads(out)
    return about


def smaps(pid: int) -> list[oracle.Smaps]:
    return oracle.parse_smaps(Path(f"/proc/{pid}/smaps").read_bytes())


def unknown(can_scan: bool) -> set[str]:
    """The counts that this kernel and these rights do not tell."""
    names = set() if can_scan else {"huge"}
    if not features.bits(wanted=1 << 55):
        names.add("soft_dirty")
    if not can_scan and not (oracle.pfns_visible() and oracle.may_read("/proc/kpageflags")):
        names.add("zero")
    return names


def test_every_mapping(pagemap: Pagemap, stopped: workloads.Target, can_scan: bool) -> None:
    """Soft-dirty was 0 on a kernel that does not track it."""
    names = ["rss", "swap", "anon", "file", "shmem", "uss", "huge", "present", "zero"]
    names += ["hugetlb", "uffd_wp", "guard"]
    devices = held.shmem_devices()

    def expected(line: oracle.MapsLine, account: oracle.Smaps) -> dict[str, object]:
        entries = oracle.entries(stopped.pid, line.start, line.end)
        counts = held.parted(held.held(account, entries), line, devices)
        return {
            "start": hex(line.start),
            "path": oracle.in_json(line.path),
            **{name: counts[name] for name in names},
            **dict.fromkeys(unknown(can_scan)),
        }

    def look() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        found = document(pagemap, stopped.pid)["rows"]
        wanted = list(map(expected, oracle.maps(stopped.pid), smaps(stopped.pid)))
        return [{name: row[name] for name in wanted[0]} for row in found], wanted

    looks.agreed(look)


def test_totals_are_the_sums(pagemap: Pagemap, stopped: workloads.Target, can_scan: bool) -> None:
    about = document(pagemap, stopped.pid)
    for name in ("size", *COUNTS):
        column = [each[name] for each in about["rows"]]
        expected = None if name in unknown(can_scan) else sum(column)
        assert about["total"][name] == expected, name


def test_totals_are_those_of_smaps(
    pagemap: Pagemap, stopped: workloads.Target, can_scan: bool
) -> None:
    of_devices = [each for each in smaps(stopped.pid) if each.flags & held.OF_DEVICES]
    assert not any(
        oracle.counts(oracle.entries(stopped.pid, each.start, each.end))["present"]
        for each in of_devices
    )

    def look() -> tuple[list[int], list[int]]:
        totals = document(pagemap, stopped.pid)["total"]
        sums = oracle.smaps_rollup(stopped.pid)
        return [totals[name] for name in ("rss", "anon", "swap", "hugetlb")], [
            *(sums["Rss"], sums["Anonymous"], sums["Swap"]),
            sums["Shared_Hugetlb"] + sums["Private_Hugetlb"],
        ]

    looks.agreed(look)


def test_hugetlb(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    """Hugetlb was anonymous memory and RSS, which for the kernel it is not."""
    target = start(workloads.hugetlb())
    area = target.first
    found = document(pagemap, target.pid)["rows"]
    (each,) = (each for each in found if each["start"] == hex(area.start))
    assert each["present"] == each["hugetlb"] == area.pages * PAGE
    assert each["rss"] == each["anon"] == each["uss"] == 0
    assert each["huge"] == (area.pages * PAGE if can_scan else None)


def test_csv_says_the_same(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.odd_path())
    target.stop()
    keep = "start,end,size,present,swap,anon,file,huge,guard,perms,offset,dev,"
    keep += "inode,path"
    if not can_scan:
        keep = keep.replace("huge,", "")
    expected = document(pagemap, target.pid, "--columns", keep)["rows"]
    code, out, err = pagemap("maps", target.pid, "--columns", keep, "--csv")
    assert (code, err) == (0, [])
    header, *rows = oracle.read_csv(out)
    assert header == keep.split(",")
    assert [dict(zip(header, row, strict=True)) for row in rows] == [
        {
            name: oracle.cell(str(value)) if name == "path" else str(value)
            for name, value in e.items()
        }
        for e in expected
    ]


def test_csv_of_all_columns(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.dense())
    target.stop()
    header, *rows = oracle.read_csv(pagemap("maps", target.pid, "--csv").out)
    about = document(pagemap, target.pid)["rows"]
    assert header == list(about[0])
    assert set(COUNTS) < set(header)
    at = header.index("huge")
    assert {row[at] == "" for row in rows} == {not can_scan}
    assert len(rows) == len(about)


def test_a_path_of_any_bytes_in_csv(pagemap: Pagemap, start: Start) -> None:
    name = b'a,"b"\n\xff'
    target = start(workloads.file(4 * PAGE, name))
    rows = oracle.read_csv(pagemap("maps", target.pid, "--csv", "--columns", "path").out)
    assert sum(row[0].endswith(r'a,"b"\012\377') for row in rows[1:]) == 3


def test_what_is_unknown_is_a_dash(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.idle())
    lines = pagemap("maps", target.pid).out.decode().splitlines()
    end = lines[0].index("  HUGE  ") + len("  HUGE")
    cells = {line[:end].split()[-1] for line in lines[1:-1]}
    assert cells == ({"0"} if can_scan else {"-"})
