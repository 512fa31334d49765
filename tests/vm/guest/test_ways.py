"""With PAGEMAP_SCAN and without: which way is gone here, and the same answers about soft-dirty."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle
from tests.live import scanning
from tests.vm.guest.dirty import MARK, PAGES, PRESENT

if TYPE_CHECKING:
    from tests.vm.guest.conftest import Facts
    from tests.vm.guest.dirty import Dirty


@pytest.fixture(params=[True, False], ids=["scan", "entries"])
def scan(request: pytest.FixtureRequest, facts: Facts) -> bool:
    if request.param and not facts.scan:
        pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
    return bool(request.param)


def test_the_way(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    with pagemap.Process("self") as process:
        assert process.can_scan == facts.scan
        assert not process.can_find("guard")
        assert process.can_find("huge") == facts.scan
    monkeypatch.setenv("PAGEMAP_DISABLE", "scan")
    with pagemap.Process("self") as process:
        assert not process.can_scan


@pytest.mark.parametrize("category", ["huge", "written", "pfnzero"])
def test_what_only_a_scan_finds(category: str, facts: Facts) -> None:
    with pagemap.Process("self") as process:
        if facts.scan:
            list(process.regions(only=[category]))
            return
        with pytest.raises(pagemap.Unsupported, match=r"since Linux 6\.7") as caught:
            list(process.regions(only=[category]))
        assert category in str(caught.value)


def test_guard_regions_are_unknown(facts: Facts) -> None:
    with pagemap.Process("self") as process:
        assert process.can_scan == facts.scan
        with pytest.raises(pagemap.Unsupported, match=r"guard.* Linux 6\.15"):
            list(process.regions(only=["guard"]))


def check(dirty: Dirty, *, scan: bool) -> None:
    """Regions, tallies and rows say of every area what its entries, read one by one, say."""
    with scanning.opened(dirty.process, scan=scan) as process:
        tallies = {row.start: row for row in process.tally(["present", "soft_dirty"])}
        brief = {row.start: row for row in process.tally(["soft_dirty"])}
        for name, area in dirty.areas.items():
            entries = dirty.entries(name)
            wanted = [area.start + i * oracle.PAGE for i, e in enumerate(entries) if e & MARK]
            regions = process.regions(only=["soft_dirty"], ranges=[(area.start, area.end)]).rows()
            found = [at for each in regions for at in range(each.start, each.end, oracle.PAGE)]
            assert found == wanted, name
            there = sum(entry & PRESENT != 0 for entry in entries)
            dirty_bytes = len(wanted) * oracle.PAGE
            assert tallies[area.start].soft_dirty == brief[area.start].soft_dirty == dirty_bytes
            sizes = tallies[area.start].size, tallies[area.start].present
            assert sizes == (PAGES * oracle.PAGE, there * oracle.PAGE)
        file = io.BytesIO()
        pagemap.dump(process, file, populated=True)
    header, *rows = oracle.textbook(dirty.pid).splitlines(keepends=True)
    populated = [row for row in rows if b"1" in row.split(b" ", 6)[4:6]]
    same = file.getvalue() == header + b"".join(populated)
    assert same, "the populated rows are not those of the textbook"


def test_new_memory(dirty: Dirty, scan: bool) -> None:
    check(dirty, scan=scan)


def test_memory_written_since(dirty: Dirty, scan: bool) -> None:
    dirty.clear()
    check(dirty, scan=scan)
    dirty.write()
    check(dirty, scan=scan)
