"""Each kind of change, made by a process that does just that, is named right."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._vocabulary.page_changes import MAPPING_CHANGES
from tests import oracle
from tests.changes import PAGES, changing
from tests.copies import copied
from tests.kernel_settings import Unavailable, zram_swap
from tests.workloads import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.target import Area

HALF = PAGES // 2

# What a process does, and what that is called: pages by kind, and bytes of mappings by kind.
CHANGES: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "nothing": ({}, {}),
    "touch": ({"faulted in": PAGES}, {}),
    "read": ({"faulted in": PAGES}, {}),
    "drop": ({"dropped": PAGES}, {}),
    "drop and touch": ({"moved": PAGES}, {}),
    "write zero": ({"copied from zero": PAGES}, {}),
    "write file": ({"copied from file": PAGES}, {}),
    "drop copy": ({"replaced": PAGES}, {}),
    "truncate": ({"dropped": PAGES}, {}),
    "fork": ({"became shared": PAGES}, {}),
    "fork and write": ({"copied from shared": PAGES}, {}),
    "child ends": ({"sole again": PAGES}, {}),
    "guard": ({"guard set": PAGES}, {}),
    "unguard": ({"guard cleared": PAGES}, {}),
    "mark": ({"marker set": PAGES}, {}),
    "write marked": ({"faulted in": PAGES}, {}),
    "unmap": ({"dropped": PAGES}, {"mapping removed": PAGES}),
    "map": ({"faulted in": PAGES}, {"mapping added": PAGES}),
    "move": ({}, {"mapping moved": PAGES}),
    "move file": ({}, {"mapping moved": PAGES}),
    "move and grow": ({}, {"mapping moved": PAGES, "mapping grew": PAGES}),
    "move and reuse": (
        {"faulted in": HALF},
        {"mapping moved": PAGES, "mapping added": PAGES},
    ),
    "move, grow and reuse": (
        {"faulted in": HALF // 2},
        {"mapping moved": PAGES, "mapping grew": PAGES, "mapping added": HALF},
    ),
    "grow": ({}, {"mapping grew": 1}),
    "shrink": ({"dropped": HALF}, {"mapping shrank": HALF}),
    "protect": ({}, {"rights changed": PAGES}),
    "protect part": ({}, {"rights changed": HALF, "mapping split": PAGES}),
    "unprotect": ({}, {"rights changed": HALF, "mapping merged": PAGES}),
    "map over": (
        {"dropped": PAGES, "faulted in": PAGES},
        {"mapping replaced": PAGES, "mapping added": PAGES},
    ),
    "delete": ({}, {"mapping renamed": PAGES}),
}
SWAPPING: dict[str, dict[str, int]] = {
    "page out": {"swapped out": PAGES},
    "page in": {"swapped in": PAGES},
    "drop swapped": {"dropped": PAGES},
    "page out and touch": {"moved": PAGES},
}


@contextlib.contextmanager
def looks(name: str, folder: Path) -> Iterator[tuple[pagemap.Process, pagemap.Process, list[Area]]]:
    """The process before its change and after it, and the area that it changed, then and now."""
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(changing(name, folder))
            areas = [target.area]
            copy = copied(target.pid, folder / "before")
            a = stack.enter_context(pagemap.Process(target.pid, procfs=copy))
            areas.append(target.change())  # which the kernel may not know
        except Unavailable as reason:
            pytest.skip(str(reason))
        b = stack.enter_context(pagemap.Process(target.pid))
        yield a, b, areas


def pages_changed(
    a: pagemap.AddressSpace, b: pagemap.AddressSpace, areas: Iterable[Area]
) -> dict[str, int]:
    """How many pages of these areas each kind of change befell.

    Not whose marks alone changed: where there is soft-dirty, moving a mapping marks all of it.
    """
    found: Counter[str] = Counter()
    ranges = {(area.start, area.end) for area in areas}
    for row in pagemap.diff_regions(a, b).rows():
        inside = {
            (max(row.start, start), min(row.end, end))
            for start, end in ranges
            if row.start < end and start < row.end
        }
        if inside:
            found[row.kind] += sum(end - start for start, end in [max(inside)]) // oracle.PAGE
    if "soft_dirty" in oracle.told_here():
        found.pop("marks changed", None)
    return found


def mappings_changed(
    a: pagemap.AddressSpace, b: pagemap.AddressSpace, areas: Iterable[Area]
) -> dict[str, int]:
    """How many pages of the mappings there each kind of change of mappings befell."""
    names = {each.name for each in MAPPING_CHANGES}
    found: Counter[str] = Counter()
    for row in pagemap.diff(a, b):
        here = any(row.start < area.end and area.start < row.end for area in areas)
        if here and row.kind in names:
            found[row.kind] += row.amount // oracle.PAGE
    return found


@pytest.mark.usefixtures("need_pfns", "need_root")
@pytest.mark.parametrize("name", CHANGES)
def test_changes(name: str, tmp_path: Path) -> None:
    pages, mappings = CHANGES[name]
    with looks(name, tmp_path) as (a, b, areas):
        assert pages_changed(a, b, areas) == pages
        assert mappings_changed(a, b, areas) == mappings


@pytest.mark.usefixtures("need_pfns", "need_root")
@pytest.mark.parametrize("name", SWAPPING)
def test_changes_by_swapping(name: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(zram_swap(16 * MIB))
        except Unavailable as reason:
            pytest.skip(str(reason))
        with looks(name, tmp_path) as (a, b, areas):
            assert pages_changed(a, b, areas) == SWAPPING[name]
            assert mappings_changed(a, b, areas) == {}
