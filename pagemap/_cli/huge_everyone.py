"""`pagemap maps --huge` of all processes, or of those of a cgroup: a row for each."""

from __future__ import annotations

from pagemap._analyses import huge_counts as folios
from pagemap._cli.exit_codes import DENIED
from pagemap._cli.left_out import tell_passed, tell_twins
from pagemap._cli.messages import complain
from pagemap._cli.output import open_output
from pagemap._errors import AccessDenied, NoSuchProcess, PfnsHidden, TargetVanished
from pagemap._kernel import cgroup_members as members
from pagemap._kernel import processes as targets
from pagemap._process import Process
from pagemap._render.huge_sheet import Owner
from pagemap._space.twins import Twins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from pagemap._cli.huge_report import Report
    from pagemap._render.huge_sheet import Row

__all__ = ["write_processes"]


def write_processes(arguments: Namespace, report: Report) -> int:
    """Write a row for each process. Returns 0, or 77 where none of them may be read."""
    cgroup = arguments.cgroup
    pids = targets.pids() if cgroup is None else members.pids_of(cgroup)
    with Process("self") as own:
        for _ in own.huge():
            break  # whoever may not see frames at all is told so, once
    twins = Twins()
    survey = _Survey(list(twins.each(pids)), twins, report)
    with open_output() as output:
        report.write(survey.rows(), output)
    tell_passed(list(map(str, survey.denied)), list(map(str, survey.vanished)))
    tell_twins(twins)
    if cgroup is not None and not pids:
        complain(f"cgroup {cgroup!r} has no processes")
    return DENIED if survey.denied and not survey.found else 0


class _Survey:
    """The processes one after another; those that end or forbid reading are passed over."""

    def __init__(self, pids: Iterable[int], twins: Twins, report: Report) -> None:
        self._pids = pids
        self._twins = twins
        self._report = report
        self.found = 0
        self.denied: list[int] = []
        self.vanished: list[int] = []

    def rows(self) -> Iterator[Row]:
        """A row for each that has memory of its own: kernel threads have none."""
        for pid in self._pids:
            try:
                row = self._row(pid)
            except PfnsHidden:
                raise
            except AccessDenied:
                self.denied.append(pid)
            except (NoSuchProcess, TargetVanished):
                self.vanished.append(pid)
            else:
                if row is not None:
                    self.found += 1
                    yield row

    def _row(self, pid: int) -> Row | None:
        with Process(self._twins.meant.get(pid, pid)) as process:
            if process.kernel_thread:
                return None
            name = process.name
            rows = process.huge(cont=self._report.cont, threads=self._report.threads)
            also = tuple(self._twins.sharers.get(pid, ()))
            return Owner(pid, also, name), folios.total([tally for _, tally in rows])
