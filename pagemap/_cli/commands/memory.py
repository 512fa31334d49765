"""`pagemap memory`: what all memory of the machine is used for."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import add_threads, columns_help, in_lines
from pagemap._vocabulary.frame_kinds import FRAME_KINDS
from pagemap._vocabulary.rows.memory import PARTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from pagemap._analyses.memory import Memory
    from pagemap._tables.table import Table

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show what all memory of the machine is used for: every frame counts once, in one
kind, beside the kernel's own figure. Or show how broken up free memory is.
Counting frames needs CAP_DAC_READ_SEARCH (sudo); without it only the kernel's
figures are shown."""

_BY = {
    "kind": "kinds",
    "zone": "zones",
    "node": "nodes",
    "cgroup": "cgroups",
    "container": "cgroups",
    "order": "orders",
    "name": "groups",
    "exe": "groups",
    "user": "groups",
    "session": "groups",
}
_VIEWS = {
    "blocks": "aligned blocks of each size: free, could be freed, or blocked and by what",
    "blockers": "blocks of 2 MiB (what a PMD maps) that are not free, and what is in them",
    "runs": "the longest runs of free frames",
    "figures": "the kernel's figures of memory, and the same counted by frames",
    "swaps": "swap areas, and the memory that zram and zswap take for what is in them",
}
_OF_FRAMES = ("blocks", "blockers", "runs", "groups")
_TOP = 20
_TOP_OF_DATA = 1000
_MOST_SORTED = 1 << 17  # kept where another order decides; some 90 MiB
_OWN_OF_GROUPS = ["group", "mapped_by", "processes", "size", "name"]
_OWN_OF_CGROUPS = ["size", "kernel", "difference", "swapped", "inode", "cgroup", "container"]


def examples() -> str:
    """What stands below the options."""
    return f"""\
kinds:
{in_lines([(kind.name, kind.meaning) for kind in FRAME_KINDS])}

All kinds but reserved and missing add up to MemTotal; with these two they are
what the firmware calls System RAM (/proc/iomem). The kernel's figures are read
after the frames, and memory changes meanwhile. It counts some per CPU, so that
its own figures are exact only to some MiB. Free frames on per-CPU lists have no
flag: they are in unnamed (pagesets in --figures tells how many there are).

A block could be freed (movable) if it has only frames that reclaim or
compaction can free: page cache, shared and anonymous memory. Pinned pages
cannot be told from others, so compaction may fail there. Slab counts as
blocking, though parts of it can be reclaimed, and so do free frames on per-CPU
lists, which compaction takes back.

--blockers lists the {_TOP} worst, in other formats than a table {_TOP_OF_DATA}, and
--free-runs as many of the longest; --top shows more. These have no totals.

Tables leave out columns of what is rare, such as poisoned: --columns shows
them, and all other formats have them.

{columns_help(PARTS["kinds"], "columns by kind")}

{columns_help(PARTS["zones"], "columns by zone, and by node")}

{columns_help(PARTS["cgroups"].select(_OWN_OF_CGROUPS), "columns by cgroup, with those of kinds")}

Frames of cgroups that were removed count with the nearest one above that is
left. The kernel's figure leaves them out, and so they are in difference.

{columns_help(PARTS["groups"].select(_OWN_OF_GROUPS), "columns by name, exe, user and session")}

These are groups of processes, and frames are those that they map. The last two
rows are of no group: what several groups map, and what no process does (page
cache, slab, free memory). So the rows add up to MemTotal; sharing --by shows
which groups share. PFNs are needed (CAP_SYS_ADMIN): without, footprint --by
shows what the kernel tells of each group.

By cgroup and container frames are where they are charged, mapped or not. With
--by container, rows is how many cgroups a container has.

{columns_help(PARTS["orders"], "columns by order")}

{columns_help(PARTS["blocks"], "columns of --blocks")}

{columns_help(PARTS["blockers"], "columns of --blockers")}

{columns_help(PARTS["runs"], "columns of --free-runs")}

{columns_help(PARTS["figures"], "columns of --figures")}

{columns_help(PARTS["swaps"], "columns of --swap")}

examples:
  sudo pagemap memory
  sudo pagemap memory --by zone
  sudo pagemap memory --by cgroup --top 10
  sudo pagemap memory --by user
  sudo pagemap memory --blocks --csv
  sudo pagemap memory --blockers --top 5
  pagemap memory --figures --columns name,kernel"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    views = parser.add_mutually_exclusive_group()
    views.add_argument(
        "--by",
        metavar="WHAT",
        help=f"{', '.join(_BY)}: a row for each (default: kind)",
    )
    for option, view in (
        ("--blocks", "blocks"),
        ("--blockers", "blockers"),
        ("--free-runs", "runs"),
        ("--figures", "figures"),
        ("--swap", "swaps"),
    ):
        views.add_argument(option, dest="view", action="store_const", const=view, help=_VIEWS[view])
    add_threads(parser)
    results.add_arguments(parser, grouped=False)


def run(arguments: Namespace) -> int:
    """Write the table that was asked for."""
    from pagemap._analyses.groups import NUMBERED
    from pagemap._analyses.memory import memory
    from pagemap._cli import memory_remarks
    from pagemap._cli.parsing import parse_count, parse_limit
    from pagemap._cli.progress import Bar

    view = arguments.view or _row(arguments.by)
    part = _BY.get(view, view)
    threads = parse_count(arguments.threads, option="--threads")
    top = most = parse_limit(arguments.top, option="--top")
    if top is None and part in memory_remarks.LISTS:
        most = _TOP if arguments.format in (None, "table") else _TOP_OF_DATA
        arguments.top = str(most)
    if arguments.sort is not None or arguments.reverse:  # then another order decides
        most = max(most or 0, _MOST_SORTED)
    arguments.by = "container" if view == "container" else None
    named = ["name"] if view in NUMBERED else []  # their groups are numbers
    shown = results.Results(arguments, PARTS[part], always=named)
    made: list[Memory] = []

    def make() -> Table[Any]:
        with Bar(unit="frames") as bar:
            told = memory(
                frames=_frames(part),
                cgroups=part == "cgroups",
                by=view if part == "groups" else None,
                blockers=most if part == "blockers" else None,
                runs=most if part == "runs" else None,
                threads=threads,
                progress=bar,
            )
        made[:] = [told]
        table: Table[Any] = told._asdict()[part]
        return table

    if part == "kinds":
        shown.after = lambda: memory_remarks.summary(made[0])
    shown.show(make)
    if part in memory_remarks.LISTS:
        memory_remarks.remark_list(made[0], part, int(arguments.top), usual=top is None)
    return memory_remarks.remark(made[0], part)


def _row(by: str | None) -> str:
    """What rows are of, with --by."""
    from pagemap._cli.parsing import parse_names
    from pagemap._errors import UsageError

    (word, *more) = parse_names(["kind" if by is None else by], _BY, option="--by")
    if more:
        raise UsageError("--by takes one word")
    return word


def _frames(part: str) -> bool | None:
    """Whether frames are needed (True), of use (None), or not (False)."""
    if part in _OF_FRAMES:
        return True
    return False if part == "swaps" else None
