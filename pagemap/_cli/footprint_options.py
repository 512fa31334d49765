"""Options of `footprint` that choose mappings, or add columns of NUMA nodes."""

from __future__ import annotations

import os

from pagemap._cli.patterns import Patterns
from pagemap._errors import AccessDenied, NoSuchProcess, Unsupported, UsageError
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pagemap._cli.results import Results
    from pagemap._space.every_process import EveryProcess
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

__all__ = ["Mappings", "Nodes", "check_copy"]


def check_copy(procfs: str, shown: Results) -> None:
    """Raise where `procfs`, if it is not /proc, has no processes, or lacks what is asked for."""
    if procfs == "/proc":
        return
    if shown.named("frees"):
        raise UsageError("the column frees needs page tables, which a copy lacks; leave it out")
    try:
        names = os.listdir(procfs)
    except PermissionError as error:
        raise AccessDenied(
            f"cannot read {printable(procfs)}: permission denied", errno=error.errno, path=procfs
        ) from None
    except OSError as error:
        raise NoSuchProcess(
            f"--procfs needs a directory: {printable(procfs)}: {error.strerror}",
            errno=error.errno,
            path=procfs,
        ) from None
    if not any(name.isdecimal() for name in names):
        raise NoSuchProcess(
            f"{printable(procfs)} is no copy of /proc: no directory in it is a process", path=procfs
        )


class Mappings:
    """Which rows are wanted, by ``--map``. Raises UsageError where rows are no mappings."""

    def __init__(self, texts: list[str], *, of_mappings: bool) -> None:
        if texts and not of_mappings:
            raise UsageError(
                "--map selects mappings, and rows are processes; add --by mapping or --by path"
            )
        self._patterns = Patterns(texts)

    def chosen(self, table: Table[Any]) -> Table[Any]:
        """The rows that are wanted."""
        if not self._patterns.texts:
            return table
        return table.where(lambda row: self._patterns(row.path))

    def tell(self) -> int:
        """Report patterns that match nothing: 1 if there are any."""
        from pagemap._cli.messages import complain

        for text in self._patterns.unused:
            complain(f"no mapping matches the pattern {text!r}")
        return 1 if self._patterns.unused else 0


class Nodes:
    """The columns of ``--nodes``. Raises UsageError where these cannot be."""

    def __init__(
        self, *, wanted: bool, columns: list[str] | None, paths: bool, gentle: bool, procfs: str
    ) -> None:
        if gentle and procfs != "/proc":
            raise UsageError("--gentle reads page tables, which a copy lacks; leave out --procfs")
        for name in () if wanted else ",".join(columns or ()).split(","):
            if name in ("misplaced", "remote") or name.startswith("node_"):
                raise UsageError(f"the column {name} is there with --nodes alone; add --nodes")
        if wanted and paths:
            raise UsageError("--nodes has no columns for files; use --by mapping")
        if wanted and gentle:
            raise UsageError("--nodes reads page tables as fast as it can; leave out --gentle")
        self._wanted = wanted
        self._sysfs = ""
        self._estimated = False
        self._nodes: list[int] = []
        self.names: list[str] = []
        if wanted:
            from pagemap._analyses.node_parts import NodeParts

            # a copy of sysfs lies beside that of /proc
            self._sysfs = os.path.join(os.path.dirname(os.path.abspath(procfs)), "sys")
            self._nodes = NodeParts(procfs, self._sysfs).nodes
            if not self._nodes:
                raise UsageError(f"--nodes needs the file zoneinfo, which {procfs} has not")

    def schema(self, schema: Schema[Any]) -> Schema[Any]:
        """The columns with those of nodes, if these are wanted."""
        if not self._wanted:
            return schema
        from pagemap._vocabulary.rows.node import with_nodes

        made = with_nodes(schema, self._nodes)
        self.names = list(made.names[len(schema) :])
        return made

    def added(
        self, table: Table[Any], every: EveryProcess | SavedProcesses, shown: Results
    ) -> Table[Any]:
        """The table with these columns."""
        if not self._wanted:
            return table
        from pagemap._analyses.footprint_nodes import add_nodes
        from pagemap._space.saved_processes import SavedProcesses

        if isinstance(every, SavedProcesses):
            raise Unsupported(
                "--nodes has a column for each node of this machine, and a snapshot may be of "
                "another one; use pagemap maps FILE --by node"
            )
        policies = "misplaced" in shown.wanted()
        made = add_nodes(table, every, self._nodes, policies=policies, sysfs=self._sysfs)
        self._estimated = any(made["remote"])
        return made

    def tell(self) -> None:
        """Report what is to be known of these columns."""
        from pagemap._cli.messages import complain

        if len(self._nodes) == 1:
            complain(f"all memory of this machine is on one NUMA node, {self._nodes[0]}")
        if self._estimated:
            complain("REMOTE is an estimate, by the processors that threads ran on last")
