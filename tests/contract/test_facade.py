"""What completion shows of a process: what is documented, and nothing of its inside."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pagemap
from pagemap._pagewise import INTERNAL
from pagemap._tables.row_types import row_type

if TYPE_CHECKING:
    from pathlib import Path

METHODS = {
    *("check", "close", "columns", "entry", "fileno", "footprint", "footprints", "huge", "maps"),
    *("nodes", "page_runs", "page_types", "pages", "pages_of", "populated", "read_into"),
    *("regions", "segments", "tally", "translate", "virt_to_phys"),
}
ATTRIBUTES = {
    *("closed", "kernel_thread", "name", "page_size", "pfns_visible", "pid"),
    *("reserved_pages", "resident_pages"),
}


def shown(process: object) -> set[str]:
    """The names that completion offers."""
    return {name for name in dir(process) if not name.startswith("_")}


def test_what_completion_shows(tmp_path: Path) -> None:
    with (
        pagemap.Process("self") as live,
        pagemap.Snapshot.take("self", tmp_path / "self.pagemap", pfns=False) as snapshot,
        snapshot.process() as saved,
    ):
        assert shown(live) == METHODS | ATTRIBUTES | {"procfs"}
        assert shown(saved) == METHODS | ATTRIBUTES | {"path"}
        for process in (live, saved):
            for name in METHODS:
                assert inspect.getdoc(getattr(type(process), name)), name
        everything = {*object.__dir__(live), *object.__dir__(saved)}
    assert everything >= INTERNAL


def test_rows_of_a_choice_of_columns_are_named() -> None:
    row = row_type("pagemap.working_set", ("start", "rss"))(1, 2)
    assert repr(row) == "WorkingSetRow(start=1, rss=2)"
