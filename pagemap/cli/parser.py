"""The command line as argparse sees it: every subcommand, option, help text and example.

The man page and the completions are made from `build_parser` too, so this file imports neither the
compiled module nor rich. What the words mean is checked where they are used, by the subcommands.
"""

from __future__ import annotations

import argparse
import sys

from pagemap._version import __version__
from pagemap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from _typeshed import SupportsWrite

__all__ = ["build_parser"]

FORMATS = ("text", "csv", "jsonl")

TARGET_HELP = "a pid, self, the name of a command or executable, or @FILE for a pid file"

EXIT_CODES = """\
exit codes:
  0   done
  1   failed
  2   the command line cannot be understood
  66  there is no such process
  69  this kernel lacks what was asked for
  75  the target exited midway; what was read until then stands
  77  not permitted
  130 interrupted, 141 the reader of a pipe went away"""

DESCRIPTION = """\
Tell what stands behind every virtual page of a Linux process: where it lies in
physical memory, whether it is present, swapped, shared or written."""

EXAMPLES = f"""\
examples:
  sudo pagemap dump nginx | less           every page of a process, as a table
  sudo pagemap virt-to-phys self 0x400000  one address
  pagemap maps @/run/nginx.pid             the mappings of a process
  pagemap doctor                           what can be read here, and why not

{EXIT_CODES}"""

DUMP = """\
Write one row for every page of every mapping: its address, what its page table
entry says, and the file mapped there. Physical frame numbers need CAP_SYS_ADMIN
(sudo); without it they are left out, and the flags are true all the same."""

DUMP_EXAMPLES = """\
A PATTERN is compared with the whole path of a mapping and with its base name.
* and ? are wildcards, every other character means itself. [anon] selects the
mappings without a path.

examples:
  pagemap dump self
  sudo pagemap dump 1234 --map '[heap]' --map '[stack]'
  sudo pagemap dump nginx --map 'libc*' --format csv -o libc.csv
  pagemap dump @/run/nginx.pid --range 400000-500000 --format jsonl | jq .pfn"""

TRANSLATE = """\
Print the physical address behind each virtual address, one a line, in order.
Needs CAP_SYS_ADMIN (sudo). The kernel may move a page at any time: an answer is
true of the moment."""

TRANSLATE_EXAMPLES = """\
An address that has no physical one gets a line on stderr and none on stdout.
The exit code is then the greatest among those of the addresses.

examples:
  sudo pagemap virt-to-phys self 0x400000
  sudo pagemap virt-to-phys 1234 0x7f5a10000000 140020222590976
  sudo pagemap virt-to-phys nginx - <addresses.txt"""

MAPS = """\
List the mappings of a process as the kernel does in /proc/PID/maps, with their
sizes. Control characters in a path are written in octal, as \\012."""

MAPS_EXAMPLES = """\
examples:
  pagemap maps self
  pagemap maps nginx --json | jq '.mappings[] | select(.path == "[heap]").size'"""

DOCTOR = """\
Try everything that pagemap can use here and say for each what works, why
something does not, and what would change it. Mappings and page table are tried
on TARGET, by default on this very process."""

DOCTOR_EXAMPLES = """\
Exits with 0 when mappings and page table can be read, else with 77, 69 or 66.

examples:
  pagemap doctor
  sudo pagemap doctor nginx
  pagemap doctor --json | jq '.findings[] | select(.ok | not).remedy'"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of a fixed width, with the texts as they stand above.

    argparse makes one for each argument that it adds, and asks the terminal for its width: for
    that it imports shutil, which costs as much as half of Python's start.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=24, width=80)


class _Parser(argparse.ArgumentParser):
    """Leaves errors to `main`, which tells them as all others: those of usage, and of output."""

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse's own keeps silent, and exits with 0, when the disk is full.
        file = file or sys.stdout
        if file is not None:
            file.write(message)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\ntry '{self.prog} --help'")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command; `command` in its results is the name given, or None.

    If it is known which subcommand comes, the others can be left out, which saves a millisecond.
    """
    parser = _Parser(
        prog="pagemap",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pagemap {__version__}")
    # With prog given, argparse need not format a usage line to find it out.
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog="pagemap"
    )
    known = (
        ("dump", "a row for every page of a process", DUMP, DUMP_EXAMPLES, _dump),
        ("virt-to-phys", "physical addresses", TRANSLATE, TRANSLATE_EXAMPLES, _translate),
        ("maps", "the mappings of a process, as a table", MAPS, MAPS_EXAMPLES, _maps),
        ("doctor", "what can be read here, and what cannot", DOCTOR, DOCTOR_EXAMPLES, _doctor),
    )
    coming = [each for each in known if each[0] == command]
    for name, summary, description, examples, add_arguments in coming or known:
        room = commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=examples,
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        add_arguments(room)
    return parser


def _dump(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=TARGET_HELP)
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="text (the default), csv, or jsonl"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        dest="patterns",
        metavar="PATTERN",
        help="only mappings whose path fits; may be given again",
    )
    parser.add_argument(
        "--range",
        action="append",
        default=[],
        dest="ranges",
        metavar="START-END",
        help="only pages in this range of hexadecimal addresses; may be given again",
    )
    output = parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write to FILE (mode 0600), which is replaced only once all is written",
    )
    _complete_with_files(output)
    parser.add_argument(
        "--no-header", action="store_false", dest="header", help="leave out the first line"
    )


def _translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=TARGET_HELP)
    parser.add_argument(
        "addresses",
        metavar="ADDRESS",
        nargs="+",
        help="hexadecimal with 0x, or decimal; - reads addresses from standard input, one a line",
    )


def _maps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=TARGET_HELP)
    _json(parser)


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", nargs="?", help=TARGET_HELP)
    _json(parser)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="write JSON instead of a table")


def _complete_with_files(action: argparse.Action) -> None:
    # shtab looks for this attribute; the names are those of its own shell functions.
    action.complete = {  # type: ignore[attr-defined]
        "bash": "_shtab_compgen_files",
        "zsh": "_files",
        "tcsh": "f",
        "fish": "(__fish_complete_path (commandline -ct))",
    }
