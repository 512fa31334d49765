"""`pagemap footprint [TARGET...]`: how much memory processes take."""

from __future__ import annotations

from contextlib import ExitStack

from pagemap._cli import processes, results
from pagemap._cli.options import SPACE_HELP, add_patterns, columns_help, in_lines
from pagemap._vocabulary.rows.footprint import FOOTPRINTS, MAPPING_FOOTPRINTS, PATH_FOOTPRINTS
from pagemap._vocabulary.rows.node import PLACED
from pagemap._vocabulary.vm_flags import VM_FLAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from pagemap._analyses.gentle import Gentle
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._tables.table import Table
    from pagemap._vocabulary.schema import Schema

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Show how much memory processes take: resident (rss), shared pages divided by
the number of mappings (pss), private (uss), swapped, clean and dirty; for each
process, mapping, or mapped file. Without a target, for all processes."""

_SCHEMAS: dict[str, Schema[Any]] = {"mapping": MAPPING_FOOTPRINTS, "path": PATH_FOOTPRINTS}
_GROUPS = ("name", "exe", "user", "cgroup", "container", "session")
_NAMED = (  # shown only if named: these cost more, or few people ask for them
    *("user", "cgroup", "container", "session", "exe", "cmdline"),
    *("page_tables", "oom_score", "oom_score_adj", "frees", "charged"),
    *("anon_huge", "shmem_huge", "file_huge", "ksm", "size"),
    *("kernel_page_size", "mmu_page_size", "thp_eligible", "protection_key", "vm_flags"),
)
_USUAL_BUDGET = 0.25


def examples() -> str:
    """What stands below the options."""
    from textwrap import fill

    apart = [
        (column.name, column.meaning)
        for schema in _SCHEMAS.values()
        for column in schema
        if column.name not in FOOTPRINTS
    ]
    return f"""\
{columns_help(FOOTPRINTS)}

columns with --by mapping and --by path:
{in_lines(list(dict(apart).items()))}

pss and uss of several processes add up to what they take together; rss counts a
shared page once for each process. A name as TARGET means all processes of this
name. Rows are in order of pss; with --by mapping in order of address.

Shown only if named in --columns:
{fill(", ".join(_NAMED), 78, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)}

vm_flags are the kernel's flags of a mapping. pmap -XX shows two letters for
each; unknown letters are kept. The words are:
{in_lines([(word, f"{letters}: {meaning}") for letters, (word, meaning) in VM_FLAGS.items()])}

The amounts are the kernel's own (smaps_rollup; for mappings and paths smaps).
Your own processes need no privileges. While the kernel adds up a mapping, which
takes 13 ms per gigabyte, it holds the process's mmap_lock, and mmap() in that
process has to wait. --gentle reads the page table instead, 512 pages at a time
with pauses, and reports how long the longest step took. It needs root. It shows
- for what it cannot know:
  swap_pss, thp, anon_huge, shmem_huge, file_huge, ksm, locked, lazyfree,
  referenced, and what --by mapping has beside amounts
  swap         of shared memory, if any swap is in use
  clean, dirty where a page may have been written without a mark on its frame:
               lazily freed memory, shared memory that was read first, and all
               anonymous memory once any page was read back from swap

With --nodes there is a column for each NUMA node that has memory, and:
{in_lines([(column.name, column.meaning) for column in PLACED])}
These come from page frames; without root from numa_maps of each process, which
holds its lock as smaps does. Memory of the kernel's image ([vdso]) and of
devices is on no node. See maps --node for single mappings.

DIR of --procfs may be a copy of some files of /proc: meminfo, and of each
process stat, comm, status, smaps and smaps_rollup; for --nodes also zoneinfo
and numa_maps, and a copy of /sys/devices/system/node in DIR/../sys. What a file
that is not there would tell is shown as -.

Of a snapshot the amounts are those of when it was taken, with --smaps.

A container is found by the name of its cgroup, as docker, podman, kubernetes,
containerd, lxc and systemd name them; other processes are those of a service, a
login session, or a cgroup. A session is what setsid() begins.

Processes that share one address space (vfork, CLONE_VM) are counted once, in
the row of the first; the column sharers has the others. Files are distinguished
by device and inode, not by name. Amounts of hugetlb have no total. Processes
that end meanwhile or may not be read are counted on stderr and named in JSON
(about.left_out).

examples:
  pagemap footprint --sort uss --top 10
  pagemap footprint self --columns pid,pss,swap,cmdline
  pagemap footprint --by user
  pagemap footprint --by container
  sudo pagemap footprint --by name --columns name,pss,frees --sort frees
  sudo pagemap footprint --by cgroup --columns cgroup,anon,file,shmem,charged
  sudo pagemap footprint --user root --top 5
  pagemap footprint self --by mapping --columns size,thp_eligible,vm_flags,path
  pagemap footprint --columns pid,size,pss,page_tables,oom_score,name --top 10
  sudo pagemap footprint --cgroup /sys/fs/cgroup/system.slice --by path
  sudo pagemap footprint self --gentle --budget 10
  sudo pagemap footprint --nodes --sort remote --top 10
  pagemap footprint self --by mapping --map '[heap]'
  pagemap footprint --watch 2"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    processes.add_arguments(parser, targets=SPACE_HELP, copies=True)
    parser.add_argument(
        "--by",
        metavar="WHAT",
        help="mapping or path: a row for each mapping or each mapped file; "
        "name, exe, user, cgroup, container or session: a row for all processes with the same",
    )
    parser.add_argument(
        "--gentle", action="store_true", help="never hold the lock of a process for long (root)"
    )
    parser.add_argument(
        "--budget", metavar="PERCENT", help="percentage of a core that --gentle may use (25)"
    )
    add_patterns(parser)
    parser.add_argument(
        "--nodes", action="store_true", help="add a column for each NUMA node: node_0, node_1 ..."
    )
    results.add_arguments(parser, grouped=False)


def run(arguments: Namespace) -> int:
    """Write the footprints. Returns 0, or the exit code of a target that was not read."""
    from pagemap._analyses.footprints import footprints_of
    from pagemap._cli.commands.free_if import tell_estimate
    from pagemap._cli.footprint_options import Mappings, Nodes, check_copy
    from pagemap._cli.messages import complain
    from pagemap._cli.parsing import parse_names
    from pagemap._errors import UsageError

    asked = processes.Many(arguments)
    by = arguments.by
    if by is not None:
        (by, *more) = parse_names([by], [*_SCHEMAS, *_GROUPS], option="--by")
        if more:
            raise UsageError("--by takes one word")
    schema: Schema[Any] = _SCHEMAS.get(by, FOOTPRINTS)
    arguments.by = None if by in _SCHEMAS else by
    usual = [name for name in schema.names if name not in _NAMED]
    order = None if by == "mapping" else "pss"  # mappings stand in order of address
    mappings = Mappings(arguments.patterns, of_mappings=by in _SCHEMAS)
    nodes = Nodes(
        wanted=arguments.nodes,
        columns=arguments.columns,
        paths=by == "path",
        gentle=arguments.gentle,
        procfs=asked.procfs,
    )
    schema, usual = nodes.schema(schema), [*usual, *nodes.names]
    shown = results.Results(arguments, schema, order=order, usual=usual, always=nodes.names)
    check_copy(asked.procfs, shown)
    budget = _budget(arguments)
    saved = _of_snapshot(asked)
    if saved is not None and budget is not None:
        raise UsageError("--gentle reads processes that run; leave it out for a snapshot")
    kind = by if by in _SCHEMAS else "process"
    with ExitStack() as stack:
        of_groups: dict[str, Any] = {}
        gentle = None if budget is None else stack.enter_context(_gentle(budget, shown))

        asked.sums = kind == "process" and gentle is None  # their file has mode 0444

        def make() -> Table[Any]:
            every = saved or asked.find()
            table = footprints_of(
                every, names=shown.wanted(), by=kind, gentle=gentle, group=arguments.by
            )
            of_groups.update(table.about)
            chosen = mappings.chosen(table)
            made = nodes.added(chosen, every, shown)
            asked.judge(len(table) - len(chosen) + len(made))  # of these some ended meanwhile
            return made

        shown.show(make)
        code = asked.tell() or mappings.tell()
        nodes.tell()
        if "frees" in of_groups:
            tell_estimate(of_groups["frees"])
        if gentle is not None and gentle.chunks:
            longest = gentle.longest * 1000
            complain(f"the longest of {gentle.chunks} steps took {longest:.2f} ms")
        return code


def _of_snapshot(asked: processes.Many) -> SavedProcesses | None:
    """The processes of a snapshot, if that is what the targets are."""
    from pagemap._errors import Unsupported

    every = asked.saved()
    if every is not None and every.without_smaps:
        pid = every.without_smaps[0]
        remedy = "take the snapshot with --smaps"
        if every.salvaged:
            remedy = "it was salvaged from a damaged file, or taken without --smaps: take another"
        raise Unsupported(
            f"the snapshot does not have the kernel's sums of process {pid}; {remedy}",
            pid=pid,
        )
    return every


def _gentle(budget: float, shown: results.Results) -> Gentle:
    from pagemap._analyses.gentle import Gentle
    from pagemap._analyses.gentle_sums import UNTOLD
    from pagemap._errors import Unsupported

    for name in UNTOLD:
        if shown.named(name):
            raise Unsupported(
                f"--gentle cannot find {name}, which only the kernel's own sums have; "
                "leave out --gentle"
            )
    return Gentle(budget)


def _budget(arguments: Namespace) -> float | None:
    from pagemap._cli.parsing import parse_count
    from pagemap._errors import UsageError

    percent = parse_count(arguments.budget, option="--budget")
    if percent is None:
        return _USUAL_BUDGET if arguments.gentle else None
    if not arguments.gentle:
        raise UsageError("--budget says how much of a core --gentle may use; add --gentle")
    if percent > 100:
        raise UsageError(f"--budget is a percentage of one core, from 1 to 100, not {percent}")
    return percent / 100
