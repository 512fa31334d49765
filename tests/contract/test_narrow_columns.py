"""At 40 columns every table still shows what it is about."""

from __future__ import annotations

import pytest

from pagemap._render.fitting import fitting
from pagemap._vocabulary.rows.page_types import PAGE_RUNS, run_columns
from tests.contract.test_column_units import SCHEMAS

ENDS = ("end", "size")

ABOUT = {
    "pagemap.cache": "cached path",
    "pagemap.cache.open": "cached path",
    "pagemap.cache.charged": "path cgroup cached",
    "pagemap.cache.cgroups": "cgroup cached",
    "pagemap.contents": "moment begin pid",
    "pagemap.diff": "kind amount path",
    "pagemap.diff.paths": "kind amount path",
    "pagemap.diff.kinds": "kind amount",
    "pagemap.diff.regions": "start kind size",
    "pagemap.doctor": "name ok",
    "pagemap.footprints": "pid pss name",
    "pagemap.footprints.mappings": "pid pss path",
    "pagemap.footprints.paths": "pss path",
    "pagemap.frame_files": "pfn kind path",
    "pagemap.freed": "group frees",
    "pagemap.huge": "start thp path",
    "pagemap.huge.processes": "pid name thp",
    "pagemap.mappings": "start path",
    "pagemap.measure": "rss_change path",
    "pagemap.memory.kinds": "kind size",
    "pagemap.memory.zones": "node zone size",
    "pagemap.memory.nodes": "node size",
    "pagemap.memory.orders": "node zone order free_blocks",
    "pagemap.memory.blocks": "node zone block free blocked",
    "pagemap.memory.figures": "name kernel counted",
    "pagemap.memory.swaps": "path used",
    "pagemap.memory.cgroups": "size cgroup",
    "pagemap.memory.groups": "group mapped_by size",
    "pagemap.memory.blockers": "pfn kinds",
    "pagemap.memory.runs": "pfn size",
    "pagemap.nodes": "node resident path",
    "pagemap.who": "pid name address pfn",
    "pagemap.types": "flags pages names",
    "pagemap.page-runs": "pid address offset pfn pages",
    "pagemap.flags": "bit letter name",
    "pagemap.regions": "start size categories",
    "pagemap.samples": "time rss",
    "pagemap.segments": "start size physical",
    "pagemap.sharing.total": "shared saved",
    "pagemap.sharing.processes": "pid shared",
    "pagemap.sharing.pairs": "pid other_pid shared",
    "pagemap.sharing.groups": "pids shared",
    "pagemap.sharing.paths": "shared path",
    "pagemap.sharing.frames": "pfn processes",
    "pagemap.sharing.by.total": "shared within saved",
    "pagemap.sharing.by.groups": "group shared within alone",
    "pagemap.sharing.by.pairs": "group other_group shared",
    "pagemap.sharing.by.sets": "groups shared",
    "pagemap.sharing.by.paths": "shared path",
    "pagemap.maps": "rss path",
    "pagemap.translations": "address physical",
    "pagemap.working_set": "rss touched path",
    "pagemap.written": "start size path",
    "pagemap.writes": "written path",
}


def test_each_result_is_here() -> None:
    """A new one says what it is about; pages are dumped, in lines of a fixed form."""
    assert set(ABOUT) == {name for name in SCHEMAS if not name.startswith("pagemap.pages")}


LISTS = {
    "process": (1, False, "address pfn pages flags"),
    "processes": (2, False, "pid address pfn pages"),
    "files": (0, True, "path offset pfn pages"),
    "frames": (0, False, "pfn pages flags"),
}


@pytest.mark.parametrize("name", sorted(set(ABOUT) - {PAGE_RUNS.name}))
def test_what_it_is_about(name: str) -> None:
    """`--what sets` had no sets, `diff --by path` no path, regions no categories."""
    shown = {column.name for column in fitting(SCHEMAS[name], 40)}
    assert {*ABOUT[name].split()} <= shown


@pytest.mark.parametrize("pages", LISTS)
def test_what_a_list_of_pages_is_about(pages: str) -> None:
    processes, files, about = LISTS[pages]
    schema = PAGE_RUNS.select(run_columns(processes=processes, files=files, each=False))
    assert {*about.split()} <= {column.name for column in fitting(schema, 40)}


@pytest.mark.parametrize("name", ABOUT)
def test_what_it_is_about_goes_last(name: str) -> None:
    """Of columns that are dropped one by one, END and perms went after what was asked for."""
    schema, about = SCHEMAS[name], ABOUT[name].split()
    ranks = {column.name: column.rank for column in schema if column.rank is not None}
    others = {each: rank for each, rank in ranks.items() if each not in about}
    assert max(ranks[each] for each in about) <= min(others.values(), default=1000)


@pytest.mark.parametrize("name", [each for each in ABOUT if "end" in SCHEMAS[each]])
def test_the_end_goes_before_the_size(name: str) -> None:
    """Where both are shown, one follows from the other, and the size is what is compared."""
    end, size = (SCHEMAS[name][each].rank if each in SCHEMAS[name] else None for each in ENDS)
    assert "end" not in ABOUT[name].split()
    assert end is None or size is None or size < end
