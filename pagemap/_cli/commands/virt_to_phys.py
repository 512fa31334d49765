"""`pagemap virt-to-phys TARGET ADDRESS...`: the physical addresses of virtual addresses."""

from __future__ import annotations

import sys

from pagemap._cli import results
from pagemap._cli.exit_codes import DENIED, code_of
from pagemap._cli.messages import complain
from pagemap._cli.options import add_space, columns_help
from pagemap._cli.output import open_output
from pagemap._errors import PagemapError, TargetVanished, UsageError
from pagemap._vocabulary.rows.translation import TRANSLATIONS
from pagemap._vocabulary.units import parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from pagemap._methods import ProcessMethods
    from pagemap._tables.table import Table
    from pagemap._vocabulary.rows.translation import TranslationRow

__all__ = ["DESCRIPTION", "add_arguments", "examples", "run"]

DESCRIPTION = """\
Print the physical address of each virtual address, one per line, in order.
Needs CAP_SYS_ADMIN (sudo). The kernel may move a page at any time, so an answer
is valid only for the moment."""

_FORMATS = ("text", *results.FORMATS)
# Bytes of a line of addresses: a longer line is an error, and is not kept whole.
_LINE_SIZE = 4096


def examples() -> str:
    """What stands below the options."""
    return f"""\
An address without a physical address gets a line on stderr. The format text
leaves it out; the other formats have a row that says why. The exit code is then
the greatest of those of the addresses.

{columns_help(TRANSLATIONS)}

examples:
  sudo pagemap virt-to-phys self 0x400000
  sudo pagemap virt-to-phys 1234 0x7f5a10000000 7f5a10001000 --csv
  sudo pagemap virt-to-phys 1234 - <addresses.txt"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add them to the parser of the subcommand."""
    add_space(parser)
    parser.add_argument(
        "addresses",
        metavar="ADDRESS",
        nargs="+",
        help="in hexadecimal with 0x; - reads one address per line from standard input",
    )
    results.add_arguments(parser, formats=_FORMATS)


def run(arguments: Namespace) -> int:
    """Write the physical addresses. Returns the greatest exit code, which is the worst."""
    from pagemap._cli import spaces

    # All of them, before the target is touched; None stands for those of standard input.
    given = [None if text == "-" else parse_address(text) for text in arguments.addresses]
    shown = results.Results(arguments, TRANSLATIONS, plain="text")
    with spaces.one(arguments.target) as process:
        if shown.format == "text":
            return _write_lines(process, _each(given), arguments.output)
        return _write_rows(process, _each(given), shown)


def _write_lines(
    process: ProcessMethods, addresses: Iterable[int | PagemapError], path: str | None
) -> int:
    """Answer each address before the next is read, so that a program can ask interactively."""
    worst = 0
    with open_output(path) as output:
        for address in addresses:
            try:
                if isinstance(address, PagemapError):
                    raise address
                output.write(b"%#x\n" % process.virt_to_phys(address))
            except TargetVanished:
                raise
            except PagemapError as error:
                complain(str(error))
                worst = max(worst, code_of(error))
    return worst


def _write_rows(
    process: ProcessMethods, addresses: Iterable[int | PagemapError], shown: results.Results
) -> int:

    found: list[int] = []
    codes = {0}
    for address in addresses:
        if isinstance(address, PagemapError):
            complain(str(address))
            codes.add(code_of(address))
        else:
            found.append(address)

    def make() -> Table[TranslationRow]:
        table = process.translate(found)
        for row in table:
            if row.error is not None:
                complain(str(row.detail))
                codes.add(DENIED if row.error == "pfns_hidden" else 1)
        return table

    shown.show(make)
    return max(codes)


def _each(given: Iterable[int | None]) -> Iterator[int | PagemapError]:
    for address in given:
        if address is None:
            yield from _of_standard_input()
        else:
            yield address


def _of_standard_input() -> Iterator[int | PagemapError]:
    """The addresses, in order; a UsageError in place of one that cannot be understood."""
    if sys.stdin is None:
        yield UsageError("cannot read addresses: standard input is closed")
        return
    try:
        yield from _parse_lines(sys.stdin.buffer)
    except OSError as error:
        yield PagemapError(
            f"cannot read addresses: standard input: {error.strerror}",
            errno=error.errno,
            operation="read",
        )


def _parse_lines(file: BinaryIO) -> Iterator[int | PagemapError]:

    number = 0
    while line := file.readline(_LINE_SIZE):
        number += 1
        rest = line
        while len(rest) == _LINE_SIZE and not rest.endswith(b"\n"):
            rest = file.readline(_LINE_SIZE)
        text = line.decode("utf-8", "backslashreplace").strip()
        if not text or text.startswith("#"):
            continue
        if rest is not line:
            message = f"no address has {_LINE_SIZE} characters"
            yield UsageError(f"standard input, line {number}: {message}")
            continue
        try:
            yield parse_address(text)
        except UsageError as error:
            yield UsageError(f"standard input, line {number}: {error}")
