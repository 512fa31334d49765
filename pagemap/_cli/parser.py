"""The command line as argparse sees it: every subcommand, with the options of its own module.

The man page and the completions are made from `build_parser` too, so neither this file nor the
modules of the subcommands, before they run, import the compiled module or rich. What the words mean
is checked where they are used, by the subcommands.
"""

from __future__ import annotations

import argparse
import sys

from pagemap._cli.commands import COMMANDS
from pagemap._errors import UsageError
from pagemap._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from _typeshed import SupportsWrite

__all__ = ["build_parser"]

EXIT_CODES = """\
exit codes:
  0   done
  1   failed
  2   the command line cannot be understood
  66  there is no such process
  69  this kernel lacks what was asked for
  75  the target exited midway; what was written until then stands
  77  not permitted
  130 interrupted, 141 the reader of a pipe went away"""

DESCRIPTION = """\
Tell what stands behind every virtual page of a Linux process: where it lies in
physical memory, whether it is present, swapped, shared or written."""

EXAMPLES = f"""\
examples:
  pagemap footprint                        what memory every process takes
  pagemap footprint nginx                  all that have this name
  pagemap maps @/run/nginx.pid             its mappings, and what each holds
  sudo pagemap dump 4242                   every page of a process, as a table
  sudo pagemap virt-to-phys 4242 0x400000  one address
  pagemap doctor                           what can be read here, and why not

{EXIT_CODES}"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of a fixed width, with the texts as they stand above.

    argparse makes one for each argument that it adds, and asks the terminal for its width: for
    that it imports shutil, which costs as much as half of Python's start.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=24, width=80)


class _Parser(argparse.ArgumentParser):
    """Leaves errors to `main`, which tells them as all others: those of usage, and of output.

    `examples` gives what stands below the options, when help is asked for.
    """

    examples: Callable[[], str] = staticmethod(lambda: "")

    def format_help(self) -> str:
        self.epilog = self.epilog or self.examples()
        return super().format_help()

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
    coming = [each for each in COMMANDS if each[0] == command]
    for name, summary, module in coming or COMMANDS:
        options = __import__(f"pagemap._cli.commands.{module}", fromlist=[module])
        made = commands.add_parser(
            name,
            help=summary,
            description=options.DESCRIPTION,
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        made.examples = options.examples
        options.add_arguments(made)
    return parser
