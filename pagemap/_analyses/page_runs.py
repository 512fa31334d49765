"""Which pages have which flags: a list of them, in tables one after another."""

from __future__ import annotations

from array import array

from pagemap._analyses.page_places import Places
from pagemap._analyses.page_survey import Survey
from pagemap._kernel.frames import NO_WORD
from pagemap._native.type_runs import Runs
from pagemap._native.types_blocks import ALIKE, EACH
from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.page_flags import flag_names, letters
from pagemap._vocabulary.rows.page_types import PAGE_RUNS, UNKNOWN, PageRunRow, run_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from pagemap._analyses.page_places import Failed
    from pagemap._space.arguments import Target

__all__ = ["page_runs"]

ROWS = 1 << 15
"""Rows of a table at most: what it takes stays flat."""


def page_runs(
    processes: Sequence[Target] = (),
    *,
    each: bool = False,
    mapcounts: bool = False,
    cgroups: bool = False,
    files: Sequence[str] = (),
    frames: Sequence[tuple[int, int]] | None = None,
    ranges: Sequence[tuple[int, int]] | None = None,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    raw: bool = False,
    cgroup: int | None = None,
    threads: int | None = None,
    procfs: str = "/proc",
    failed: Failed | None = None,
) -> Iterator[Table[PageRunRow]]:
    """The pages themselves, in order: consecutive pages that are alike are one row, or `each` is.

    The rows come in several tables, at least one, so that memory does not grow; the `about` of the
    last one is of all. The columns are those of `PageRunRow` that apply to such pages, and with
    `mapcounts` and `cgroups` these too. A page of a file is listed under the first of its names.
    The rest, and what is raised, is as in `page_types`.

    >>> import pagemap
    >>> for table in pagemap.page_runs(["self"], each=True):  # doctest: +SKIP
    ...     print(table["pfn"][0], table[0].names)
    """
    wanted = EACH if each else ALIKE
    places = Places(wanted, processes, files, frames, ranges, procfs, failed)
    survey = Survey(
        wanted,
        only=only,
        without=without,
        raw=raw,
        cgroup=cgroup,
        mapcounts=mapcounts,
        cgroups=cgroups,
        threads=threads,
        procfs=procfs,
        purpose=places.purpose,
        frames=places.reader(),
    )
    unasked = {"mapcount": not mapcounts, "cgroup": not cgroups}
    names = run_columns(processes=places.processes, files=bool(files), each=each)
    chosen = [name for name in names if not unasked.get(name)]
    return _listed(places, survey, chosen, raw=raw)


def _listed(
    places: Places, survey: Survey, names: list[str], *, raw: bool
) -> Iterator[Table[PageRunRow]]:
    rows = _Rows(PAGE_RUNS.select(names), join="pages" in names, unit=places.unit)
    with survey:
        for name, steps in places.each(survey):
            rows.begin(name)
            for found in steps:
                places.add_unknown(found)
                rows.runs.add(found.rows)
                while len(rows.runs) > ROWS:
                    yield rows.take(ROWS, places.about(raw=raw))
    yield rows.take(len(rows.runs), places.about(raw=raw))


class _Rows:
    """Rows until they are tables, and of which place each of them is."""

    def __init__(self, schema: Any, *, join: bool, unit: int) -> None:
        self.runs = Runs(join=join)
        self._schema = schema
        self._unit = unit
        self._places: list[tuple[Any, int]] = []  # each, and how many rows come before it

    def begin(self, name: Any) -> None:
        """What comes now is of another place."""
        self.runs.part()
        self._places.append((name, len(self.runs)))

    def take(self, count: int, about: Mapping[str, object]) -> Table[PageRunRow]:
        """A table of the first `count` rows."""
        found, flags = self.runs.take(count, self._unit)
        numbers = found["numbers"][0]
        columns: dict[str, Any] = {name: values for name, (values, _) in found.items()}
        columns["address"] = columns["offset"] = columns["place"]
        told = [None if each == NO_WORD else each for each in flags]
        columns["letters"] = Texts(
            numbers, ["" if each is None else letters(each) for each in told]
        )
        columns["names"] = Texts(
            numbers, [UNKNOWN if each is None else ",".join(flag_names(each)) for each in told]
        )
        if "pid" in self._schema or "path" in self._schema:
            self._name(columns, count)
        known: dict[str, Any] = {name: each for name, (_, each) in found.items() if each}
        if None in told:
            known["letters"] = known["flags"]
        else:
            known.pop("flags", None)
        valid = {name: each for name, each in known.items() if name in self._schema}
        return Table(self._schema, columns, valid=valid, about=about)

    def _name(self, columns: dict[str, Any], count: int) -> None:
        """Make the column that says of which place each row is; forget places that are through."""
        form = "q" if "pid" in self._schema else "i"
        cells = array(form)
        names: list[str] = []
        ends = [first for _, first in self._places[1:]] + [count]
        for (name, first), end in zip(self._places, ends, strict=True):
            rows = max(min(end, count) - max(first, 0), 0)
            if rows and form == "i":
                names.append(name)
            cells.extend(
                array(form, [name if form == "q" else len(names) - 1]) * rows if rows else ()
            )
        view = memoryview(cells).toreadonly()
        columns["pid" if form == "q" else "path"] = view if form == "q" else Texts(view, names)
        left = [(name, first - count) for name, first in self._places]
        while len(left) > 1 and left[1][1] <= 0:
            del left[0]
        self._places = left
