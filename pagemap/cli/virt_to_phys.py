"""`pagemap virt-to-phys TARGET ADDRESS...`: physical addresses, one a line."""

from __future__ import annotations

import os
import sys

from pagemap.cli.messages import complain
from pagemap.cli.output import Output, open_output
from pagemap.errors import PagemapError, TargetVanished, UsageError
from pagemap.process import Process
from pagemap.targets import resolve
from pagemap.units import parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

__all__ = ["run"]


def run(arguments: Namespace) -> int:
    """Translate each address; a failure is told and the next one tried.

    Returns the greatest exit code among them, which is also the gravest.
    """
    given = arguments.addresses
    # All of them, before the target is touched; None stands for those of standard input.
    addresses = [None if text == "-" else parse_address(text) for text in given]
    worst = 0
    pid = resolve(arguments.target, exclude=(os.getpid(),))
    with Process(pid) as process, open_output() as output:
        for address in addresses:
            for one in _read_addresses() if address is None else (address,):
                worst = max(worst, _translate(process, one, output))
    return worst


def _translate(process: Process, address: int | UsageError, output: Output) -> int:
    try:
        if isinstance(address, UsageError):
            raise address
        output.write(b"%#x\n" % process.virt_to_phys(address))
    except TargetVanished:
        raise
    except PagemapError as error:
        complain(str(error))
        return error.exit_code
    return 0


def _read_addresses() -> Iterator[int | UsageError]:
    """The addresses of standard input as they come, so that a program may ask one after another."""
    if sys.stdin is None:
        yield UsageError("cannot read addresses: standard input is closed")
        return
    yield from _parse_lines(sys.stdin.buffer)


def _parse_lines(lines: Iterable[bytes]) -> Iterator[int | UsageError]:
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8", "backslashreplace").strip()
        if not text or text.startswith("#"):
            continue
        try:
            yield parse_address(text)
        except UsageError as error:
            yield UsageError(f"standard input, line {number}: {error}")
