"""The options of `pagemap types`."""

from __future__ import annotations

from pagemap._cli.options import TARGET_HELP, add_ranges, add_threads, complete_with_files, in_lines
from pagemap._vocabulary.frame_flags import PAGE_FLAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments"]

DESCRIPTION = """\
Count pages by the flags that the kernel keeps of their frames, or list them:
the pages of processes, of files in the page cache, or of all memory. Needs
CAP_DAC_READ_SEARCH and, for processes, CAP_SYS_ADMIN (sudo)."""

EXAMPLES = f"""\
flags, with their letters (from reserved on with --raw only):
{in_lines([(f"{flag.letter} {flag.name}", flag.meaning) for flag in PAGE_FLAGS])}

A flag may be written as the beginning of one name alone, or as a number (0x for
hexadecimal). --bits takes
  a,b    pages with one of these flags at least
  a,b=b  of these flags, just those on the right
  a,~b   all of these, and none of those after a tilde
  =a,b   these flags and no others

PAGES are entries of page tables: a frame that several map counts for each of
them. FRAMES counts it once, with the first page seen in it, and SIZE is what
the frames take. Several TARGETs that are one address space count once. Of files
a page counts once under all of their names.

Pages in swap have the flags of their page table entry alone: none without
--raw.
Of files the cached pages count; they are not read, nor do they look used
afterwards. A word is of its moment: memory in use changes while it is counted.

--json writes one object of schema pagemap.types/2, or with a list one of
pagemap.page-runs/1: sizes in bytes, flags, addresses and PFNs as strings.

examples:
  sudo pagemap types                              all of memory
  sudo pagemap types nginx --bits anon,~swapbacked
  sudo pagemap types 1234 5678 --raw --json
  sudo pagemap types --file /var/lib --bits dirty --bits ~mmap
  sudo pagemap types java --list --mapcount --bits thp
  pagemap types --describe 0x868"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=TARGET_HELP)
    add_ranges(parser)
    parser.add_argument(
        "--pfn",
        action="append",
        default=[],
        dest="pfns",
        metavar="START-END",
        help="frames with these hexadecimal PFNs, or one PFN; may be given again",
    )
    complete_with_files(
        parser.add_argument(
            "--file",
            action="append",
            default=[],
            dest="files",
            metavar="PATH",
            help="the cached pages of a file, or of all files below a folder; may be given again",
        )
    )
    parser.add_argument(
        "--bits",
        action="append",
        default=[],
        metavar="SPEC",
        help="only pages with these flags; all that are given must hold",
    )
    parser.add_argument(
        "--cgroup", metavar="PATH|INODE", help="only pages charged to this memory cgroup"
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="internal flags too, each with what it means in its place",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--list", action="store_true", help="list pages alike in a row, not counts")
    form.add_argument("--list-each", action="store_true", help="list every page")
    parser.add_argument(
        "--mapcount", action="store_true", help="a list tells how often each page is mapped"
    )
    parser.add_argument(
        "--show-cgroup", action="store_true", help="a list tells the inode of each page's cgroup"
    )
    parser.add_argument(
        "--describe", metavar="FLAGS", help="explain flags, names or a number, and read nothing"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON instead of a table")
    form.add_argument("--csv", action="store_true", help="write CSV instead of a table")
    add_threads(parser)
