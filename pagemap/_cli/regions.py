"""`pagemap regions TARGET`: ranges of pages by what they are."""

from __future__ import annotations

from pagemap._cli.messages import complain
from pagemap._cli.output import open_output
from pagemap._cli.targets import one
from pagemap._cli.words import parse_count, parse_names, parse_ranges
from pagemap._kernel.swap_types import in_use
from pagemap._process import Process
from pagemap._render.regions import write_csv, write_json, write_text
from pagemap._vocabulary.flags import SCAN_CATEGORIES
from pagemap._vocabulary.units import ADDRESS_END, PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from typing import TypedDict

    from pagemap._analyses.regions import Region

    class Wanted(TypedDict):
        """Categories to find, and those to tell, in bits."""

        any_of: int
        all_of: int
        none_of: int
        returned: int | None


__all__ = ["run"]

_BITS = {flag.name: 1 << flag.bit for flag in SCAN_CATEGORIES}
_USUAL = _BITS["present"] | _BITS["swap"]


def run(arguments: Namespace) -> int:
    """Write the regions to stdout."""
    any_of, all_of, none_of, shown = (
        sum(_BITS[name] for name in parse_names(texts, _BITS, option=option))
        for option, texts in (
            ("--any", arguments.any_of),
            ("--all", arguments.all_of),
            ("--none", arguments.none_of),
            ("--show", arguments.show_of),
        )
    )
    wanted: Wanted = {
        "any_of": any_of if any_of or all_of else _USUAL,
        "all_of": all_of,
        "none_of": none_of,
        "returned": shown or None,
    }
    ranges = parse_ranges(arguments.ranges) or [(0, ADDRESS_END)]
    limit = parse_count(arguments.max_pages, option="--max-pages")
    pid = one(arguments.target)
    with Process(pid) as process, open_output() as output:
        if process.kernel_thread:
            complain(f"process {pid} is a kernel thread: it has no mappings")
        elif not process.pfns_visible and _mentions_swap(wanted) and in_use() is not False:
            complain(
                "some of what is shown as swap may be none (a marker of userfaultfd, say): "
                "the kernel hides which without CAP_SYS_ADMIN (in the initial user namespace)"
            )
        found = _regions(process, wanted, ranges, limit)
        if arguments.json:
            write_json(process.pid, found, output.write)
        elif arguments.csv:
            write_csv(found, output.write)
        else:
            write_text(found, output.write)
    return 0


def _mentions_swap(wanted: Wanted) -> bool:
    asked = wanted["any_of"] | wanted["all_of"] | wanted["none_of"] | (wanted["returned"] or 0)
    return bool(asked & _BITS["swap"])


def _regions(
    process: Process,
    wanted: Wanted,
    ranges: list[tuple[int, int]],
    limit: int | None,
) -> Iterator[Region]:
    if process.kernel_thread:
        return
    for start, end in ranges:
        for region in process.regions(**wanted, start=start, end=end, max_pages=limit):
            yield region
            if limit is not None:
                limit -= (region.end - region.start) >> PAGE_SHIFT
        if limit is not None and limit <= 0:
            return
