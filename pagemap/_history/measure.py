"""What a piece of work did to the memory of a process: before, after, and the difference."""

from __future__ import annotations

import time
from contextlib import ExitStack

from pagemap._analyses.tally import tally
from pagemap._analyses.tally_plan import tellable
from pagemap._errors import ClosedProcess, UsageError
from pagemap._history.measure_text import lines
from pagemap._history.tracker import track
from pagemap._native.descriptors import Holder
from pagemap._space.about import about
from pagemap._space.live_space import LiveSpace
from pagemap._tables.table import Table
from pagemap._vocabulary.rows.measure import MEASURED, MEASURES, MeasureRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from pagemap._history.tracker import Tracker
    from pagemap._space.address_space import AddressSpace
    from pagemap._space.arguments import Target
    from pagemap._vocabulary.rows.tally import TallyRow
    from pagemap._vocabulary.rows.written import WrittenRow

__all__ = ["Measurement", "measure"]


def measure(target: Target = "self", *, written: bool = False) -> Measurement:
    """Measure what the statements of a ``with`` do to the memory of a process, by path.

    It begins with this call, and ends with the ``with`` statement, of which there is one.
    `target` is as in `Process`, by default this process. With `written` writes are tracked as well,
    as `track` does it; that makes each first write to a page slower, and a page fault.

    Print the result, or take its `table` further. It is of a whole process, so it has what all its
    threads did meanwhile, and what Python itself needed: `noise` in its `about` is what there is of
    that without any work. Of one buffer, `track` says more.

    Raises what `Process` raises, UsageError where `written` is no bool, and with it what `track`
    raises.

    >>> import mmap, pagemap
    >>> data = mmap.mmap(-1, 8 << 20)
    >>> with pagemap.measure() as measured:
    ...     data[:] = bytes(8 << 20)
    >>> measured.table[0].shmem_change
    8388608
    """
    if not isinstance(written, bool):
        raise UsageError(f"written must be True or False, not {written!r}")
    process = LiveSpace(target)
    try:
        return Measurement(process, own=process.is_own, written=written)
    except BaseException:
        process.close()
        raise


class Measurement(Holder):
    """What `pagemap.measure` gives. Within the ``with`` statement `table` is of what was so far.

    `before` and `after` are tables of `TallyRow`, as `Process.tally` gives them.
    """

    __slots__ = (
        "_before_faults",
        "_began",
        "_entered",
        "_known",
        "_last",
        "_noise",
        "_own",
        "_process",
        "_start",
        "_tracker",
        "after",
        "before",
    )

    def __init__(self, process: AddressSpace, *, own: bool, written: bool) -> None:
        self._process: AddressSpace | None = process
        self._own = own
        self._entered = False
        self._last: Table[MeasureRow] | None = None
        self._known = tellable(process, list(MEASURED))
        _faults()  # this, and a first look, import what they need
        self._look()
        first = self._look()
        self.before: Table[TallyRow] = self._look()
        self.after: Table[TallyRow] | None = None
        self._noise: dict[str, object] = {"noise": None, "written_by": None, "noise_written": None}
        if own:
            self._noise["noise"] = _change(first, self.before)
        self._tracker: Tracker | None = track(None if own else process) if written else None
        if self._tracker is not None:
            self._noise["written_by"] = self._tracker.method
            if own:
                self._noise["noise_written"] = self._tracker.collect().total().size
        self._before_faults = _faults() if own else None
        self._began, self._start = time.time(), time.perf_counter()

    def _look(self) -> Table[TallyRow]:
        if self._process is None:
            raise ClosedProcess("this measurement ended by an exception, without a second look")
        return tally(self._process, self._known, None)

    @property
    def table(self) -> Table[MeasureRow]:
        """A row for each path, the largest change of rss first; of this piece of work.

        ``total()`` has the sums. Its `about` has the `seconds` that the work took; of this process
        `minor_faults` and `major_faults`, its page faults meanwhile, and in bytes `noise` and
        `noise_written`, what `rss_change` and `written` are where there is no work. What is not
        known is None. Raises TargetVanished, ClosedProcess.
        """
        return self._last if self._last is not None else self._measured()

    def _measured(self) -> Table[MeasureRow]:
        seconds = time.perf_counter() - self._start
        faults = _faults() if self._own else None
        # before the second look, which writes too
        written = None if self._tracker is None else self._tracker.written
        self.after = after = self._look()
        assert self._process is not None
        minor, major = _since(self._before_faults, faults)
        told = about(
            self._began,
            self._process,
            seconds=seconds,
            minor_faults=minor,
            major_faults=major,
            **self._noise,
        )
        rows = sorted(_rows(self.before, after, written, self._known), key=_heaviest)
        return Table.of_rows(MEASURES, rows, about=told)

    def __enter__(self) -> Measurement:
        if self._entered or self._process is None:
            raise ClosedProcess("this measurement has had its with statement: make another")
        self._entered = True
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        try:
            if kind is None and self._process is not None:
                self._last = self._measured()
        finally:
            self.close()

    def close(self) -> None:
        """End it, and the tracking of writes. May be called again."""
        process, self._process = self._process, None
        with ExitStack() as stack:
            if process is not None:
                stack.callback(process.close)
            if self._tracker is not None:
                self._tracker.close()

    def __repr__(self) -> str:
        if self._last is None:
            return f"<Measurement: {'under way' if self._process is not None else 'closed'}>"
        return "\n".join(lines(self._last))


def _faults() -> tuple[int, int]:
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt, usage.ru_majflt


def _since(
    before: tuple[int, int] | None, now: tuple[int, int] | None
) -> tuple[int, int] | tuple[None, None]:
    if before is None or now is None:
        return None, None
    return now[0] - before[0], now[1] - before[1]


def _change(before: Table[TallyRow], after: Table[TallyRow]) -> int | None:
    first, last = before.total().rss, after.total().rss
    return None if first is None or last is None else last - first


def _sums(table: Table[TallyRow], names: Iterable[str]) -> dict[str, dict[str, int | None]]:
    """The sums of mappings by path, and how many they are; None where one cell is not known."""
    numbers: dict[str, list[int]] = {}
    for number, path in enumerate(table["path"]):
        numbers.setdefault(path, []).append(number)
    sums: dict[str, dict[str, int | None]] = {
        path: {"mappings": len(each)} for path, each in numbers.items()
    }
    for name in names:
        column, known = table[name], table.valid(name)
        for path, each in numbers.items():
            told = known is None or all(map(known.__getitem__, each))
            sums[path][name] = sum(map(column.__getitem__, each)) if told else None
    return sums


def _rows(
    before: Table[TallyRow],
    after: Table[TallyRow],
    written: Table[WrittenRow] | None,
    known: Iterable[str],
) -> Iterator[MeasureRow]:
    names = ["size", *known]
    was, now = _sums(before, names), _sums(after, names)
    pages: dict[str, int] = {}
    if written is not None:
        for path, size in zip(written["path"], written["size"], strict=True):
            pages[path] = pages.get(path, 0) + size
    nothing: dict[str, int | None] = dict.fromkeys(("mappings", *names), 0)
    for path in dict.fromkeys([*was, *now, *pages]):
        old, new = was.get(path, nothing), now.get(path, nothing)
        cells: dict[str, Any] = {}
        for name in ("size", *MEASURED):
            first, last = old.get(name), new.get(name)
            cells[name] = last
            cells[f"{name}_change"] = None if first is None or last is None else last - first
        cells["written"] = None if written is None else pages.get(path, 0)
        yield MeasureRow(**cells, mappings=new["mappings"] or 0, path=path)


def _heaviest(row: MeasureRow) -> tuple[int, int, str]:
    return -abs(row.rss_change or 0), -(row.written or 0), row.path
