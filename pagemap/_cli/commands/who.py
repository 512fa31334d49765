"""`pagemap who`: the processes, mappings and addresses that map a frame."""

from __future__ import annotations

from pagemap._cli import results
from pagemap._cli.options import TARGET_HELP, add_threads, columns_help
from pagemap._vocabulary.rows.owners import OWNERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Mapping
    from typing import Any

    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.owners import OwnerRow

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Find all processes, mappings and addresses that map a frame of physical memory,
and show the frame's flags, map count and memory cgroup. The frame is given by
its number, by a physical address, or by a virtual address of a process."""


def examples() -> str:
    """What stands below the options."""
    return f"""\
Needs root: CAP_SYS_ADMIN for PFNs, CAP_DAC_READ_SEARCH for /proc/kpageflags.
All processes are looked at, so it takes as long as reading their page tables;
of a frame that is mapped once, until it is found. Processes that share one
address space (vfork, CLONE_VM) count once, as the kernel counts them.

When the map count is higher than what was found, the others are processes that
could not be read or changed meanwhile, or the kernel's own. An answer is true
of the moment: the kernel may move a page at any time.

{columns_help(OWNERS)}

What the frames are is told below the table, and in JSON in about.

examples:
  sudo pagemap who self 0x7f5a10000000
  sudo pagemap who --pfn 0x11d0a7 --pfn 0x11d0a8
  sudo pagemap who --phys 0x11d0a7000 --json | jq '.rows[].pid'"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("target", metavar="TARGET", nargs="?", help=TARGET_HELP)
    parser.add_argument(
        "address",
        metavar="ADDRESS",
        nargs="?",
        help="a virtual address of TARGET, in hexadecimal with 0x",
    )
    parser.add_argument(
        "--pfn",
        action="append",
        default=[],
        dest="pfns",
        metavar="N",
        help="the number of a frame, in hexadecimal with 0x; may be repeated",
    )
    parser.add_argument(
        "--phys",
        action="append",
        default=[],
        dest="addresses",
        metavar="ADDRESS",
        help="a physical address in the frame; may be repeated",
    )
    add_threads(parser)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the pages that map the frames."""
    from pagemap._analyses.owners import owners
    from pagemap._cli.left_out import tell_left_out
    from pagemap._cli.parsing import parse_count
    from pagemap._cli.progress import Bar

    threads = parse_count(arguments.threads, option="--threads")
    shown = results.Results(arguments, OWNERS)
    found: list[Table[OwnerRow]] = []
    pfns = _pfns(arguments)

    def make() -> Table[OwnerRow]:
        with Bar(unit="processes") as bar:
            found[:] = [owners(pfns, threads=threads, progress=bar)]
        return found[0]

    shown.after = lambda: _facts(found[0])
    shown.show(make)
    about = found[0].about
    if not about["complete"] and not about["explained"]:
        tell_left_out(about)
    return 0


def _pfns(arguments: Namespace) -> list[int]:
    """The PFNs that are asked for."""
    from pagemap._cli.targets import one
    from pagemap._errors import UsageError
    from pagemap._process import Process
    from pagemap._vocabulary.units import PAGE_SHIFT, parse_address

    named = [parse_address(text, "PFN") for text in arguments.pfns]
    named += [parse_address(text, "physical address") >> PAGE_SHIFT for text in arguments.addresses]
    if arguments.target is None:
        if not named:
            raise UsageError("no frame is given: use TARGET ADDRESS, --pfn N, or --phys ADDRESS")
        return named
    if named:
        raise UsageError("give either TARGET ADDRESS, or frames by --pfn and --phys")
    if arguments.address is None:
        raise UsageError(
            f"say which page of {arguments.target}: TARGET is followed by an ADDRESS; "
            "a frame is given by --pfn or --phys"
        )
    address = parse_address(arguments.address)
    with Process(one(arguments.target, exclude=())) as process:
        return [process.virt_to_phys(address) >> PAGE_SHIFT]


def _facts(table: Table[OwnerRow]) -> Iterator[str]:
    """Lines about each frame: what was found, what was not, and what it is."""
    from pagemap._vocabulary.text import printable

    about: Any = table.about
    pids: dict[int, set[int]] = {}
    for row in table:
        pids.setdefault(row.pfn, set()).add(row.pid)
    for frame in about["frames"]:
        yield _verdict(about, frame, len(pids.get(int(frame["pfn"], 16), ())))
        yield f"  physical address: {frame['physical_address']}"
        yield f"  flags: {(frame['names'] or 'none').replace(',', ', ')}"
        yield f"  map count: {'not known' if frame['mapcount'] is None else frame['mapcount']}"
        if frame["cgroup"]:
            inode = f"inode {frame['cgroup']}"
            path = frame["cgroup_path"]
            yield f"  cgroup: {f'{printable(path)} ({inode})' if path else inode}"
    for pid, others in about["sharers"].items():
        if any(pid in them for them in pids.values()):
            yield f"process {pid} shares its memory with {', '.join(map(str, others))}"


def _verdict(about: Mapping[str, Any], frame: Mapping[str, Any], processes: int) -> str:
    found, listed = frame["found"], frame["listed"]
    text = f"frame {frame['pfn']}: mapped {_times(found)}"
    if listed < found:
        text += f", of which the first {listed} are listed"
    elif found:
        text += f", by {_counted(processes, 'process', 'processes')}"
    if frame["mapcount"] is None:
        return f"{text}; the kernel's map count is not known"
    missing = frame["unexplained"]
    if not missing:
        return text
    from pagemap._space.every_process import ENDED

    unread = sum(each["reason"] != ENDED for each in about["left_out"])
    why = f"{_counted(unread, 'process', 'processes')} that could not be read, " if unread else ""
    if not about["all_namespaces"]:
        why += "processes of other PID namespaces, which cannot be seen from this one, "
    return (
        f"{text}; the kernel counts {frame['mapcount']}, {missing} more: of {why}processes that "
        "changed meanwhile, or the kernel's own"
    )


def _times(count: int) -> str:
    return {0: "nowhere", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
