"""At 40 columns every table still shows what it is about."""

from __future__ import annotations

import pytest

from pagemap._render.fitting import fitting
from tests.contract.test_column_units import SCHEMAS

ABOUT = {
    "pagemap.cache": "cached path",
    "pagemap.cache.open": "cached path",
    "pagemap.cache.charged": "path cgroup cached",
    "pagemap.cache.cgroups": "cgroup cached",
    "pagemap.contents": "moment pid",
    "pagemap.diff": "start kind",
    "pagemap.diff.paths": "kind path",
    "pagemap.diff.kinds": "kind amount",
    "pagemap.diff.regions": "start size",
    "pagemap.doctor": "name ok",
    "pagemap.footprints": "pid pss name",
    "pagemap.footprints.mappings": "start pss",
    "pagemap.footprints.paths": "pss path",
    "pagemap.frame_files": "pfn offset",
    "pagemap.freed": "group frees",
    "pagemap.huge": "start thp path",
    "pagemap.huge.processes": "pid thp",
    "pagemap.mappings": "start end",
    "pagemap.measure": "rss_change path",
    "pagemap.memory.kinds": "kind size",
    "pagemap.memory.zones": "node zone size",
    "pagemap.memory.nodes": "node size",
    "pagemap.memory.orders": "zone order block",
    "pagemap.memory.blocks": "zone block blocks",
    "pagemap.memory.figures": "name kernel counted",
    "pagemap.memory.swaps": "path size",
    "pagemap.memory.cgroups": "size cgroup",
    "pagemap.memory.groups": "group mapped_by size",
    "pagemap.memory.blockers": "pfn kinds",
    "pagemap.memory.runs": "pfn size",
    "pagemap.nodes": "start node resident",
    "pagemap.who": "pid address pfn",
    "pagemap.types": "flags pages",
    "pagemap.page-runs": "address pfn pages",
    "pagemap.flags": "bit name",
    "pagemap.regions": "start end size",
    "pagemap.samples": "time rss",
    "pagemap.segments": "start end size",
    "pagemap.sharing.total": "shared saved",
    "pagemap.sharing.processes": "pid shared",
    "pagemap.sharing.pairs": "pid other_pid shared",
    "pagemap.sharing.groups": "pids shared",
    "pagemap.sharing.paths": "shared path",
    "pagemap.sharing.frames": "pfn processes",
    "pagemap.sharing.by.total": "shared within saved",
    "pagemap.sharing.by.groups": "group shared",
    "pagemap.sharing.by.pairs": "group other_group shared",
    "pagemap.sharing.by.sets": "groups shared",
    "pagemap.sharing.by.paths": "shared path",
    "pagemap.maps": "rss path",
    "pagemap.translations": "address physical",
    "pagemap.working_set": "rss touched path",
    "pagemap.written": "start end size",
    "pagemap.writes": "written path",
}


def test_each_result_is_here() -> None:
    """A new one says what it is about; pages are dumped, in lines of a fixed form."""
    assert set(ABOUT) == {name for name in SCHEMAS if not name.startswith("pagemap.pages")}


@pytest.mark.parametrize("name", ABOUT)
def test_what_it_is_about(name: str) -> None:
    """`--what sets` had no sets, `diff --by path` no path."""
    shown = {column.name for column in fitting(SCHEMAS[name], 40)}
    assert {*ABOUT[name].split()} <= shown
