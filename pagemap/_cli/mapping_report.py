"""The mappings of some processes as tables, and the messages about them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pagemap._cli.patterns import Patterns
    from pagemap._cli.results import Results
    from pagemap._cli.saved_targets import SavedTarget
    from pagemap._errors import PagemapError
    from pagemap._process import Process
    from pagemap._snapshot import SavedProcess
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

__all__ = ["Report", "always", "with_files"]

_FILE = "snapshot"


def with_files(schema: Schema[Any], targets: list[int | SavedTarget]) -> Schema[Any]:
    """The schema; where the targets are of several files, or some of none, with their file."""
    if len(set(map(_file, targets))) < 2:
        return schema
    from pagemap._tables.labelled import with_label

    return with_label(schema, _FILE, "the snapshot, or nothing for a process that runs")


def always(targets: list[int | SavedTarget]) -> list[str]:
    """The columns without which a table does not tell which process a row is of."""
    several = ["pid"] if len(targets) > 1 else []
    return [*several, _FILE] if len(set(map(_file, targets))) > 1 else several


def _file(target: int | SavedTarget) -> str:
    return "" if isinstance(target, int) else target.shown()


class Report:
    """The tables of some processes, and the messages about them.

    `read` makes the table of a process, and has what is not chosen left out by `chosen`.
    """

    def __init__(
        self,
        targets: list[int | SavedTarget],
        shown: Results,
        patterns: Patterns,
        read: Callable[[Process | SavedProcess, Report], Table[Any]],
    ) -> None:
        self._targets = targets
        self._patterns = patterns
        self._shown = shown
        self._read = read
        self.counted = False  # whether any process has mappings
        self._failed: list[PagemapError] = []
        self._paths: set[str] = set()

    def tables(self) -> Iterator[Table[Any]]:
        """A table of each process. Raises the error of the last, where none can be read."""
        from pagemap._cli.spaces import opened
        from pagemap._errors import NoSuchProcess, PagemapError, TargetVanished, Unsupported
        from pagemap._kernel.chosen_pid import Chosen

        self._failed = []
        self._paths = set()
        read = 0
        several = len(self._targets) > 1
        for number, target in enumerate(self._targets, 1):
            try:
                with opened(target) as process:
                    table = self._table(process)
            except Unsupported:
                raise
            except PagemapError as error:
                if self.counted and not several and isinstance(error, NoSuchProcess):
                    raise TargetVanished(str(error), pid=error.pid, errno=error.errno) from None
                if number == len(self._targets) and not read:
                    raise
                # one of many that was found, and ended meanwhile, is no failure
                found = isinstance(target, Chosen) and several
                if not (isinstance(error, NoSuchProcess) and found):
                    self._failed.append(error)
                continue
            read += 1
            if several:  # what holds for all of them
                del table.about["pid"]
                table.about["pids"] = self._pids()
            yield self._with_file(table, target)
        if self._shown.replaces_a_file and self._has_no_match():
            raise PagemapError("; ".join(map(self._unused, self._patterns.unused)))

    def _with_file(self, table: Table[Any], target: int | SavedTarget) -> Table[Any]:
        """The table with the file that it is of, where there are several."""
        made = self._shown.made
        if made.names[0] != _FILE:
            return table
        from pagemap._tables.labelled import labelled

        # of what could be asked for, the table may have a part
        schema = made.select([name for name in made.names if name in (_FILE, *table.schema.names)])

        table.about.pop(_FILE, None)
        table.about["snapshots"] = list(dict.fromkeys(filter(None, map(_file, self._targets))))
        return labelled(table, schema, _file(target))

    def _has_no_match(self) -> bool:
        """Whether there are patterns, and none matches any mapping."""
        return self.counted and 0 < len(self._patterns.texts) == len(self._patterns.unused)

    def _pids(self) -> list[int | None]:
        return [each if isinstance(each, int) else each.pid for each in self._targets]

    def _table(self, process: Process | SavedProcess) -> Table[Any]:
        from pagemap._cli.messages import complain

        if process.kernel_thread:
            complain(f"process {process.pid} is a kernel thread: it has no mappings")
        table = self._read(process, self)
        self.counted = self.counted or not process.kernel_thread
        return table

    def chosen(self, table: Table[Any]) -> Table[Any]:
        """The rows of mappings that match the patterns."""
        if not self._patterns.texts:
            return table
        self._paths.update(table["path"].words)
        return table.where(lambda row: self._patterns(row.path))

    def tell(self) -> int:
        """Write the messages; return an exit code: of a process that was not read, or 0.

        It is 1 if a pattern matches nothing.
        """
        from pagemap._cli.exit_codes import code_of, message_of
        from pagemap._cli.messages import complain

        for error in self._failed:
            complain(message_of(error))
        code = code_of(self._failed[0]) if self._failed else 0
        if self.counted and self._patterns.unused:
            for text in self._patterns.unused:
                complain(self._unused(text))
            return code or 1
        return code

    def _unused(self, text: str) -> str:
        """The message that a pattern matches nothing, with one that may have been meant."""
        pids = self._pids()
        whose = f"process {pids[0]}" if len(pids) == 1 else "these processes"
        said = f"no mapping of {whose} matches the pattern {text!r}"
        meant = self._patterns.nearest(text, self._paths)
        return f"{said}; did you mean {meant!r}?" if meant else said
