"""What is known of groups of processes alone: how much comes back, how much is charged to them.

Footprints are rows of processes, of which a group adds up. An amount of a group as a whole stands
in the row of its first process, and 0 in those of the others.
"""

from __future__ import annotations

from contextlib import suppress

from pagemap._analyses.freed import freed
from pagemap._analyses.groups import GROUPS
from pagemap._analyses.memory_cgroups import own_charges
from pagemap._errors import NoSuchProcess, TargetVanished
from pagemap._kernel.cgroups import roots
from pagemap._vocabulary.rows.footprint import FootprintRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from pagemap._space.every_process import EveryProcess

__all__ = ["OF_GROUPS", "with_amounts"]

OF_GROUPS = ("frees", "charged")
"""The columns of it."""


def with_amounts(
    rows: Sequence[FootprintRow],
    wanted: Collection[str],
    group: str | None,
    every: EveryProcess,
) -> tuple[list[FootprintRow], dict[str, Any]]:
    """The rows with those of OF_GROUPS that are `wanted`, and what `about` says of these.

    `group` is the column by which rows are grouped, None where each is for itself. Those of which
    an amount is not known because they ended meanwhile are left out of `every`, and have no row.
    """
    more: dict[str, Any] = {}
    frees: Sequence[int | None] = [None] * len(rows)
    charged = frees
    if "frees" in wanted and rows:
        pids = [pid for row in rows for pid in (row.pid, *(row.sharers or ()))]
        by = group if group in GROUPS else "process"
        amounts: dict[str | None, int] = {}
        with suppress(NoSuchProcess, TargetVanished):  # they all ended
            table = freed(pids, by=by, procfs=every.procfs)
            amounts = {row.group: row.frees for row in table}
            kept = ("estimated", "why", "at_most", "held", "not_seen")
            more["frees"] = {name: table.about[name] for name in kept}
        frees = _first_alone([_label(row, by) for row in rows], amounts)
    of_cgroups = "charged" in wanted and group == "cgroup"
    if of_cgroups:
        labels = [_label(row, "cgroup") for row in rows]
        charged = _first_alone(labels, _charges(every.procfs))
    made = []
    for row, back, own in zip(rows, frees, charged, strict=True):
        missing = ("frees" in wanted and back is None) or (of_cgroups and own is None)
        if not (missing and every.ended_since(row.pid)):
            made.append(FootprintRow._make((*row[: -len(OF_GROUPS)], back, own)))
    return made, more


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
