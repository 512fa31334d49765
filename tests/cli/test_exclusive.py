"""Exclusive pages of huge pages that were forked: by map counts, or who says so is named.

Since Linux 6.15 bit 56 of a page that a PMD maps is that of the first page, for all 512. smaps
counts each page's mappings.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap as library
from tests import oracle, zoo

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start
    from tests.workloads import Target

PAGE = oracle.PAGE


@pytest.fixture(params=[b"writes", b"keeps"], ids=["child writes", "child keeps"])
def forked(request: pytest.FixtureRequest, start: Start) -> Target:
    """A process with huge pages; of each a child wrote the first page, or kept no other."""
    target = start(zoo.forked_thp(request.param))
    target.stop()
    return target


def private(target: Target) -> int:
    """What smaps says is mapped by the target alone, in bytes."""
    accounts = oracle.parse_smaps(Path(f"/proc/{target.pid}/smaps").read_bytes())
    (account,) = (each for each in accounts if each.start <= target.first.start < each.end)
    sizes = account.sizes
    return sizes["Private_Clean"] + sizes["Private_Dirty"]


def test_maps(pagemap: Pagemap, forked: Target, need_pfns: None, can_scan: bool) -> None:
    """`maps` said 30 MiB where smaps said 92 KiB, and 36 KiB where smaps said 30.7 MiB."""
    code, out, err = pagemap("maps", forked.pid, "--json")
    assert (code, err) == (0, [])
    about = json.loads(out)
    (each,) = (
        each
        for each in about["rows"]
        if int(each["start"], 16) <= forked.first.start < int(each["end"], 16)
    )
    assert each["uss"] == private(forked)
    assert about["about"]["uss_by"] == "map count"


@pytest.mark.parametrize("populated", [[], ["--populated"]], ids=["all", "populated"])
@pytest.mark.parametrize("chosen", ["--only", "--without"])
def test_dump(
    pagemap: Pagemap, forked: Target, need_pfns: None, populated: list[str], chosen: str
) -> None:
    """`dump --only exclusive` listed all pages of a huge page, or none."""
    area = f"{forked.first.start:#x}-{forked.first.end:#x}"
    arguments = ["--range", area, chosen, "exclusive", "--format", "csv", *populated]
    code, out, err = pagemap("dump", forked.pid, *arguments)
    assert (code, err) == (0, [])
    header, *rows = oracle.read_csv(out)
    exclusive = private(forked) // PAGE
    expected = exclusive if chosen == "--only" else forked.first.pages - exclusive
    assert 0 < exclusive < forked.first.pages
    assert len(rows) == expected
    assert {row[header.index("exclusive")] for row in rows} == {str(int(chosen == "--only"))}


@pytest.mark.parametrize("populated", [[], ["--populated"]], ids=["all", "populated"])
def test_the_column_of_dump(
    pagemap: Pagemap, forked: Target, need_pfns: None, populated: list[str]
) -> None:
    """Without a filter the column was the first page's word: 4106 pages where smaps said 18."""
    area = f"{forked.first.start:#x}-{forked.first.end:#x}"
    words = ["dump", str(forked.pid), "--range", area, *populated, "--format"]
    code, out, err = pagemap(*words, "csv")
    assert (code, err) == (0, [])
    header, *rows = oracle.read_csv(out)
    at = header.index("exclusive")
    assert sum(row[at] == "1" for row in rows) * PAGE == private(forked)
    code, out, err = pagemap(*words, "jsonl")
    assert (code, err) == (0, [])
    lines = [json.loads(line) for line in out.splitlines()]
    assert sum(bool(line.get("exclusive")) for line in lines) * PAGE == private(forked)


def test_a_stream_says_by_what(forked: Target, need_pfns: None) -> None:
    """Columns did not say whose word `exclusive` is."""
    with library.Process(forked.pid) as process:
        assert process.columns().about["exclusive_by"] == "map count"
        assert process.columns(["pfn"], only=["exclusive"]).about["exclusive_by"] == "map count"
        assert "exclusive_by" not in process.columns(["pfn"]).about
        process.pfns_visible = False
        assert process.columns().about["exclusive_by"] == "page table"


@pytest.mark.parametrize(
    "line",
    ["maps --json", "dump --only exclusive --populated", "dump --populated --format csv"],
)
def test_without_rights(forked: Target, need_root: None, line: str) -> None:
    """Where map counts cannot be read it is said whose word it is."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv, to be without CAP_SYS_ADMIN, is missing (util-linux)")
    command, *options = line.split()
    done = subprocess.run(
        [
            *(setpriv, "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"),
            *(sys.executable, "-m", "pagemap", command, str(forked.pid), *options),
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    column = "USS" if command == "maps" else "EXCLUSIVE"
    assert f"pagemap: {column} of ".encode() in done.stderr
    assert b" in huge pages is taken from the page table" in done.stderr
    if command == "maps":
        assert json.loads(done.stdout)["about"]["uss_by"] == "page table"
