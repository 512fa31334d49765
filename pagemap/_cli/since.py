"""What amounts were before: --since."""

from __future__ import annotations

from pagemap._errors import AccessDenied, UsageError
from pagemap._tables.changed import changed, with_changes
from pagemap._vocabulary.rows.tally import TALLIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._cli.patterns import Patterns
    from pagemap._space.address_space import AddressSpace
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.tally import TallyRow

__all__ = ["SINCE", "Since"]

SINCE = with_changes(TALLIES, "pagemap.maps.since")
"""The columns of `maps`, and behind each amount its change."""


class Since:
    """The processes of a snapshot, `text`, as they were; `alone` where one is looked at now.

    `grouped` where rows are no mappings, so that it does not matter where these lie.
    """

    def __init__(self, text: str, *, alone: bool, grouped: bool, threads: int | None) -> None:
        from pagemap._cli.saved_targets import saved
        from pagemap._snapshot import Snapshot

        meant = saved(text)
        if meant is None:
            from pagemap._cli.saved_files import why_none

            why = why_none(text)
            if isinstance(why, (AccessDenied, UsageError)):
                raise why
            if text != "self" and not text.isdecimal():
                Snapshot(text).close()  # which says what it is instead
            raise UsageError(
                f"--since takes a snapshot, and {text!r} means a process; `pagemap snapshot` makes "
                f"one, and a file of that name is ./{text}"
            )
        self._meant = meant
        self._alone = alone
        self._grouped = grouped
        self._threads = threads
        with Snapshot(meant.path) as snapshot:
            self._pids = snapshot.pids(moment=meant.moment)

    def of(
        self,
        process: AddressSpace,
        now: Table[TallyRow],
        patterns: Patterns,
    ) -> Table[Any]:
        """The table of a process with what changed. Raises UsageError where it was not saved."""
        from pagemap._analyses.tally_plan import tellable

        counts = [name for name in now.schema.names if not _is_unknown(now, name)]
        with self._meant._replace(pid=self._pid_of(process)).open() as was:
            known = tellable(was, [name for name in counts if TALLIES[name].nullable])
            before = was.tally(known, threads=self._threads)
        if patterns.texts:
            before = before.where(lambda row: patterns(row.path))
        table = changed(now, before, SINCE, ("start",))
        table.about["since"] = before.about["end"]
        return table

    def _pid_of(self, process: AddressSpace) -> int:
        if self._meant.pid is not None:
            return self._meant.pid
        if process.pid in self._pids:
            return process.pid
        if self._alone and len(self._pids) == 1:
            if not self._grouped:
                from pagemap._cli.messages import complain

                complain("another process: addresses differ; --by path compares by file")
            return self._pids[0]
        raise UsageError(
            f"the snapshot {self._meant.path!r} has no process {process.pid}; pagemap diff compares"
            " one process with another"
        )


def _is_unknown(table: Table[Any], name: str) -> bool:
    valid = table.valid(name)
    return valid is not None and not any(valid)
