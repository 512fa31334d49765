"""What is known of groups of processes alone: how much comes back, how much is charged to them.

Footprints are rows of processes, of which a group adds up. An amount of a group as a whole stands
in the row of its first process, and 0 in those of the others.
"""

from __future__ import annotations

from pagemap._analyses.freed import freed
from pagemap._analyses.groups import GROUPS
from pagemap._analyses.memory_cgroups import own_charges
from pagemap._kernel.cgroups import roots
from pagemap._vocabulary.rows.footprint import FootprintRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

__all__ = ["OF_GROUPS", "with_amounts"]

OF_GROUPS = ("frees", "charged")
"""The columns of it."""


def with_amounts(
    rows: Sequence[FootprintRow], wanted: Collection[str], group: str | None, *, procfs: str
) -> tuple[list[FootprintRow], dict[str, Any]]:
    """The rows with those of OF_GROUPS that are `wanted`, and what `about` says of these.

    `group` is the column by which rows are grouped, None where each is for itself.
    """
    more: dict[str, Any] = {}
    frees: Sequence[int | None] = [None] * len(rows)
    charged = frees
    if "frees" in wanted and rows:
        pids = [pid for row in rows for pid in (row.pid, *(row.sharers or ()))]
        by = group if group in GROUPS else "process"
        table = freed(pids, by=by, procfs=procfs)
        amounts = {row.group: row.frees for row in table}
        frees = _first_alone([_label(row, by) for row in rows], amounts)
        kept = ("estimated", "why", "at_most", "held", "not_seen")
        more["frees"] = {name: table.about[name] for name in kept}
    if "charged" in wanted and group == "cgroup":
        labels = [_label(row, group) for row in rows]
        charged = _first_alone(labels, _charges(procfs))
    of_groups = zip(rows, frees, charged, strict=True)
    return [FootprintRow._make((*row[: -len(OF_GROUPS)], *own)) for row, *own in of_groups], more


def _charges(procfs: str) -> dict[str | None, int]:
    """What is charged to each cgroup, by its path as /proc/PID/cgroup has it."""
    found: dict[str | None, int] = {}
    for root in roots(procfs):
        for directory, size in own_charges(procfs).items():
            if directory == root or directory.startswith(f"{root}/"):
                found[directory[len(root) :] or "/"] = size
    return found


def _label(row: FootprintRow, by: str) -> str | None:
    """The group of a process, as `freed` and cgroups have it; None where nothing tells it."""
    return str(row.pid) if by == "process" else getattr(row, by) or None


def _first_alone(
    groups: Sequence[str | None], amounts: Mapping[str | None, int]
) -> list[int | None]:
    met: set[str | None] = set()
    found = []
    for group in groups:
        amount = amounts.get(group)
        found.append(0 if group in met and amount is not None else amount)
        met.add(group)
    return found
