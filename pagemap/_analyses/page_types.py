"""How many pages have which flags of the kernel; `page_survey` finds the pages."""

from __future__ import annotations

from pagemap._analyses.page_places import Places
from pagemap._analyses.page_survey import Survey
from pagemap._native.types_blocks import COUNTS
from pagemap._tables.table import Table
from pagemap._vocabulary.page_flags import flag_names, letters
from pagemap._vocabulary.rows.page_types import PAGE_TYPES, UNKNOWN, PageTypeRow
from pagemap._vocabulary.units import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._analyses.page_places import Failed
    from pagemap._space.arguments import Target

__all__ = ["page_types"]


def page_types(
    processes: Sequence[Target] = (),
    *,
    files: Sequence[str] = (),
    frames: Sequence[tuple[int, int]] | None = None,
    ranges: Sequence[tuple[int, int]] | None = None,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    raw: bool = False,
    cgroup: int | None = None,
    threads: int | None = None,
    procfs: str = "/proc",
    failed: Failed | None = None,
) -> Table[PageTypeRow]:
    """How many pages have which flags, the most pages first.

    Counted are the present and swapped pages of `processes` (those that share an address space
    count once); or the cached pages of `files`, and of all files below a directory; or all memory,
    or only `frames`, ranges ``(start, end)`` of PFNs. `ranges` limits a single process to these
    addresses, or each of the files to these bytes of it. A frame counts once, with the first of its
    pages that is read.

    `only` and `without` are filters as those of `dump`, of its words and of the names of
    `PageFlag`; with `cgroup`, the inode of a memory cgroup, only pages charged to it count, and
    none in swap; `raw` also shows flags that are internal to the kernel.

    The table's `about` has `unknown`, the number of pages whose flags are not known: a salvaged
    snapshot has lost them, or the kernel's file has none of their frames. They are the last row,
    without flags, whatever the filters;
    `left_out`, the processes and files that could not be read completely; and `complete`. `failed`
    is called with the error of each of these; without it, the error is raised.

    Raises AccessDenied without CAP_DAC_READ_SEARCH, PfnsHidden for processes without
    CAP_SYS_ADMIN, Unsupported where the kernel lacks a file that is needed, UsageError.

    >>> import pagemap
    >>> for row in pagemap.page_types(["self"], only=["anonymous"]):  # doctest: +SKIP
    ...     print(row.names, row.pages)
    """
    counts: dict[int, list[int]] = {}
    places = Places(COUNTS, processes, files, frames, ranges, procfs, failed)
    with Survey(
        only=only,
        without=without,
        raw=raw,
        cgroup=cgroup,
        threads=threads,
        procfs=procfs,
        purpose=places.purpose,
        frames=places.reader(),
    ) as survey:
        for _, steps in places.each(survey):
            for found in steps:
                places.add_unknown(found)
                for flags, pages, in_frames in found.types:
                    sums = counts.setdefault(flags, [0, 0])
                    sums[0] += pages
                    sums[1] += in_frames
    ordered = sorted(counts.items(), key=lambda each: (-each[1][0], each[0]))
    rows = [
        PageTypeRow(
            flags,
            pages,
            in_frames,
            in_frames * PAGE_SIZE,
            letters(flags),
            ",".join(flag_names(flags)),
        )
        for flags, (pages, in_frames) in ordered
    ]
    if places.unknown:
        size = places.unknown_frames * PAGE_SIZE
        rows.append(PageTypeRow(None, places.unknown, places.unknown_frames, size, None, UNKNOWN))
    return Table.of_rows(PAGE_TYPES, rows, about=places.about(raw=raw))
