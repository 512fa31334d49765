"""`pagemap virt-to-phys TARGET ADDRESS...`: physical addresses, one a line."""

from __future__ import annotations

import sys

from pagemap._cli import targets
from pagemap._cli.exit_codes import code_of
from pagemap._cli.messages import complain
from pagemap._cli.output import Output, open_output
from pagemap._errors import PagemapError, TargetVanished, UsageError
from pagemap._process import Process
from pagemap._vocabulary.units import parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["run"]

# The bytes of a line of addresses: what is longer is none, nor is all of it kept.
_LINE_SIZE = 4096


def run(arguments: Namespace) -> int:
    """Translate each address; a failure is told and the next one tried.

    Returns the greatest exit code among them, which is also the gravest.
    """
    given = arguments.addresses
    # All of them, before the target is touched; None stands for those of standard input.
    addresses = [None if text == "-" else parse_address(text) for text in given]
    worst = 0
    pid = targets.one(arguments.target)
    with Process(pid) as process, open_output() as output:
        for address in addresses:
            for one in _read_addresses() if address is None else (address,):
                worst = max(worst, _translate(process, one, output))
    return worst


def _translate(process: Process, address: int | PagemapError, output: Output) -> int:
    try:
        if isinstance(address, PagemapError):
            raise address
        output.write(b"%#x\n" % process.virt_to_phys(address))
    except TargetVanished:
        raise
    except PagemapError as error:
        complain(str(error))
        return code_of(error)
    return 0


def _read_addresses() -> Iterator[int | PagemapError]:
    """The addresses of standard input as they come, so that a program may ask one after another."""
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
