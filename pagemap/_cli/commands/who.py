"""`pagemap who`: the processes, mappings and addresses that map a frame."""

from __future__ import annotations

import os

from pagemap._cli import results
from pagemap._cli.options import SPACE_HELP, add_threads, columns_help, complete_with_files
from pagemap._vocabulary.rows.owners import OWNERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pagemap._cli.progress import Bar
    from pagemap._space.saved_processes import SavedProcesses
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.owners import OwnerRow

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

_FAILED = 3  # files that could not be searched; of more, how many there are says enough

DESCRIPTION = """\
Find all processes, mappings and addresses that map a frame of physical memory,
and show the frame's flags, map count and memory cgroup. Of a frame that nobody
maps, show what it is for and, if it is in the page cache, which page of which
file. The frame is given by its number, by a physical address, or by a virtual
address of a process."""


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

A cached page that nobody maps is looked for in the files that processes have
open or mapped, deleted ones and shared memory too, then in those of --search.
It is said where it was not looked for. To see the frames of a file, its cached
pages are mapped for a moment; pages are neither read in nor marked as accessed,
and stay active or inactive as they were.

In a snapshot only its own processes are looked at: who FILE ADDRESS, or who
FILE --pfn N. Flags and map counts are known if it was taken with --frames; the
cgroup is not saved. With --no-pfns there is nothing to compare.

{columns_help(OWNERS)}

Of an anonymous page in a mapping of a file (a private copy), file_offset is
where the page of the file would be.

What the frames are is told below the table, and in JSON in about.

examples:
  sudo pagemap who self 0x7f5a10000000
  sudo pagemap who --pfn 0x11d0a7 --pfn 0x11d0a8
  sudo pagemap who --pfn 0x11d0a7 --search /var/log --search /etc
  sudo pagemap who --phys 0x11d0a7000 --json | jq '.rows[].pid'"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("target", metavar="TARGET", nargs="?", help=SPACE_HELP)
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
    complete_with_files(
        parser.add_argument(
            "--search",
            action="append",
            default=[],
            metavar="DIR",
            help="look for cached pages in these files too: a file, or a directory with all below "
            "it on the same file system; may be repeated",
        )
    )
    add_threads(parser)
    results.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Write the pages that map the frames."""
    from pagemap._analyses.owners import owners, owners_in
    from pagemap._cli import spaces
    from pagemap._cli.frame_report import PROCESSES, counted, facts
    from pagemap._cli.left_out import tell_left_out
    from pagemap._cli.messages import complain
    from pagemap._cli.parsing import parse_count
    from pagemap._cli.progress import Bar
    from pagemap._errors import UsageError

    threads = parse_count(arguments.threads, option="--threads")
    shown = results.Results(arguments, OWNERS)
    found: list[Table[OwnerRow]] = []
    target = [] if arguments.target is None else [arguments.target]
    saved = spaces.all_saved(target, others=True)
    if saved is not None and arguments.search:
        raise UsageError("--search is of the files of this machine: leave it out for a snapshot")
    _require(arguments.search)
    pfns = _pfns(arguments, saved)

    def make() -> Table[OwnerRow]:
        with Bar(unit="processes") as bar:
            if saved is not None:
                found[:] = [owners_in(saved, pfns, threads=threads, progress=bar)]
                return found[0]
            found[:] = [owners(pfns, threads=threads, progress=bar)]
        with Bar(unit="files") as bar:
            _add_files(found[0], arguments.search, threads, bar)
        return found[0]

    shown.after = lambda: facts(found[0])
    shown.show(make)
    about = found[0].about
    _tell_failed(about)
    if saved is not None:
        complain(f"looked at {about['among']} only: {counted(len(saved.pids), *PROCESSES)}")
    elif not about["complete"] and not about["explained"]:
        tell_left_out(about)
    return 0


def _require(paths: Sequence[str]) -> None:
    """Raise for a file or directory that is not there, for it may never be looked at."""
    from pagemap._errors import NoSuchFile

    for path in paths:
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchFile(
                f"there is no {path!r} to search: give a file or a directory"
            ) from None
        except OSError:
            continue  # the search says why, where it is needed


def _add_files(
    table: Table[OwnerRow], search: Sequence[str], threads: int | None, progress: Bar
) -> None:
    """Add to the facts of each frame that nobody maps what it is for, and of which file."""
    from pagemap._analyses.frame_files import frame_files

    about: Any = table.about
    unmapped = {int(each["pfn"], 16): each for each in about["frames"] if not each["found"]}
    if not unmapped:
        return
    files = frame_files(list(unmapped), search=search, threads=threads, progress=progress)
    for row in files:
        file = None
        if row.path is not None:
            parts = ("path", "offset", "dev", "inode", "deleted", "pids")
            file = {name: getattr(row, name) for name in parts} | {"offset": f"{row.offset:#x}"}
        unmapped[row.pfn] |= {"kind": row.kind, "file": file}
    names = ("searched", "unsearched", "failed", "reasons", "unasked")
    about["search"] = {name: files.about.get(name, 0) for name in names}


def _tell_failed(about: Mapping[str, Any]) -> None:
    """Say which files could not be searched, where that matters."""
    from pagemap._cli.left_out import tell_unasked
    from pagemap._cli.messages import complain

    search = about.get("search")
    if search is None or not search["unsearched"]:
        return
    for _, reason in search["reasons"][:_FAILED]:
        complain(reason)
    if search["failed"] > _FAILED:
        complain(f"and {search['failed'] - _FAILED} more files could not be searched")
    tell_unasked(search["unasked"])


def _pfns(arguments: Namespace, saved: SavedProcesses | None) -> list[int]:
    """The PFNs that are asked for."""
    from pagemap._cli import targets
    from pagemap._cli.spaces import one
    from pagemap._errors import UsageError
    from pagemap._process import Process
    from pagemap._space.snapshot_opened import no_snapshot
    from pagemap._vocabulary.units import PAGE_SHIFT, parse_address

    named = [parse_address(text, "PFN") for text in arguments.pfns]
    named += [parse_address(text, "physical address") >> PAGE_SHIFT for text in arguments.addresses]
    if arguments.target is None:
        if not named:
            raise UsageError("no frame is given: use TARGET ADDRESS, --pfn N, or --phys ADDRESS")
        return named
    if named and saved is not None and arguments.address is None:
        return named
    if named and os.path.isfile(arguments.target) and arguments.address is None:
        raise no_snapshot(arguments.target)
    if named:
        raise UsageError("give either TARGET ADDRESS, or frames by --pfn and --phys")
    if arguments.address is None:
        raise UsageError(
            f"say which page of {arguments.target}: TARGET is followed by an ADDRESS; "
            "a frame is given by --pfn or --phys"
        )
    address = parse_address(arguments.address)
    target = arguments.target
    with one(target) if saved else Process(targets.one(target, exclude=())) as process:
        return [process.virt_to_phys(address) >> PAGE_SHIFT]
