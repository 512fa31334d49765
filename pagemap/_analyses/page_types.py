"""What pages are: how many have which flags of the kernel's, and which pages these are.

Of processes, of all memory, or of files in the page cache; `page_survey` finds them.
"""

from __future__ import annotations

import time
from array import array

from pagemap._analyses.page_survey import Survey
from pagemap._errors import PagemapError, UsageError
from pagemap._kernel.page_files import OpenFile, files_in
from pagemap._native.type_runs import Runs
from pagemap._native.types import ALIKE, COUNTS, EACH
from pagemap._space.about import about
from pagemap._space.address_space import AddressSpace
from pagemap._space.arguments import pid_of
from pagemap._space.every_process import EveryProcess
from pagemap._tables.table import Table, Texts
from pagemap._vocabulary.page_flags import flag_names, letters
from pagemap._vocabulary.rows.page_types import PAGE_RUNS, PAGE_TYPES, PageRunRow, PageTypeRow
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from pagemap._native.types import Found
    from pagemap._space.arguments import Target

    Failed = Callable[[PagemapError], object]

__all__ = ["page_runs", "page_types"]

ROWS = 1 << 17
"""Rows of a table of a list, at most: what it takes stays flat."""


def page_types(
    processes: Sequence[Target] = (),
    *,
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
) -> Table[PageTypeRow]:
    """How many pages have which flags, the most pages first.

    Of the present and the swapped pages of `processes`, of which those that share their memory
    count once; or of `files` in the page cache, and of all files below a folder; or of all memory,
    or its `frames`, ranges ``(start, end)`` of PFNs. `ranges` are addresses of the one process to
    keep to. A frame counts once, with the first page seen in it.

    `only` and `without` choose pages by the names of their flags and the words of their entries
    (`pagemap._vocabulary.filters`); `cgroup` is the inode of a memory cgroup to keep to, which
    leaves out pages in swap; `raw` shows flags that are internal to the kernel too.

    The table's `about` has `unknown`, pages of frames that the kernel tells nothing of; `left_out`,
    the processes and files that could not be read, or not to the end, and `complete`. `failed` is
    called with the error of each of these; without it, that is raised.

    Raises AccessDenied without CAP_DAC_READ_SEARCH, PfnsHidden for processes without
    CAP_SYS_ADMIN, Unsupported where the kernel lacks a file that is needed, UsageError.
    """
    counts: dict[int, list[int]] = {}
    walk = _Walk(COUNTS, processes, files, frames, ranges, procfs, failed)
    with Survey(
        only=only, without=without, raw=raw, cgroup=cgroup, threads=threads, procfs=procfs
    ) as survey:
        for _, steps in walk.places(survey):
            for found in steps:
                walk.unknown += found.unknown
                for flags, pages, in_frames in found.types:
                    sums = counts.setdefault(flags, [0, 0])
                    sums[0] += pages
                    sums[1] += in_frames
    ordered = sorted(counts.items(), key=lambda each: (-each[1][0], each[0]))
    rows = [
        PageTypeRow(flags, pages, in_frames, in_frames * PAGE_SIZE, letters(flags), _named(flags))
        for flags, (pages, in_frames) in ordered
    ]
    return Table.of_rows(PAGE_TYPES, rows, about=walk.about(raw=raw))


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
    """The pages themselves in order, those in a row that are alike as one row, or `each`.

    In tables, so that memory stays flat; there is one at least, and the last one's `about` tells of
    all. They have the columns of `PageRunRow` that there are of such pages; `mapcounts` and
    `cgroups` say that these are wanted too. Of files a page is listed under the first of its names.
    The rest is as in `page_types`.
    """
    wanted = EACH if each else ALIKE
    walk = _Walk(wanted, processes, files, frames, ranges, procfs, failed)
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
    )
    names = {"mapcount": mapcounts, "cgroup": cgroups, "pages": not each, **walk.columns}
    chosen = [name for name in PAGE_RUNS.names if names.get(name, True)]
    return _listed(walk, survey, chosen, raw=raw)


def _listed(
    walk: _Walk, survey: Survey, names: list[str], *, raw: bool
) -> Iterator[Table[PageRunRow]]:
    rows = _Rows(PAGE_RUNS.select(names), join="pages" in names, unit=walk.unit)
    with survey:
        for name, steps in walk.places(survey):
            rows.begin(name)
            for found in steps:
                walk.unknown += found.unknown
                rows.runs.add(found.rows)
                while len(rows.runs) > ROWS:
                    yield rows.take(ROWS, walk.about(raw=raw))
    yield rows.take(len(rows.runs), walk.about(raw=raw))


class _Walk:
    """Where to look: processes, files or memory; and what could not be looked at."""

    def __init__(
        self,
        wanted: int,
        processes: Sequence[Target],
        files: Sequence[str],
        frames: Sequence[tuple[int, int]] | None,
        ranges: Sequence[tuple[int, int]] | None,
        procfs: str,
        failed: Failed | None,
    ) -> None:
        self._begin = time.time()
        self._wanted = wanted
        for name, value in (("processes", processes), ("files", files)):
            if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
                raise TypeError(f"{name} is a sequence of them, not {value!r}")
        self._processes, self._files = list(processes), list(files)
        kinds = [
            name
            for name, given in (("processes", processes), ("files", files), ("frames", frames))
            if given
        ]
        if len(kinds) > 1:
            raise UsageError(f"{' and '.join(kinds)} do not go together: ask for one after another")
        if ranges is not None and len(self._processes) != 1:
            raise UsageError("ranges are of the addresses of one process")
        self._frames, self._ranges, self._procfs = frames, ranges, procfs
        self._failed = failed
        self._left_out: list[dict[str, object]] = []
        self._every: EveryProcess | None = None
        self.unknown = 0
        self.unit = PAGE_SIZE if processes or files else 1
        several = len(self._processes) > 1
        self.columns = {
            "pid": several,
            "path": bool(files),
            "address": bool(processes),
            "offset": bool(files),
            "swap_offset": bool(processes),
        }

    def places(self, survey: Survey) -> Iterator[tuple[Any, Iterator[Found]]]:
        """The pid or the path of each place, and what is found there, step by step."""
        if self._files and self._wanted == COUNTS:  # together, for they may be many and small
            yield None, survey.files(self._open_files(), self._fail_file, close=True)
        elif self._files:
            for file in self._open_files():
                yield file.path, survey.files([file], self._fail_file, close=True)
        elif self._processes:
            yield from self._of_processes(survey)
        else:
            yield None, survey.memory(self._frames)

    def _open_files(self) -> Iterator[OpenFile]:
        entered: set[tuple[int, int]] = set()
        for path in self._files:
            try:
                yield from files_in(path, self._fail_file, entered)
            except PagemapError as error:
                self._fail_file(error)

    def _fail_file(self, error: PagemapError) -> None:
        self._left_out.append({"path": error.path, "reason": str(error)})
        self._tell(error)

    def _tell(self, error: PagemapError) -> None:
        if self._failed is None:
            raise error
        self._failed(error)

    def _of_processes(self, survey: Survey) -> Iterator[tuple[int, Iterator[Found]]]:
        given = {pid_of(each): each for each in self._processes}
        held = {pid: each for pid, each in given.items() if isinstance(each, AddressSpace)}
        if len(held) == len(given) == 1:
            ((pid, space),) = held.items()
            yield pid, self._until_it_ends(survey, pid, space)
            return
        self._every = every = EveryProcess(given, others=(), procfs=self._procfs)
        opened: dict[int, AddressSpace] = {}
        try:
            # all of them are opened before one is looked at, which may take long
            opened.update(every.read(lambda pid: held.get(pid) or every.open(pid)))
            for error in every.errors.values():
                self._tell(error)
            for pid, space in opened.items():
                yield pid, self._until_it_ends(survey, pid, space)
        finally:
            for pid, space in opened.items():
                if pid not in held:
                    space.close()

    def _until_it_ends(self, survey: Survey, pid: int, space: AddressSpace) -> Iterator[Found]:
        try:
            yield from survey.process(space, self._ranges)
        except UsageError:
            raise
        except PagemapError as error:
            if self._every is not None:
                self._every.leave_out(pid, error)
            self._tell(error)

    def about(self, *, raw: bool) -> dict[str, object]:
        """What holds for all rows."""
        told = {} if self._every is None else self._every.about()
        left_out = [*self._left_out, *told.pop("left_out", [])]  # type: ignore[misc]
        return about(
            self._begin,
            None,
            **{
                "raw": raw,
                "unknown": self.unknown,
                **told,
                "left_out": left_out,
                "complete": not left_out,
            },
        )


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
        columns["letters"] = Texts(numbers, [letters(each) for each in flags])
        columns["names"] = Texts(numbers, [_named(each) for each in flags])
        if "pid" in self._schema or "path" in self._schema:
            self._name(columns, count)
        known: dict[str, Any] = {name: each for name, (_, each) in found.items() if each}
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


def _named(flags: int) -> str:
    return ",".join(flag_names(flags))
