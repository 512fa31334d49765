"""`--node` where rows are pages: the addresses whose pages are on some NUMA nodes."""

from __future__ import annotations

from pagemap._cli.mapping_ranges import NOWHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._methods import ProcessMethods

    Ranges = list[tuple[int, int]]

__all__ = ["ranges_on"]


def ranges_on(
    process: ProcessMethods,
    nodes: Sequence[int] | None,
    within: Sequence[tuple[int, int]] | None,
    threads: int | None = None,
) -> Ranges:
    """The ranges of present pages, in order, whose frames are on these nodes, or on any at all.

    Raises PfnsHidden where frames are not told.
    """
    if process.kernel_thread:
        return NOWHERE
    if not process.pfns_visible:
        from pagemap._errors import PfnsHidden

        raise PfnsHidden(
            f"cannot tell which pages of process {process.pid} are on a node: PFNs are not "
            f"visible; {process.machine.why_hidden}",
            pid=process.pid,
            operation="find the pages of nodes" if process.live else None,
        )
    found: Ranges = []
    for table in process.segments(ranges=within, threads=threads):
        for start, end, node in zip(
            table.cells("start"), table.cells("end"), table.cells("node"), strict=True
        ):
            if node is None or (nodes is not None and node not in nodes):
                continue
            if found and found[-1][1] == start:
                found[-1] = found[-1][0], end
            else:
                found.append((start, end))
    return found or NOWHERE
