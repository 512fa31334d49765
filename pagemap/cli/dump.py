"""`pagemap dump TARGET`: a row for every page."""

from __future__ import annotations

import os

from pagemap.cli.messages import complain
from pagemap.cli.output import open_output
from pagemap.cli.patterns import Patterns
from pagemap.cli.progress import Bar
from pagemap.export import dump
from pagemap.process import Process
from pagemap.targets import resolve
from pagemap.units import parse_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["run"]


def run(arguments: Namespace) -> int:
    """Write the dump. Returns 1 when a pattern fitted no mapping, or no page was in any range."""
    ranges = [parse_range(text) for text in arguments.ranges]
    patterns = Patterns(arguments.patterns)
    pid = resolve(arguments.target, exclude=(os.getpid(),))
    # In this order: an existing file is not touched for a target that cannot be read.
    with Process(pid) as process, open_output(arguments.output) as output:
        _remark(process)
        # A bar among rows on the same terminal would be of no use.
        with Bar(wanted=not os.isatty(output.fd)) as bar:
            rows = dump(
                process,
                output,
                format=arguments.format,
                header=arguments.header,
                select=patterns if arguments.patterns else None,
                ranges=ranges or None,
                progress=bar,
            )
        return 0 if process.kernel_thread else _judge(process, patterns, rows)


def _remark(process: Process) -> None:
    """Say what the rows will not show."""
    if process.kernel_thread:
        complain(f"process {process.pid} is a kernel thread: it has no mappings to dump")
    elif not process.pfns_visible:
        complain(
            f"PFNs of process {process.pid} are left out: the kernel hides them without "
            "CAP_SYS_ADMIN (in the initial user namespace); run with sudo"
        )


def _judge(process: Process, patterns: Patterns, rows: int) -> int:
    """The exit code of a dump that came to its end: what was asked for must have been there."""
    if patterns.unused:
        for text in patterns.unused:
            complain(f"no mapping of process {process.pid} fits the pattern {text!r}")
        return 1
    if not rows:
        complain(f"process {process.pid} has no pages there")
        return 1
    return 0
