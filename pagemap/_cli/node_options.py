"""Mappings by NUMA node: `--node`, and `--by node`."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._errors import PagemapError, UsageError
from pagemap._vocabulary.rows.node import NODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from typing import Any

    from pagemap._cli.mapping_report import Report
    from pagemap._cli.patterns import Patterns
    from pagemap._cli.saved_targets import SavedTarget
    from pagemap._methods import ProcessMethods
    from pagemap._process import Process
    from pagemap._snapshot import SavedProcess
    from pagemap._tables.table import Table

__all__ = ["add_node", "by_node", "check_nodes", "parse_nodes", "write"]

_BY = "node"
_ALL = "all"
_NAMED = ("policy", "misplaced")  # what only numa_maps tells


def add_node(parser: ArgumentParser, text: str) -> None:
    """Add ``--node``; `text` is its help."""
    parser.add_argument("--node", metavar="N[,N...]", help=text)


def by_node(arguments: Namespace) -> bool:
    """Whether rows are of mappings and nodes."""
    return arguments.node is not None or arguments.by == _BY


def parse_nodes(text: str | None) -> list[int] | None:
    """The nodes that are named; None for all of them. Raises UsageError for other words."""
    if text is None or text == _ALL:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words):
        raise UsageError(f"--node needs numbers of NUMA nodes, as 0 or 0,1, or all; not {text!r}")
    return sorted(set(map(int, words)))


def check_nodes(process: ProcessMethods, chosen: Sequence[int] | None) -> None:
    """Report which of the chosen nodes have no memory.

    Raises PagemapError where none of them has any: there is nothing to show.
    """
    if chosen is None:
        return
    from pagemap._analyses.node_parts import NodeParts
    from pagemap._cli.messages import complain

    machine = process.machine
    nodes = NodeParts(machine.procfs, saved=machine.node_parts()).nodes
    absent = [node for node in chosen if node not in nodes]
    if nodes and len(absent) == len(chosen):
        raise PagemapError(_lacking(absent, nodes), pid=process.pid, operation="choose nodes")
    if absent and nodes:  # which of them have any may be hidden: others say so
        complain(_lacking(absent, nodes))


def _lacking(absent: Sequence[int], nodes: Sequence[int]) -> str:
    *most, last = map(str, absent)
    named = f"nodes {', '.join(most)} and {last} have" if most else f"node {last} has"
    return f"{named} no memory; nodes that have: {', '.join(map(str, nodes))}"


def write(
    arguments: Namespace,
    targets: list[int | SavedTarget],
    patterns: Patterns,
    threads: int | None,
) -> int:
    """Write the memory of mappings on each node; returns an exit code."""
    from pagemap._cli.mapping_report import Report, always, with_files

    chosen = parse_nodes(arguments.node)
    shown = results.Results(arguments, with_files(NODES, targets), always=always(targets))
    wanted = shown.wanted()
    counts = _Counts(chosen, threads, policies=any(name in wanted for name in _NAMED))
    report = Report(targets, shown, patterns, counts.table)
    shown.show(report.tables)
    counts.tell()
    return report.tell()


class _Counts:
    """Counts by node, and what there is to say of them."""

    def __init__(self, chosen: list[int] | None, threads: int | None, *, policies: bool) -> None:
        self._chosen = chosen
        self._threads = threads
        self._policies = policies
        self._about: dict[str, Any] = {}
        self._remote = False
        self._checked = False

    def table(self, process: Process | SavedProcess, report: Report) -> Table[Any]:
        """The memory of a process on the chosen nodes."""
        check_nodes(process, None if self._checked else self._chosen)
        self._checked = True
        table: Table[Any] = process.nodes(policies=self._policies, threads=self._threads)
        self._about = table.about
        table = report.chosen(table)
        if self._chosen is not None:
            chosen = set(self._chosen)
            table = table.where(lambda row: row.node in chosen)
        self._remote = self._remote or any(table["remote"])
        return table

    def tell(self) -> None:
        """Write the messages."""
        from pagemap._cli.messages import complain

        nodes = self._about.get("nodes")
        if nodes is None:
            return
        if len(nodes) == 1:
            complain(f"all memory of this machine is on one NUMA node, {nodes[0]}")
        if self._about["counted_by"] == "numa_maps":
            complain(
                "these are the kernel's counts (numa_maps), for which it holds the lock of a "
                "process; with sudo they come from page frames"
            )
        if self._remote:
            complain("REMOTE is an estimate, by the processors that threads ran on last")
