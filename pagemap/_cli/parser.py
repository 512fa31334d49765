"""The argparse parser of the command: every subcommand, with the options of its own module.

The man page and the completions are made from `build_parser` too, so neither this file nor the
modules of the subcommands import the compiled module or rich before a subcommand runs. The values
of options are checked by the subcommands that use them.
"""

from __future__ import annotations

import argparse
import re
import sys

from pagemap._cli.commands import COMMANDS
from pagemap._errors import UsageError
from pagemap._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from _typeshed import SupportsWrite

__all__ = ["build_parser"]

EXIT_CODES = """\
exit codes:
  0   done
  1   failed
  2   wrong usage: the command line cannot be understood
  66  what was named is not there, or is of another kind: a process, cgroup or
      file, the directory that -o needs
  69  this kernel does not support what was asked for, or a library is missing
  75  the target exited meanwhile; what was written until then is valid
  77  permission denied
  130 interrupted, 141 the reader of a pipe closed it"""

TARGETS = """\
A TARGET is a pid, self, the name of a command or executable, or @FILE for a pid
file. maps, dump, regions, footprint, huge, types, segments, virt-to-phys, who,
sharing, diff and contents also read a snapshot: FILE (contents takes no more),
FILE#PID where it has several processes, FILE@N for a moment of a record (0 is
the first, -1 the last). A pid comes before a file of that name, and a snapshot
before a process of that name."""

DESCRIPTION = """\
Show what is behind the virtual memory of Linux processes: for each page its
physical frame, and whether it is present, swapped, shared or written; for
processes and mappings, how much memory they take."""

EXAMPLES = f"""\
examples:
  pagemap footprint                        how much memory each process takes
  pagemap footprint nginx                  the processes of this name
  pagemap maps @/run/nginx.pid             its mappings, and how much each takes
  sudo pagemap dump 4242                   all pages of a process
  sudo pagemap who 4242 0x7ffd3b7c1000     which processes map one page
  sudo pagemap snapshot 4242 -o before.pagemap  keep how its memory is,
  sudo pagemap diff before.pagemap 4242    and show later what changed since
  pagemap doctor                           what can be read here, and why not

{TARGETS}

{EXIT_CODES}"""


_WIDTH = 80


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of a fixed width, with descriptions and examples unchanged.

    argparse makes one for each argument that it adds, and asks the terminal for its width. For
    that it would import shutil, which takes half as long as Python's start.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=24, width=_WIDTH)

    def format_help(self) -> str:
        """The help, with options that exclude each other in several lines where one is short."""
        lines = super().format_help().split("\n")
        if max(map(len, lines)) > _WIDTH:
            lines = [part for line in lines for part in _folded(line)]
        return "\n".join(lines)


def _folded(line: str) -> list[str]:
    """The line of a usage, cut between options so that each part is within the width."""
    indent = " " * (len(line) - len(line.lstrip()))
    parts = []
    while len(line) > _WIDTH and " | " in line[len(indent) : _WIDTH]:
        at = line.rindex(" | ", 0, _WIDTH) + len(" |")
        parts.append(line[:at])
        line = f"{indent} {line[at + 1 :]}"
    return [*parts, line]


class _Parser(argparse.ArgumentParser):
    """A parser that raises its errors, of usage and of output, so that `main` reports them.

    `examples` returns the text below the options; it is called when help is asked for.
    """

    examples: Callable[[], str] = staticmethod(lambda: "")

    def format_help(self) -> str:
        self.epilog = self.epilog or self.examples()
        return super().format_help()

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse ignores a full disk and exits with 0.
        file = file or sys.stdout
        if file is not None:
            file.write(message)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        # in the words of all other options, whose values commands check themselves
        if action.choices is not None and value not in action.choices:
            from pagemap._vocabulary.names import unknown

            option = "/".join(action.option_strings) or str(action.metavar)
            raise UsageError(unknown(option, str(value), list(map(str, action.choices))))

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if "" in arg_strings and hasattr(action, "complete"):  # what takes the name of a file
            option = action.option_strings[-1] if action.option_strings else str(action.metavar)
            raise UsageError(f"{option} is empty: give the name of a file or directory")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\ntry '{self.prog} --help'")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command; in its results `command` is the subcommand, or None.

    Where the name of the subcommand is known before, only that one is added; where it is known that
    there is none ("", as with --version), they are only named. That saves a third of the start.
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
    coming = [each for each in COMMANDS if each[0] == command]
    for name, summary, module in coming or COMMANDS:
        made = commands.add_parser(
            name, help=summary, formatter_class=_Formatter, allow_abbrev=False
        )
        if coming or command is None:
            options = __import__(f"pagemap._cli.commands.{module}", fromlist=[module])
            # -1s is a value, which is refused as such, and no option
            made._negative_number_matcher = re.compile(r"-\.?\d")  # noqa: SLF001
            made.description = options.DESCRIPTION
            made.examples = options.examples
            options.add_arguments(made)
    return parser
