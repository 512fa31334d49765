"""`pagemap dump TARGET`: a row for every page."""

from __future__ import annotations

import os

from pagemap._cli.messages import complain
from pagemap._cli.output import open_output
from pagemap._cli.patterns import Patterns
from pagemap._cli.progress import Bar
from pagemap._cli.words import parse_count, parse_names, parse_ranges
from pagemap._errors import UsageError
from pagemap._export.dump import dump
from pagemap._kernel import told
from pagemap._kernel.processes import resolve
from pagemap._kernel.swap_types import in_use
from pagemap._process import Process
from pagemap._vocabulary.flags import ENTRY_FLAGS, PAGE_WORDS
from pagemap._vocabulary.words import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["run"]

_WORDS = [word for word, _ in PAGE_WORDS]
# the columns of the text table that some kernels do not tell
_TEXT = sum(1 << flag.bit for flag in ENTRY_FLAGS if flag.name in ("soft_dirty", "file_or_shared"))


def run(arguments: Namespace) -> int:
    """Write the dump. Returns 1 when a pattern fitted no mapping, or no page was in any range."""
    ranges = parse_ranges(arguments.ranges)
    patterns = Patterns(arguments.patterns)
    only = parse_names(arguments.only, _WORDS, option="--only")
    without = parse_names(arguments.without, _WORDS, option="--without")
    for name in only:
        if name in without:
            raise UsageError(f"no page is both: {spell(name)} stands in --only and in --without")
    threads = parse_count(arguments.threads, option="--threads")
    pid = resolve(arguments.target, exclude=(os.getpid(),))
    # In this order: an existing file is not touched for a target that cannot be read.
    with Process(pid) as process, open_output(arguments.output) as output:
        _remark(process, arguments.format, {*only, *without})
        terminal = os.isatty(output.fd)
        # A bar among rows on the same terminal would be of no use.
        with Bar(wanted=not terminal) as bar:
            rows = dump(
                process,
                output,
                format=arguments.format,
                header=arguments.header,
                select=patterns if arguments.patterns else None,
                ranges=ranges or None,
                populated=arguments.populated,
                only=only,
                without=without,
                printable=terminal,
                progress=bar,
                threads=threads,
            )
        # Of pages chosen by what they are there may well be none: that is the answer.
        chosen = arguments.populated or only or without
        return 0 if process.kernel_thread else _judge(process, patterns, some=bool(rows or chosen))


def _remark(process: Process, form: str, words: set[str]) -> None:
    """Say what the rows will not show."""
    if process.kernel_thread:
        complain(f"process {process.pid} is a kernel thread: it has no mappings to dump")
        return
    asked = sum(1 << flag.bit for flag in ENTRY_FLAGS if flag.name in words)
    if asked & ~told.bits(wanted=asked):
        return  # there will be no rows, but an error that says why
    if not process.pfns_visible:
        complain(
            f"PFNs of process {process.pid} are left out: the kernel hides them without "
            "CAP_SYS_ADMIN (in the initial user namespace); run with sudo"
        )
        if "swap" in words and in_use() is not False:
            complain(
                "some of what passes for swap may be none (a marker of userfaultfd, say): "
                "the kernel hides which"
            )
    if form != "text" or "exclusive" in words:
        from pagemap._cli.exclusive import warn_of_huge_pages

        warn_of_huge_pages(process)
    if form == "text":
        untold = _TEXT & ~told.bits(wanted=_TEXT)
        for flag in ENTRY_FLAGS:
            if untold >> flag.bit & 1:
                complain(f"{spell(flag.name)} is 0 for every page: {told.why_not(flag.name)}")


def _judge(process: Process, patterns: Patterns, *, some: bool) -> int:
    """The exit code of a dump that came to its end: what was asked for must have been there."""
    if patterns.unused:
        for text in patterns.unused:
            complain(f"no mapping of process {process.pid} fits the pattern {text!r}")
        return 1
    if not some:
        complain(f"process {process.pid} has no pages there")
        return 1
    return 0
