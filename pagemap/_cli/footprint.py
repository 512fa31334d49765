"""`pagemap footprint [TARGET...]`: what memory processes take: a table, JSON, CSV."""

from __future__ import annotations

from contextlib import ExitStack

from pagemap._analyses.footprints import Survey
from pagemap._cli.exit_codes import VANISHED, code_of
from pagemap._cli.left_out import tell_passed, tell_twins
from pagemap._cli.messages import complain
from pagemap._cli.output import open_output
from pagemap._cli.targets import several
from pagemap._cli.terminal import lines_of
from pagemap._cli.watch import parse_seconds, rounds
from pagemap._cli.words import parse_count, parse_names
from pagemap._errors import (
    AccessDenied,
    NoSuchProcess,
    PagemapError,
    Unsupported,
    UsageError,
)
from pagemap._kernel import meminfo
from pagemap._kernel import processes as targets
from pagemap._kernel.cgroup_members import pids_of
from pagemap._render.footprint_columns import ALIASES, VIEWS, fitting
from pagemap._render.footprints import (
    alike,
    by_path,
    of_mapping,
    of_process,
    ordered,
    write_csv,
    write_json,
    write_text,
)
from pagemap._render.table import terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from pagemap._analyses.footprints import Passed
    from pagemap._analyses.gentle import Gentle
    from pagemap._cli.output import Output
    from pagemap._render.footprints import Row

__all__ = ["run"]


def run(arguments: Namespace) -> int:
    """Write the footprints to stdout. Returns 0, or the code of a target that was not read."""
    view = "mappings" if arguments.maps else "paths" if arguments.by_path else "processes"
    if arguments.targets and (arguments.all or arguments.cgroup is not None):
        raise UsageError("give targets, --all or --cgroup PATH, not several of them")
    names = parse_names(arguments.columns, VIEWS[view], option="--columns", aliases=ALIASES)
    order = _sort_column(arguments.sort, view)
    seconds = None if arguments.watch is None else parse_seconds(arguments.watch, option="--watch")
    if seconds is not None and arguments.csv:
        raise UsageError("--watch writes tables or JSON, not --csv")
    budget = _budget(arguments)
    with ExitStack() as stack:
        gentle = None
        if budget is not None:
            from pagemap._analyses.gentle import UNTOLD, Gentle

            for name in (*names, order):
                if name in UNTOLD:
                    raise Unsupported(
                        f"--gentle cannot tell {name.replace('_', '-')}: {UNTOLD[name]}; "
                        "without --gentle the kernel's own sums have it"
                    )
            gentle = stack.enter_context(Gentle(budget))
        output = stack.enter_context(open_output())
        report = _Report(arguments, view, names, order, gentle)
        if seconds is None:
            return report.write(output)
        for number in rounds(seconds, output):
            try:
                code = report.write(output, most=max((lines_of(output.fd) or 1 << 60) - 6, 1))
            except NoSuchProcess as error:
                if not number:
                    raise
                complain(str(error))
                return VANISHED  # it was there
            if code:
                return code
        return 0


def _sort_column(text: str | None, view: str) -> str | None:
    if text is None:
        # mappings stand in order of address, for there they are looked up
        return None if view == "mappings" else "pss"
    columns = parse_names([text], VIEWS[view], option="--sort", aliases=ALIASES)
    if len(columns) > 1:
        raise UsageError(f"--sort takes one column, not {len(columns)}")
    return columns[0]


def _budget(arguments: Namespace) -> float | None:
    percent = parse_count(arguments.budget, option="--budget")
    if percent is None:
        return 0.25 if arguments.gentle else None
    if not arguments.gentle:
        raise UsageError("--budget is of --gentle, which is not given")
    if percent > 100:
        raise UsageError(f"--budget wants percent of one core, up to 100, not {percent}")
    return percent / 100


class _Report:
    """What is asked for, to be read and written once, or again and again."""

    def __init__(
        self,
        arguments: Namespace,
        view: str,
        names: list[str],
        order: str | None,
        gentle: Gentle | None,
    ) -> None:
        self._arguments = arguments
        self._view = view
        self._names = names
        self._order = order
        self._gentle = gentle
        self._memory = meminfo.amount("MemTotal") or None  # some containers say 0

    def write(self, output: Output, *, most: int | None = None) -> int:
        """Read and write; a table has `most` rows at most."""
        failed: list[PagemapError] = []
        survey = Survey(self._pids(failed), gentle=self._gentle)
        rows = self._rows(survey)
        if self._arguments.targets:
            failed += (passed.error for passed in survey.passed)
            if not rows and not survey.kernel_threads and len(failed) == 1:
                raise failed[0]
        if rows or not failed:
            self._write_rows(rows, survey, output, most)
        self._tell(survey, failed)
        if failed:
            return code_of(failed[0])
        return self._code(survey, bool(rows))

    def _pids(self, failed: list[PagemapError]) -> list[int]:
        """Who is meant; targets that are not to be found go to `failed`."""
        if self._arguments.cgroup is not None:
            return pids_of(self._arguments.cgroup)
        if not self._arguments.targets:
            return targets.pids()
        found: dict[int, None] = {}
        for text in self._arguments.targets:
            try:
                found.update(dict.fromkeys(several([text])))
            except UsageError:
                raise
            except PagemapError as error:
                failed.append(error)
        return list(found)

    def _rows(self, survey: Survey) -> list[Row]:
        rows: list[Row]
        also = survey.twins.sharers
        if self._view == "processes":
            totals = list(survey.totals())  # only then all are met that share memory
            rows = [of_process(pid, also.get(pid, ()), name, held) for pid, name, held in totals]
        else:
            rows = [
                of_mapping(pid, also.get(pid, ()), name, *each)
                for pid, name, found in list(survey.mappings())
                for each in found
            ]
        if self._view == "paths":
            rows = by_path(rows)
        return ordered(rows, self._order) if self._order else rows

    def _write_rows(
        self, rows: list[Row], survey: Survey, output: Output, most: int | None
    ) -> None:
        if self._arguments.json:
            names = self._names or list(VIEWS[self._view])
            about = _about(survey, self._gentle)
            write_json(self._view, names, rows, self._memory, output.write, about)
        elif self._arguments.csv:
            names = self._names or list(VIEWS[self._view])
            write_csv(names, rows, self._memory, output.write)
        else:
            names = self._names or fitting(self._view, terminal_width())
            if self._view == "paths" and not self._names and alike(rows):
                names[-1:-1] = ["dev", "inode"]
            write_text(names, rows, self._memory, output.write, most=most)

    def _tell(self, survey: Survey, failed: list[PagemapError]) -> None:
        """Say what the rows do not show."""
        for error in failed:
            complain(str(error))
        if self._arguments.targets:
            for pid in survey.kernel_threads:
                complain(f"process {pid} is a kernel thread: it has no memory of its own")
        else:
            named = {what: list(map(_named, them)) for what, them in _sorted_out(survey).items()}
            # sums alone are in a file of mode 0444
            sums = self._view == "processes" and self._gentle is None
            tell_passed(named["denied"], named["vanished"], sums=sums)
        tell_twins(survey.twins)
        if self._gentle is not None and self._gentle.chunks:
            gentle = self._gentle
            complain(f"the longest of {gentle.chunks} chunks took {gentle.longest * 1000:.2f} ms")

    def _code(self, survey: Survey, some: bool) -> int:
        """The exit code when whoever there is was asked for: somebody must have been readable."""
        if some or self._arguments.targets:
            return 0
        denied = _sorted_out(survey)["denied"]
        if self._arguments.cgroup is not None and not survey.passed:
            complain(f"cgroup {self._arguments.cgroup!r} has no processes")
        return code_of(denied[0].error) if denied else 0


def _sorted_out(survey: Survey) -> dict[str, list[Passed]]:
    """The processes that were passed over, by why."""
    found: dict[str, list[Passed]] = {"denied": [], "vanished": []}
    for passed in survey.passed:
        found["denied" if isinstance(passed.error, AccessDenied) else "vanished"].append(passed)
    return found


def _named(passed: Passed) -> str:
    return f"{passed.pid} ({passed.name or '?'})"


def _about(survey: Survey, gentle: Gentle | None) -> dict[str, object]:
    about: dict[str, object] = {
        "passed": {
            what: [{"pid": each.pid, "name": each.name} for each in passed]
            for what, passed in _sorted_out(survey).items()
        },
        "sharers_known": survey.twins.known,
    }
    if gentle is not None:
        about["gentle"] = {
            "chunks": gentle.chunks,
            "longest_seconds": gentle.longest,
            "held_seconds": gentle.held,
            "paused_seconds": gentle.paused,
        }
    return about
