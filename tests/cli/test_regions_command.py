"""`pagemap regions`: ranges of pages against those that the entries, one by one, make up."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests import looks, oracle, workloads

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
    pid: int, any_of: str = "", all_of: str = "", none_of: str = "", tell: str = ""
) -> list[Region]:
    """The regions, made of one page after another."""
    wanted = [text.split(",") if text else [] for text in (any_of, all_of, none_of, tell)]
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


def rows(pid: int, regions: list[Region]) -> list[dict[str, object]]:
    return [
        {
            "pid": pid,
            "start": hex(start),
            "end": hex(end),
            "size": end - start,
            "categories": "|".join(names),
        }
        for start, end, names in regions
    ]


def found(pagemap: Pagemap, *arguments: str | int) -> list[Region]:
    code, out, err = pagemap("regions", *arguments, "--json")
    assert (code, err) == (0, [])
    about = json.loads(out)
    assert about["total"]["size"] == sum(each["size"] for each in about["rows"])
    return [
        (
            int(each["start"], 16),
            int(each["end"], 16),
            each["categories"].split("|") if each["categories"] else [],
        )
        for each in about["rows"]
    ]


def test_what_is_populated(pagemap: Pagemap, stopped: workloads.Target, can_scan: bool) -> None:
    def look() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        code, out, err = pagemap("regions", stopped.pid, "--json")
        assert (code, err) == (0, [])
        about = json.loads(out)
        assert (about["schema"], about["version"]) == ("pagemap.regions", 3)
        assert about["about"]["pid"] == stopped.pid
        return about["rows"], rows(stopped.pid, naive(stopped.pid, any_of="present,swap"))

    assert looks.agreed(look)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("--only swap", {"all_of": "swap"}),
        ("--only file/swap --tell present", {"any_of": "file,swap", "tell": "present"}),
        ("--only present,file", {"all_of": "present,file"}),
        ("--only present --only file", {"all_of": "present,file"}),
        ("--only present,~file", {"all_of": "present", "none_of": "file"}),
        ("--only present --without file", {"all_of": "present", "none_of": "file"}),
        ("--only present/swap --without present", {"any_of": "present,swap", "none_of": "present"}),
        (
            "--only present,file/swap --tell swap,present,file",
            {"all_of": "present", "any_of": "file,swap", "tell": "swap,present,file"},
        ),
    ],
)
def test_queries(
    pagemap: Pagemap,
    stopped: workloads.Target,
    can_scan: bool,
    options: str,
    wanted: dict[str, str],
) -> None:
    looks.agreed(
        lambda: (found(pagemap, stopped.pid, *options.split()), naive(stopped.pid, **wanted))
    )


def test_all_formats_say_the_same(
    pagemap: Pagemap, stopped: workloads.Target, can_scan: bool
) -> None:
    asked = ["--only", "present/swap", "--tell", "file,present"]

    def told(*form: str) -> bytes:
        code, out, err = pagemap("regions", stopped.pid, *asked, *form)
        assert (code, err) == (0, [])
        return out

    def look() -> tuple[list[object], list[object]]:
        expected = naive(stopped.pid, any_of="present,swap", tell="file,present")
        titles, *lines, total = (line.split() for line in told().decode().splitlines())
        assert (titles, total[0]) == (TITLES, "total")
        arrow = pa.ipc.open_stream(told("--format", "arrow")).read_all().to_pydict()
        jsonl = [json.loads(line) for line in told("--format", "jsonl").splitlines()]
        words = ["|".join(names) for _, _, names in expected]
        return [
            told("--csv").decode(),
            [[line[0], line[1], *line[3:]] for line in lines],
            jsonl,
            (arrow["start"], arrow["categories"]),
        ], [
            "pid,start,end,size,categories\n"
            + "".join(
                f"{stopped.pid},{start:#x},{end:#x},{end - start},{'|'.join(names)}\n"
                for start, end, names in expected
            ),
            [
                [hex(start), hex(end), *(["|".join(names)] if names else [])]
                for start, end, names in expected
            ],
            rows(stopped.pid, expected),
            ([start for start, _, _ in expected], words),
        ]

    looks.agreed(look)


def test_what_there_is_of_each_sort(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(3 * MIB))
    target.stop()
    code, out, err = pagemap("regions", target.pid, "--by", "categories", "--json")
    assert (code, err) == (0, [])
    sums: dict[str, int] = {}
    for first, last, names in naive(target.pid, any_of="present,swap"):
        sums["|".join(names)] = sums.get("|".join(names), 0) + last - first
    assert {row["categories"]: row["size"] for row in json.loads(out)["rows"]} == sums


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
        *("--range", f"{first + 5 * PAGE:#x}-{first + 7 * PAGE:#x}"),
        *("--range", f"{first + 9 * PAGE:#x}-{first + 9 * PAGE + 1:#x}"),
        *("--range", f"{first + 2 * PAGE + 1:#x}-{first + 5 * PAGE:#x}"),
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
    code, _, err = pagemap("regions", target.pid, "--only", "guard", "--csv")
    if code == 69:
        pytest.skip(err[0])
    area = target.first
    assert found(pagemap, target.pid, "--only", "guard") == [
        (area.start + at * PAGE, area.start + (at + 1) * PAGE, ["guard"])
        for at in range(1, area.pages, 2)
    ]


@pytest.mark.parametrize("can_scan", ["with PAGEMAP_SCAN"], indirect=True)
def test_what_only_a_scan_tells(pagemap: Pagemap, start: Start, can_scan: bool) -> None:
    target = start(workloads.zero())
    area = target.first
    assert found(pagemap, target.pid, "--only", "pfnzero", "--tell", "present,pfnzero")[0][:2] == (
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
    assert (
        sum(end - start for start, end, _ in found(pagemap, target.pid, "--only", "huge")) == huge
    )
