"""`pagemap regions`: ranges of pages against those that the entries, one by one, make up."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20
TITLES = ["START", "END", "SIZE", "CATEGORIES"]
# The categories that an entry tells, in the order of their bits, by the names of its flags.
TOLD = {"file": "file_or_shared", "present": "present", "swap": "swapped"}
KINDS: dict[str, workloads.Maker] = {
    "sparse": lambda: workloads.sparse(16 * MIB, MIB),
    "swapped": workloads.swapped,
    "file": workloads.file,
    "shared": workloads.shared,
    "thp": workloads.thp,
    "zero": workloads.zero,
    "many": lambda: workloads.many(1000),
}

Region = tuple[int, int, list[str]]


@pytest.fixture(params=KINDS)
def stopped(request: pytest.FixtureRequest, start: Start) -> workloads.Target:
    target = start(KINDS[request.param]())
    target.stop()
    return target


def naive(
    pid: int, any_of: str = "", all_of: str = "", none_of: str = "", show: str = ""
) -> list[Region]:
    """The regions, made of one page after another."""
    wanted = [text.split(",") if text else [] for text in (any_of, all_of, none_of, show)]
    regions: list[Region] = []
    for line in oracle.maps(pid):
        if line.label.startswith(b"[vvar"):
            continue  # of no struct page: a scan passes over it
        for at, entry in enumerate(oracle.entries(pid, line.start, line.end)):
            here = [name for name, flag in TOLD.items() if oracle.has(entry, flag)]
            some, every, none, shown = wanted
            if some and not set(some) & set(here):
                continue
            if set(every) - set(here) or set(none) & set(here):
                continue
            names = [name for name in here if name in (shown or some + every)]
            address = line.start + at * PAGE
            if regions and regions[-1][1:] == (address, names):
                regions[-1] = regions[-1][0], address + PAGE, names
            else:
                regions.append((address, address + PAGE, names))
    return regions


def document(pid: int, regions: list[Region]) -> dict[str, object]:
    return {
        "schema": "pagemap.regions/2",
        "pid": pid,
        "regions": [
            {"start": hex(start), "end": hex(end), "size": end - start, "categories": names}
            for start, end, names in regions
        ],
    }


def found(pagemap: Pagemap, *arguments: str | int) -> list[Region]:
    code, out, err = pagemap("regions", *arguments, "--json")
    assert (code, err) == (0, [])
    about = json.loads(out)
    return [
        (int(each["start"], 16), int(each["end"], 16), each["categories"])
        for each in about["regions"]
    ]


def test_what_is_populated(pagemap: Pagemap, stopped: workloads.Target, can_scan: bool) -> None:
    code, out, err = pagemap("regions", stopped.pid, "--json")
    assert (code, err) == (0, [])
    expected = naive(stopped.pid, any_of="present,swap")
    assert expected
    assert json.loads(out) == document(stopped.pid, expected)


@pytest.mark.parametrize(
    "wanted",
    [
        {"any_of": "swap"},
        {"any_of": "file,swap", "show": "present"},
        {"all_of": "present,file"},
        {"all_of": "present", "none_of": "file"},
        {"any_of": "present,swap", "none_of": "present"},
        {"all_of": "present", "any_of": "file,swap", "show": "swap,present,file"},
    ],
    ids=str,
)
def test_queries(
    pagemap: Pagemap, stopped: workloads.Target, can_scan: bool, wanted: dict[str, str]
) -> None:
    options = [f"--{name.removesuffix('_of')}={text}" for name, text in wanted.items()]
    assert found(pagemap, stopped.pid, *options) == naive(stopped.pid, **wanted)


def test_text_and_csv_say_the_same(
    pagemap: Pagemap, stopped: workloads.Target, can_scan: bool
) -> None:
    show = ["--any", "present,swap", "--show", "file,present"]
    expected = naive(stopped.pid, any_of="present,swap", show="file,present")
    code, out, err = pagemap("regions", stopped.pid, *show, "--csv")
    assert (code, err) == (0, [])
    assert out.decode() == "start,end,size,categories\n" + "".join(
        f"{start:#x},{end:#x},{end - start},{'|'.join(names)}\n" for start, end, names in expected
    )
    code, out, err = pagemap("regions", stopped.pid, *show)
    assert (code, err) == (0, [])
    lines = [line.split() for line in out.decode().splitlines()]
    assert lines[0] == TITLES
    assert [[line[0], line[1], line[3]] for line in lines[1:]] == [
        [hex(start), hex(end), ",".join(names) or "-"] for start, end, names in expected
    ]


def test_sizes_are_short(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(3 * MIB // 2))
    where = f"{target.first.start:#x}-{target.first.end:#x}"
    out = pagemap("regions", target.pid, "--range", where).out.decode()
    assert out.splitlines()[1].split() == [*where.split("-"), "1.5M", "present"]


def test_ranges_widen_and_join(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.dense(16 * PAGE))
    target.stop()
    first = target.first.start
    ranges = [
        *("--range", f"{first + 5 * PAGE:x}-{first + 7 * PAGE:x}"),
        *("--range", f"{first + 9 * PAGE:x}-{first + 9 * PAGE + 1:x}"),
        *("--range", f"{first + 2 * PAGE + 1:x}-{first + 5 * PAGE:x}"),
    ]
    assert found(pagemap, target.pid, *ranges) == [
        (first + 2 * PAGE, first + 7 * PAGE, ["present"]),
        (first + 9 * PAGE, first + 10 * PAGE, ["present"]),
    ]
    assert found(pagemap, target.pid, *ranges, "--max-pages", "5")[1:] == []
    assert found(pagemap, target.pid, *ranges, "--max-pages", "3") == [
        (first + 2 * PAGE, first + 5 * PAGE, ["present"])
    ]
    assert found(pagemap, target.pid, *ranges, "--max-pages", "6")[1:] == [
        (first + 9 * PAGE, first + 10 * PAGE, ["present"])
    ]


def test_guard_regions(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.guard())
    code, _, err = pagemap("regions", target.pid, "--any", "guard", "--csv")
    if code == 69:
        pytest.skip(err[0])
    area = target.first
    assert found(pagemap, target.pid, "--any", "guard") == [
        (area.start + at * PAGE, area.start + (at + 1) * PAGE, ["guard"])
        for at in range(1, area.pages, 2)
    ]


@pytest.mark.parametrize("can_scan", ["with PAGEMAP_SCAN"], indirect=True)
def test_what_only_a_scan_tells(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.zero())
    area = target.first
    assert found(pagemap, target.pid, "--all", "pfnzero", "--show", "present,pfnzero")[0][:2] == (
        area.start,
        area.end,
    )
    target = start(workloads.thp())
    target.stop()
    smaps = Path(f"/proc/{target.pid}/smaps").read_bytes()
    huge = 1024 * sum(
        map(int, re.findall(rb"^(?:AnonHugePages|\w+PmdMapped): +(\d+)", smaps, re.MULTILINE))
    )
    assert huge
    assert sum(end - start for start, end, _ in found(pagemap, target.pid, "--any", "huge")) == huge
